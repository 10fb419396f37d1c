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
    power = float(spread @ spread)
    slope = float(spread @ y) / power if power > 1e-12 * max(float(x @ x), 1e-300) else 0.0
    return Line(slope, float(y.mean()) - slope * float(x.mean()))


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
