"""What the "Cohort" dock shows of a finished re-use, read from its folder. No number is made here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.record import (
    MethodResult,
    PredictedScan,
    ReuseRecord,
    read_predictions,
    read_reuse,
)
from napari_mritransfer.cohort.reuse.scores import main_metric
from napari_mritransfer.io.errors import BadInput

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReuseData:
    """A finished re-use.

    Attributes
    ----------
    record
        Its results.
    lines
        Every prediction.
    """

    record: ReuseRecord
    lines: tuple[PredictedScan, ...]

    @property
    def is_number(self) -> bool:
        """Whether numbers were predicted, not classes."""
        return self.record.label.task == "regression"

    @property
    def unit(self) -> str:
        """Of the numbers, in brackets; empty where there is none."""
        return f" ({self.record.label.unit})" if self.record.label.unit else ""

    @property
    def metric(self) -> str:
        """What methods are compared by, for people."""
        name, title, _ = main_metric(self.record.label)
        return f"{title}{self.unit}" if name == "mae" else title

    def lines_of(self, result: MethodResult) -> list[PredictedScan]:
        """Its predictions, one for every scan and repeat."""
        return [one for one in self.lines if (one.method, one.size) == (result.method, result.size)]

    def score(self, result: MethodResult) -> tuple[float, tuple[float, float] | None]:
        """The main score, and its interval."""
        name = main_metric(self.record.label)[0]
        interval = result.scores[f"{name}_interval"]
        return float(result.scores[name]), None if interval is None else (float(interval[0]), float(interval[1]))

    def true_and_predicted(self, lines: Sequence[PredictedScan]) -> tuple[Numbers, Numbers]:
        """``(n,)`` each: numbers as they are; of classes the index of the true one, and the chance that it got."""
        if self.is_number:
            return np.array([float(one.true) for one in lines]), np.array([float(one.predicted) for one in lines])
        places = [self.record.label.classes.index(one.true) for one in lines]
        chances = [one.chances[place] for one, place in zip(lines, places, strict=True)]
        return np.array(places, dtype=np.float64), np.array(chances)

    def told(self, line: PredictedScan) -> str:
        """One prediction in words."""
        label, whose = self.record.label, f"{line.subject} {line.session}".strip()
        by = reuse_method(line.method).label
        if self.is_number:
            unit = f" {label.unit}" if label.unit else ""
            error = float(line.predicted) - float(line.true)
            return (
                f"{whose}: {float(line.predicted):.1f}{unit} predicted by {by}, {float(line.true):.1f} true "
                f"({error:+.1f})"
            )
        chance = line.chances[label.classes.index(line.true)]
        return f"{whose}: {line.predicted} predicted by {by}, {line.true} true (given a chance of {chance:.0%})"


def read_data(folder: Path) -> ReuseData:
    """Results and predictions. Takes a while: not for the GUI thread.

    Raises
    ------
    BadInput
        If they are not there, not complete or damaged.
    """
    data = ReuseData(read_reuse(folder), read_predictions(folder))
    try:
        counts = [len(data.true_and_predicted(data.lines_of(result))[0]) for result in data.record.results]
    except (ValueError, IndexError):
        counts = []
    if not counts or not all(counts):
        raise BadInput(f"The predictions in {folder.name} are damaged or not all there; run the re-use again.")
    return data
