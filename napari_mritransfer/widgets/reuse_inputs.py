"""What the "Cohort" dock asks for, and the commands that it turns into."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.config import Augmentation
from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.config import BatchNorm, Correction, ReuseConfig
from napari_mritransfer.cohort.told import read_told
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.config import BadConfig

_ANY_METHOD = ("features-svm",)  # a look needs none, but a configuration does


@dataclass(frozen=True, slots=True)
class ReuseSettings:
    """The numbers of the form; see `ReuseConfig`.

    Attributes
    ----------
    sizes
        As people type them, such as ``"20, 50"``; empty for no learning curve.
    learning_rate
        None takes the method's own.
    bins
        As people type them, such as ``"6/90/42"``, see `Bins.from_text`; empty for the usual ones.
    image_column, subject_column
        Of the table, where they are not found by themselves; not asked for, but kept.
    """

    folds: int = 5
    repeats: int = 1
    site: str = ""
    sizes: str = ""
    permutations: int = 0
    group: str = ""
    inner_folds: int = 5
    bias_correction: Correction = "quick"
    epochs: int = 20
    batch: int = 4
    learning_rate: float | None = None
    augmentation: Augmentation = "shift-mirror"
    batch_norm: BatchNorm = "frozen"
    check_brains: bool = True
    seed: int = 0
    weight_decay: float = 1e-3
    task: Task | None = None
    bins: str = ""
    image_column: str = ""
    subject_column: str = ""

    def numbers(self) -> tuple[int, ...]:
        """The sizes of the learning curve, from small to large.

        Raises
        ------
        BadConfig
            If they are no whole numbers.
        """
        words = self.sizes.replace(",", " ").replace(";", " ").split()
        try:
            return tuple(sorted({int(word) for word in words}))
        except ValueError as error:
            raise BadConfig(
                f"'{self.sizes}' are no whole numbers of training subjects; write them like 20, 50, or leave them out."
            ) from error


@dataclass(frozen=True, slots=True)
class ReuseInputs:
    """The form of the dock.

    Attributes
    ----------
    table
        Of subjects; None until one is opened.
    label
        Its column to predict.
    model
        What the worker opens, see `reuse.model`.
    methods
        Ticked ones, see `reuse.catalogue`.
    settings
        Everything else.
    device
        As in the preferences.
    told
        What the network's file does not say, as people type it, see `cohort.told`.
    """

    table: Path | None
    label: str
    model: str
    methods: tuple[str, ...]
    settings: ReuseSettings = field(default_factory=ReuseSettings)
    device: str = "auto"
    told: str = ""

    @property
    def title(self) -> str:
        """What it is about, in a few words."""
        return f"{self.label} in {self.table.name if self.table is not None else 'a table'}"

    @property
    def cohort(self) -> tuple[object, ...]:
        """What a look at the cohort depends on: with the same, it need not be looked at again."""
        own = self.settings
        return (self.table, self.label, self.model, self.told, own.folds, own.site, own.group, own.check_brains,
                own.task)

    def config(self) -> ReuseConfig:
        """For `reuse.run`.

        Raises
        ------
        BadInput
            If something is missing or cannot work; the message says what to do.
        """
        if self.table is None:
            raise BadInput("There is no table yet; open one with a line for every scan.")
        if not self.label:
            raise BadInput("No label is chosen; choose the column that is to be predicted.")
        if not self.model:
            raise BadInput("There is no network yet; download a published one, or add a file.")
        own = self.settings
        return ReuseConfig(
            str(self.table), self.label, self.model, self.methods, told=read_told(self.told), group=own.group,
            folds=own.folds, repeats=own.repeats, inner_folds=own.inner_folds, site=own.site, sizes=own.numbers(),
            permutations=own.permutations, bias_correction=own.bias_correction, epochs=own.epochs, batch=own.batch,
            learning_rate=own.learning_rate, augmentation=own.augmentation, batch_norm=own.batch_norm,
            check_brains=own.check_brains, device=self.device, seed=own.seed, weight_decay=own.weight_decay,
            task=own.task, bins=Bins.from_text(own.bins), image_column=own.image_column,
            subject_column=own.subject_column,
        )  # fmt: skip

    def looking(self, out: Path) -> dict[str, Any]:
        """What the worker is told to check the cohort; pictures and problems go to `out`.

        Raises
        ------
        BadInput
            As `config`, but for methods: none is needed.
        """
        return command("reuse-look", replace(self, methods=self.methods or _ANY_METHOD).config(), out)

    @classmethod
    def of(cls, config: ReuseConfig) -> "ReuseInputs":
        """The form that this came from."""
        settings = ReuseSettings(
            config.folds, config.repeats, config.site, ", ".join(str(size) for size in config.sizes),
            config.permutations, config.group, config.inner_folds, config.bias_correction, config.epochs, config.batch,
            config.learning_rate, config.augmentation, config.batch_norm, config.check_brains, config.seed,
            config.weight_decay, config.task, "" if config.bins is None else config.bins.as_text(),
            config.image_column, config.subject_column,
        )  # fmt: skip
        told = ", ".join(f"{name}={value}" for name, value in config.told.items())
        return cls(Path(config.table), config.label, config.model, config.methods, settings, config.device, told)


def command(name: str, config: ReuseConfig, out: Path) -> dict[str, Any]:
    """For the worker, see `cohort.tasks`."""
    return {"command": name, "config": json.loads(config.as_json()), "out": str(out)}
