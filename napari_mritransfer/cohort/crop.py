"""The middle of the common grid, which SFCN looks at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import BadInput

GRID_MM = (160, 192, 160)
"""Of 182 x 218 x 182: at 1 mm, voxels 11 to 170, 13 to 204 and 11 to 170, as published."""


def cropped_shape(spacing_mm: float) -> tuple[int, int, int]:
    """Voxels of the middle at a spacing: as many as published at 1 mm, and as long in mm at any other."""
    i, j, k = (round(length / spacing_mm) for length in GRID_MM)
    return i, j, k


def crop_of(shape: Sequence[int], wanted: Sequence[int]) -> tuple[slice, slice, slice]:
    """Where the middle of a volume lies.

    Parameters
    ----------
    shape
        Voxels that there are.
    wanted
        Voxels of the middle.

    Raises
    ------
    BadInput
        If there are fewer than wanted.
    """
    if any(there < want for there, want in zip(shape, wanted, strict=True)):
        raise BadInput(
            f"The network takes {' x '.join(map(str, wanted))} voxels, the common grid has "
            f"{' x '.join(map(str, shape))}; choose the spacing that the network learned with."
        )
    i, j, k = (
        slice((there - want) // 2, (there - want) // 2 + want) for there, want in zip(shape, wanted, strict=True)
    )
    return i, j, k


def cropped(array: NDArray[np.float32], wanted: Sequence[int]) -> NDArray[np.float32]:
    """The middle of a volume; see `crop_of`."""
    return array[crop_of(array.shape, wanted)]
