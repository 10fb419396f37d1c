"""What a job comes to."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    def so_far(cls, run: Path, curve: Sequence[tuple[int, float]], step: int) -> "Result":
        """Of a job that was stopped while it was loading: the validations and the saved step of its earlier parts."""
        nothing = (0, math.nan)
        best = max(curve, key=lambda point: point[1], default=nothing)
        first, last = (curve[0], curve[-1]) if curve else (nothing, nothing)
        return cls(run, False, step, best[0], best[1], last[1], first[1], math.nan, 0, 0.0)

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; null where there is no number yet."""
        record = dataclasses.asdict(self) | {"run": str(self.run)}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
