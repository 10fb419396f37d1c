"""By how much errors are magnified, so that they show and do not burn out."""

import numpy as np
from numpy.typing import NDArray

MAGNIFICATIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_PERCENTILE = 99


def magnification_for(errors: NDArray[np.floating], white: float) -> float:
    """The largest round number at which all but 1 % of the voxels stay below white.

    Parameters
    ----------
    errors
        Absolute errors of all methods that are shown together: by those of the zero-filled image alone, every trained
        network's would look black.
    white
        Upper end of the window, in the same unit.
    """
    largest = float(np.percentile(errors, _PERCENTILE))
    if largest == 0:
        return 1.0
    return float(max((number for number in MAGNIFICATIONS if number * largest <= white), default=1))
