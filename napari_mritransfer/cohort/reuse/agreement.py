"""How far predicted and true numbers lie apart, as Bland and Altman draw it. No torch here."""

import numpy as np
from numpy.typing import NDArray

_REACH = 1.96  # standard deviations: 95 % of normal differences


def agreement(true: NDArray[np.float64], predicted: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of predicted − true, and the lower and upper limit of agreement.

    Parameters
    ----------
    true, predicted
        ``(n,)`` in the label's unit.

    References
    ----------
    Bland, Altman: Lancet 1986; 327: 307-310.
    """
    difference = predicted - true
    mean, reach = float(difference.mean()), _REACH * float(difference.std())
    return mean, mean - reach, mean + reach
