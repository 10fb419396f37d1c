"""Training on a cohort as work for `training.course`: labelled volumes, judged by the error of held-out subjects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.cohort import strategies
from napari_mritransfer.cohort.attention import mean_relative, relative_weights
from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.cohort.contributions import shares_of
from napari_mritransfer.cohort.data import CohortData, draw, load_cohort
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import CohortModel, Facts, open_cohort_model, save_cohort_model
from napari_mritransfer.cohort.problem import some
from napari_mritransfer.cohort.splits import Split, read_split
from napari_mritransfer.cohort.told import label_told, network_told
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.recon.precision import Autocast
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.events import Event, Started
from napari_mritransfer.training.loop import run_course
from napari_mritransfer.training.metric import Metric
from napari_mritransfer.training.outcome import Outcome
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.training.work import Interrupted, ShouldStop
from napari_mritransfer.transfer.model import fingerprint
from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.imagenet import load_encoder

SPLIT = "split.json"


def train(
    config: CohortConfig,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: ShouldStop = lambda: False,
    *,
    run: Path,
    resume: bool = False,
) -> Outcome:
    """Train a slice-set network on a cohort, or move a trained one to it.

    Parameters
    ----------
    config
        The job. With `resume` it must be the one the run was started with.
    on_event, should_stop
        As in `training.loop.finetune`.
    run
        Directory for everything the job leaves behind: also ``split.json``, who learned, judged and is kept for tests.
    resume
        Go on from the last saved state.

    Raises
    ------
    JobFailed
        After a `Failed` event.
    """
    return run_course(
        lambda should_stop: CohortWork(config, run, should_stop, resume=resume), config, on_event, should_stop,
        directory=RunDirectory(run, CohortConfig), resume=resume,
        memory_advice=f"lower the batch (now {config.batch}) or choose a coarser grid (spacing)",
    )  # fmt: skip


class CohortWork:
    """See `training.work.Work`.

    Parameters
    ----------
    config, should_stop
        See `train`.
    folder
        Of the run, where the split is kept.
    resume
        Take the split from there instead of drawing it: the table may have changed since, and who was learned from
        must not be judged on or tested.

    Raises
    ------
    BadInput
        If the table, the labels, the network and the settings do not work together.
    Interrupted
        If `should_stop` says so while loading.
    """

    def __init__(self, config: CohortConfig, folder: Path, should_stop: ShouldStop, *, resume: bool = False) -> None:
        def check_stop() -> None:
            if should_stop():
                raise Interrupted

        check_stop()
        told = config.told
        base = open_cohort_model(config.model, label=label_told(told), **network_told(told)) if config.model else None
        if base is not None:
            config = replace(config, preparation=base.facts.preparation)
        # as tables do, whatever their columns' capitals
        kept = base.label if base is not None and base.label.name.lower() == config.label.lower() else None
        own_split = str(folder / SPLIT) if resume and (folder / SPLIT).is_file() else config.split
        self.data: CohortData = load_cohort(replace(config, split=own_split), check_stop, kept)
        if own_split == config.split:
            self.data.split.save(folder / SPLIT)
        self.settings = config if config.steps_per_epoch else replace(
            config, steps_per_epoch=-(-len(self.data.training) // config.batch)
        )  # fmt: skip
        torch.manual_seed(config.seed)  # new weights are drawn here
        self.notes: tuple[str, ...] = () if base is None else _seen_before(config, self.data.split)
        self.network_settings, self.network = self._network(base, self.data.label)
        self.base_sha256 = fingerprint(self.network.state_dict())
        self.report = strategies.apply(self.network, config.strategy, config.strategy_options)
        self.device = choose_device(config.device)
        numeric = self.data.label.task == "regression"
        self.metric = Metric("MAE", self.data.label.unit, False) if numeric else Metric("Log loss", "", False)
        self._maps: list[NDArray[np.float64]] = []  # of the last validation

    def batch_loss(self, wrapped: nn.Module, step: int, share: slice, device: torch.device) -> tuple[Tensor, int]:
        """Squared error of standardised numbers, or cross-entropy."""
        settings = self.settings
        volumes, targets = draw(
            self.data.training, batch=settings.batch, seed=settings.seed, step=step,
            augmentation=settings.augmentation, share=share,
        )  # fmt: skip
        output = wrapped(volumes.to(device)).prediction.float()
        return loss_of(output, targets.to(device), self.data.label), len(volumes)

    @torch.no_grad()
    def score(self, autocast: Autocast, should_stop: ShouldStop) -> float | None:
        """Mean absolute error in the label's unit, or mean log loss, of the validation scans."""
        self.network.eval()
        device = next(self.network.parameters()).device
        outputs, self._maps = [], []
        for volume in self.data.validation.volumes:
            if should_stop():
                return None
            with autocast():
                slices = self.network.slices_of(volume[None].float().to(device))
                codes = self.network.encoder_2d.place(self.network.encode(slices), None)
                output = self.network.head(self.network.pool(codes).embedding)
            outputs.append(output.float().cpu())
            # of what was predicted, as a viewer will show it
            asked = int(output.argmax()) if self.data.label.task == "classes" else 0
            self._maps.append(relative_weights(shares_of(self.network, codes.float(), output=asked).weights))
        return score_of(torch.cat(outputs), self.data.validation.targets, self.data.label)

    def started(self, step: int, device: str, check_stop: Callable[[], None]) -> Started:
        """With the prediction of the training scans' mean, or of their share of classes, as the baseline."""
        data, settings = self.data, self.settings
        warnings = [*self.notes, *data.warnings, *([self.report.warning] if self.report.warning else [])]
        who = f"{len(data.training)} scans to learn from, {len(data.validation)} to validate on"
        simulated = " The scans are simulated." if data.simulated else ""
        return Started(
            settings.strategy, self.report.trainable, self.report.total, settings.steps, step, device,
            baseline_of(data.training.targets, data.validation.targets, data.label),
            (f"{who}.{simulated}", *data.said), tuple(dict.fromkeys(warnings)),
            baseline_name="mean of the training scans" if data.label.task == "regression" else "share of the classes",
            first_name="pretrained" if settings.model else "untrained",
        )  # fmt: skip

    def save(self, path: Path, *, step: int, score: float | None) -> None:
        """See `cohort.model`; what was learned is merged into plain weights."""
        data, settings = self.data, self.settings
        expected = "" if score is None else f"{self.metric.text(score)} in validation ({len(data.validation)} scans)"
        mean = mean_relative(self._maps) if self._maps else _mean_in(path)
        facts = Facts(
            data.label, settings.preparation, tuple(float(weight) for weight in mean),
            f"{self.metric.name} {expected}" if expected else "", data.simulated,
            {
                # names only: a model is given away, and where its author keeps files is nobody's business
                "table": Path(settings.table).name, "strategy": settings.strategy,
                "began_as": Path(settings.model or settings.encoder_weights).name or "new weights",
                "scans": len(data.training), "seed": settings.seed, "step": step,
            },
        )  # fmt: skip
        save_cohort_model(path, self.network, self.network_settings, facts, step=str(step))

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """With what was learned from how many."""
        return {
            "strategy": self.settings.strategy,
            "model": self.settings.model,
            "label": self.data.label.as_record(),
            "scans": {"training": len(self.data.training), "validation": len(self.data.validation)},
            "simulated": self.data.simulated,
            "preparation": list(self.data.said),
            "effective": self.report.effective,
            "total": self.report.total,
            "convention": f"validation {self.metric.label} of whole subjects, none of whom was learned from",
            **outcome.as_record(),
        }

    def _network(self, base: CohortModel | None, label: Label) -> tuple[dict[str, Any], SliceSet]:
        """A new network, or the base with a new head where it is to predict something else; with its settings."""
        config = self.settings
        if base is not None and config.network:
            raise BadConfig("The network's own settings come with the model it starts from; leave them out.")
        if base is not None and base.label == label:
            self.notes += base.notes
            return dict(base.settings), base.network
        if base is not None and strategies.cohort_strategy(config.strategy).learning_rate is None:
            raise BadConfig(
                f"The network predicts '{base.label.name}', so its head for '{label.name}' is new, and nothing learns "
                f"with '{config.strategy}'; choose ft, frozen-encoder or lft."
            )
        own = config.network if base is None else base.settings
        settings = {**own, "grid": list(config.preparation.grid.shape), "outputs": label.outputs}
        # of a single scan there is nothing to normalise
        network = _built(settings | {"embedding_norm": config.embedding_norm and config.batch > 1})
        if base is not None:
            encoder = {name: t for name, t in base.network.state_dict().items() if name.startswith("encoder_2d.")}
            network.load_state_dict(encoder, strict=False)
            sentence = f"The network predicted '{base.label.name}' before: what joins its slices and predicts is new."
            self.notes += (*base.notes, sentence)
        elif config.encoder_weights:
            load_encoder(network, config.encoder_weights)
        return settings, network


