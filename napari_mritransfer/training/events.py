"""What a job tells the world while it runs: frozen values, exactly one terminal one at the end. No torch here."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from napari_mritransfer.training.metric import PSNR, Metric


@dataclass(frozen=True, slots=True)
class Started:
    """Data are loaded, the model is on its device; `step` is above 0 when a run is resumed.

    Attributes
    ----------
    baseline
        Score of what needs no network; `baseline_name` says what that is.
    sampling
        In words, the rates of each validation scan.
    metric, unit, higher_is_better
        What all scores of this job measure, see `training.metric.Metric`.
    first_name
        What the network of epoch 0 is called.
    """

    strategy: str
    trainable: int
    total: int
    steps: int
    step: int
    device: str
    baseline: float
    sampling: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metric: str = PSNR.name
    unit: str = PSNR.unit
    higher_is_better: bool = PSNR.higher_is_better
    baseline_name: str = "zero-filled"
    first_name: str = "pretrained"

    def measures(self) -> Metric:
        """The metric as one value."""
        return Metric(self.metric, self.unit, self.higher_is_better)


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step; `seconds` since the job started in this process."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """Validation; epoch 0 is the model before its first step. `score` is in the metric that `Started` told."""

    epoch: int
    step: int
    loss: float | None
    score: float
    best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The state of the job is on disk: a crash after this loses nothing before `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Terminal: the user asked; the best and the last model are in the run directory, and it can be resumed.

    `best_score` is None before the first validation; the best model is then the untouched one.
    """

    step: int
    best_step: int
    best_score: float | None


@dataclass(frozen=True, slots=True)
class Failed:
    """Terminal: one sentence on what happened and what to do; the last good checkpoint is kept."""

    reason: str
    step: int


@dataclass(frozen=True, slots=True)
class Done:
    """Terminal: all steps taken, or no improvement for `patience` epochs."""

    step: int
    best_step: int
    best_score: float
    last_score: float
    seconds: float


Event = Started | StepDone | EpochDone | Checkpointed | Stopped | Failed | Done
TERMINAL = (Stopped, Failed, Done)
_BY_NAME: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Started, StepDone, EpochDone, Checkpointed, Stopped, Failed, Done)
}
# the names of a time when every job was a reconstruction: runs of it lie on users' disks
_RENAMED = {
    "zero_filled_psnr": "baseline",
    "psnr": "score",
    "best_psnr": "best_score",
    "last_psnr": "last_score",
}


def as_record(event: Event) -> dict[str, Any]:
    """A JSON-ready dict; ``"event"`` names the kind."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def renewed(record: dict[str, Any]) -> dict[str, Any]:
    """A record of any release with today's names."""
    return {_RENAMED.get(name, name): value for name, value in record.items()}


def from_record(record: dict[str, Any]) -> Event:
    """The inverse of `as_record`; reads what earlier releases wrote, too.

    Raises
    ------
    ValueError
        If it is not the record of an event.
    """
    fields = renewed(record)
    kind = _BY_NAME.get(str(fields.pop("event", None)))
    if kind is None:
        raise ValueError(f"Not an event of a job: {record!r:.80}")
    try:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"Not a whole {kind.__name__} event: {error}") from error
