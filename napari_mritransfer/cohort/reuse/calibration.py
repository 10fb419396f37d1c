"""Whether predicted numbers mean what they say, and the correction that makes them look as if they did."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """``slope * x + intercept``."""

    slope: float
    intercept: float

    def at(self, x: Array) -> Array:
        """``(n,)`` values."""
        return self.slope * x + self.intercept


def line_through(x: Array, y: Array) -> Line:
    """Least squares; level where all `x` are alike.

    Parameters
    ----------
    x, y
        ``(n,)``.
    """
    spread = x - x.mean()
    slope = float(spread @ y) / float(spread @ spread) if _spreads(spread, x) else 0.0
    return Line(slope, float(y.mean()) - slope * float(x.mean()))


def line_within(x: Array, y: Array, parts: NDArray[np.intp]) -> tuple[Line | None, float | None]:
    """Least squares with one slope for all parts but each part's own level, and the correlation about these levels.

    Parameters
    ----------
    x, y
        ``(n,)``.
    parts
        ``(n,)`` which part each belongs to.

    Returns
    -------
    line
        With that slope, through the means of all; None where `x` is the same throughout every part.
    correlation
        None where either is.
    """
    across, up = _less_means(x, parts), _less_means(y, parts)
    if not _spreads(across, x):
        return None, None
    slope = float(across @ up) / float(across @ across)
    line = Line(slope, float(y.mean()) - slope * float(x.mean()))
    if not _spreads(up, y):
        return line, None
    return line, float(across @ up) / float(np.sqrt((across @ across) * (up @ up)))


def _less_means(values: Array, parts: NDArray[np.intp]) -> Array:
    _, members = np.unique(parts, return_inverse=True)
    return values - (np.bincount(members, values) / np.bincount(members))[members]


def _spreads(deviations: Array, values: Array) -> bool:
    """Whether there is more than rounding."""
    return float(deviations @ deviations) > 1e-12 * max(float(values @ values), 1e-300)


def bias_of(true: Array, predicted: Array) -> Line:
    """How the error (predicted − true) depends on the true number; of training subjects only, never of who is tested.

    Parameters
    ----------
    true, predicted
        ``(n,)`` of subjects that whoever predicted them had not learned from.
    """
    return line_through(true, predicted - true)


def corrected(predicted: Array, true: Array, bias: Line) -> Array:
    """Predictions less the error that is usual at the *true* number.

    Nobody who does not know the true number can do that, and the result looks better than any prediction could be: of
    a method that predicts the same for everybody it makes a perfect one. It belongs beside the uncorrected numbers, to
    study who deviates from what is usual at their age, and never instead of them.

    Parameters
    ----------
    predicted, true
        ``(n,)`` of the tested.
    bias
        Of the training subjects.

    References
    ----------
    Beheshti et al., NeuroImage: Clinical 2019; the warning: Butler et al., Human Brain Mapping 2021.
    """
    return predicted - bias.at(true)
