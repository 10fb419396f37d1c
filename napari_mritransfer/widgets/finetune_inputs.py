"""What the Fine-tune dock was asked for, as the core takes it."""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.widgets.tuning import Run


@dataclass(frozen=True, slots=True)
class Advanced:
    """The folded settings; None leaves the choice to the strategy or to the defaults of `FinetuneConfig`."""

    learning_rate: float | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    batch: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class FinetuneInputs:
    """A filled-in Fine-tune dock.

    Attributes
    ----------
    model
        Zoo name, weights file or run folder.
    strategies
        Ticked, in the order of the list.
    train, validation
        Files of the target scans.
    slices
        Number of training slices, or their indices.
    sampling
        How the target scans are undersampled.
    device
        See `FinetuneConfig`.
    """

    model: str
    strategies: tuple[str, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    slices: int | tuple[int, ...] = 5
    sampling: Sampling = field(default_factory=Sampling)
    device: str = "auto"
    advanced: Advanced = Advanced()

    def configs(self) -> list[FinetuneConfig]:
        """One job per strategy.

        Raises
        ------
        BadConfig
            If something is missing or cannot work; the message says what to do.
        """
        if not self.strategies:
            raise BadConfig("Tick at least one strategy.")
        if not self.train:
            raise BadConfig("Tick at least one scan to learn from.")
        if not self.validation:
            raise BadConfig("Choose a scan to validate on.")
        if self.sampling.as_measured:
            raise BadConfig("A scan that is undersampled already cannot teach; choose the sampling of a full scan.")
        chosen = {
            name: value
            for name in ("learning_rate", "epochs", "steps_per_epoch", "batch", "seed")
            if (value := getattr(self.advanced, name)) is not None
        }
        axis = self.sampling.phase_encode
        return [
            FinetuneConfig(
                model=self.model, train=self.train, validation=self.validation, strategy=strategy,
                slices=self.slices, pattern=self.sampling.pattern,
                phase_encode="y" if axis == "y" else "x" if axis == "x" else None,
                crop_to_support=self.sampling.crop_to_support, snr_db=self.sampling.snr_db,
                smooth_phase=self.sampling.smooth_phase, device=self.device,
                **chosen,
            )
            for strategy in self.strategies
        ]  # fmt: skip


def new_runs(configs: Sequence[FinetuneConfig], root: Path) -> list[Run]:
    """Runs in folders of their own, named by time and strategy and made at once: another viewer may start one too.

    Raises
    ------
    OSError
        If a folder cannot be made.
    """
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    return [Run(_new_folder(root, f"{stamp}_{config.strategy}"), config) for config in configs]


def _new_folder(root: Path, name: str) -> Path:
    for number in itertools.count(1):
        folder = root / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError  # not reached: counting has no end