def _seen_before(config: CohortConfig, split: Split) -> tuple[str, ...]:
    """Whether the network to start from, a run on the same table, learned from or was judged on those who test it."""
    run = Path(config.model)
    if not (run / SPLIT).is_file():
        return ()
    earlier = read_split(run / SPLIT)
    if Path(RunDirectory(run, CohortConfig).config().table).resolve() != Path(config.table).resolve():
        return ()
    again = [subject for subject in split.validation if subject in earlier.train]
    again += [subject for subject in split.test if subject in (*earlier.train, *earlier.validation)]
    if not again:
        return ()
    return (
        f"{run.name} has seen {len(again)} of the subjects that are to judge or test now ({some(again)}), so the "
        f"errors will look too small; take its own split, {run / SPLIT}.",
    )


def _mean_in(path: Path) -> tuple[float, ...]:
    """The mean map of the checkpoint that is about to be written again: a resumed job has not validated yet."""
    try:
        return open_cohort_model(str(path)).facts.mean_attention
    except UnreadableWeights:
        return ()


def loss_of(output: Tensor, targets: Tensor, label: Label) -> Tensor:
    """Mean loss of a batch.

    Parameters
    ----------
    output
        ``(n, outputs)``.
    targets
        ``(n,)``, see `LabelledVolumes`.
    """
    if label.task == "regression":
        return functional.mse_loss(output[:, 0], targets)
    if label.task == "binary":
        return functional.binary_cross_entropy_with_logits(output[:, 0], targets)
    return functional.cross_entropy(output, targets)


def score_of(output: Tensor, targets: Tensor, label: Label) -> float:
    """What the course steers by: MAE in the label's unit, or log loss."""
    if label.task == "regression":
        return float((output[:, 0] - targets).abs().mean()) * label.std
    return float(loss_of(output, targets, label))


def baseline_of(training: Tensor, validation: Tensor, label: Label) -> float:
    """`score_of` what needs no network: always the mean of the training scans, or always their share of classes."""
    if label.task == "regression":
        return score_of(training.mean().expand(len(validation), 1), validation, label)
    if label.task == "binary":
        share = (training.sum() + 0.5) / (len(training) + 1)  # never 0 or 1
        return score_of(torch.logit(share).expand(len(validation), 1), validation, label)
    counts = torch.bincount(training, minlength=label.outputs) + 0.5
    return score_of((counts / counts.sum()).log().expand(len(validation), -1), validation, label)


def _built(settings: dict[str, Any]) -> SliceSet:
    """A new network, its kernels in the order that convolutions like."""
    from napari_mritransfer.zoo.weights import build

    network = build("sliceset", settings)
    assert isinstance(network, SliceSet)
    return network
