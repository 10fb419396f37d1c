"""What a fine-tuning job comes to."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mritransfer.training.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a job.

    Attributes
    ----------
    run
        Its directory.
    finished
        False if it was stopped; it can then be resumed.
    step, best_step
        Last step taken; step of the best validation, 0 if no transfer was best.
    best_psnr, last_psnr, pretrained_psnr, zero_filled_psnr
        Validation, dB, foreground, peak = maximum of the validation slices of a scan; NaN if stopped before the first.
    trainable
        Parameters that learned.
    seconds
        Wall time, resumed parts included.
    """

    run: Path
    finished: bool
    step: int
    best_step: int
    best_psnr: float
    last_psnr: float
    pretrained_psnr: float
    zero_filled_psnr: float
    trainable: int
    seconds: float

    @classmethod
    def of(cls, outcome: Outcome) -> "Result":
        """The same with the names of a reconstruction."""
        return cls(
            outcome.run, outcome.finished, outcome.step, outcome.best_step, outcome.best_score, outcome.last_score,
            outcome.first_score, outcome.baseline, outcome.trainable, outcome.seconds,
        )  # fmt: skip

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; null where there is no number yet."""
        record = dataclasses.asdict(self) | {"run": str(self.run)}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
