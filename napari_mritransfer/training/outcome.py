"""What the course of a job comes to. No torch here."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mritransfer.training.metric import Metric


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of any kind of job.

    Attributes
    ----------
    run
        Its directory.
    metric
        What the scores measure.
    finished
        False if it was stopped; it can then be resumed.
    step, best_step
        Last step taken; step of the best validation, 0 if the untouched network was best.
    best_score, last_score, first_score
        Validations; NaN if stopped before the first.
    baseline
        Score of what needs no network; NaN if stopped before it was known.
    trainable
        Parameters that learned.
    seconds
        Wall time, resumed parts included.
    """

    run: Path
    metric: Metric
    finished: bool
    step: int
    best_step: int
    best_score: float
    last_score: float
    first_score: float
    baseline: float
    trainable: int
    seconds: float

    @classmethod
    def so_far(cls, run: Path, metric: Metric, curve: Sequence[tuple[int, float]], step: int) -> "Outcome":
        """Of a job that was stopped while it was loading: the validations and the saved step of its earlier parts."""
        best = metric.best_of(curve) or (0, math.nan)
        first, last = (curve[0][1], curve[-1][1]) if curve else (math.nan, math.nan)
        return cls(run, metric, False, step, best[0], best[1], last, first, math.nan, 0, 0.0)

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict without the run, since folders move; null where there is no number yet."""
        record = dataclasses.asdict(self)
        del record["run"], record["metric"]
        numbers = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
        return {
            "metric": self.metric.name, "unit": self.metric.unit, "higher_is_better": self.metric.higher_is_better,
            **numbers,
        }  # fmt: skip
