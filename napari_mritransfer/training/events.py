"""What a job tells the world while it runs: frozen values, exactly one terminal one at the end. No torch here."""

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Started:
    """Data are loaded, the model is on its device; `step` is above 0 when a run is resumed.

    `sampling` says in words the rates of each validation scan.
    """

    strategy: str
    trainable: int
    total: int
    steps: int
    step: int
    device: str
    zero_filled_psnr: float
    sampling: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step; `seconds` since the job started in this process."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """Validation; epoch 0 is the model before its first step. `psnr` in dB, foreground, peak = volume maximum."""

    epoch: int
    step: int
    loss: float | None
    psnr: float
    best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The state of the job is on disk: a crash after this loses nothing before `step`."""

    step: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Terminal: the user asked; the best and the last model are in the run directory, and it can be resumed.

    `best_psnr` is None before the first validation; the best model is then the untouched one.
    """

    step: int
    best_step: int
    best_psnr: float | None


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
    best_psnr: float
    last_psnr: float
    seconds: float


Event = Started | StepDone | EpochDone | Checkpointed | Stopped | Failed | Done
TERMINAL = (Stopped, Failed, Done)
_BY_NAME: dict[str, type[Event]] = {
    kind.__name__: kind for kind in (Started, StepDone, EpochDone, Checkpointed, Stopped, Failed, Done)
}


def as_record(event: Event) -> dict[str, Any]:
    """A JSON-ready dict; ``"event"`` names the kind."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_record(record: dict[str, Any]) -> Event:
    """The inverse of `as_record`.

    Raises
    ------
    ValueError
        If it is not the record of an event.
    """
    fields = dict(record)
    kind = _BY_NAME.get(str(fields.pop("event", None)))
    if kind is None:
        raise ValueError(f"Not an event of a job: {record!r:.80}")
    try:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"Not a whole {kind.__name__} event: {error}") from error
