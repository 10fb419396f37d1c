"""The part around DC that was measured without a gap. NumPy only."""

import numpy as np
from numpy.typing import NDArray

# Sensitivities vary slowly: samples farther than 12 from DC tell more about the object than about the coils
WIDEST_CALIBRATION = 24


def whole_centre(plane: NDArray[np.bool_]) -> tuple[int, int]:
    """Size of a fully sampled rectangle around DC: the one whose shorter side is longest, up to what coil maps can use.

    Of those the largest. A long thin one, such as a spoke along an axis, tells nothing across.

    Parameters
    ----------
    plane
        ``(ky, kx)`` bool, True where measured, DC at ``n // 2``.

    Returns
    -------
    rows, columns
        It covers ``n // 2 - size // 2`` up to ``size`` more along each axis; both 0 where DC was not measured.
    """
    sizes = _whole_rectangles(plane)
    return max(sizes, key=lambda size: (min(*size, WIDEST_CALIBRATION), size[0] * size[1]), default=(0, 0))


def _whole_rectangles(plane: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The widest of every height."""
    n_rows, n_columns = plane.shape
    sizes = []
    for rows in range(1, n_rows + 1):
        top = n_rows // 2 - rows // 2
        full = plane[top : top + rows].all(axis=0)
        gaps = np.flatnonzero(~full) - n_columns // 2
        # n samples reach from -(n // 2) to n - 1 - n // 2 about DC
        below = -gaps[gaps <= 0].max(initial=-(n_columns // 2) - 1) - 1
        above = gaps[gaps >= 0].min(initial=n_columns - n_columns // 2) - 1
        if above < 0 or below < 0:
            break
        sizes.append((rows, int(2 * below + 1 if above >= below else 2 * above + 2)))
    return sizes
