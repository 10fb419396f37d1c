"""Which voxels show a person and which show air."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_DARK = 0.1  # of the 99.9th percentile, as `training.slices` tells slices that show something
_SPECK = 0.05  # of the largest piece: noise and wrap-around make many small ones


def background_of(volume: NDArray[np.floating[Any]]) -> float:
    """What air reads: 0 of a magnitude image; the median of the volume's faces where some voxels are negative.

    Such a volume has been normalised before, and its air lies somewhere below the tissue.
    """
    if volume.min() >= 0:
        return 0.0
    faces = [face.ravel() for axis in range(3) for face in (volume.take(0, axis), volume.take(-1, axis))]
    return float(np.median(np.concatenate(faces)))


def tissue_of(volume: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """``(i, j, k)``, True in everything solid and what it encloses; nowhere if all voxels are alike.

    Voxels above 10 % of the 99.9th percentile (both above air), without pieces smaller than 5 % of the largest, with
    holes filled that no air reaches from the volume's faces.
    """
    air = background_of(volume)
    bright = float(np.quantile(volume, 0.999)) - air
    if not bright > 0:  # a few bright voxels in air
        bright = float(volume.max()) - air
    solid = volume - air > _DARK * bright
    if not bright > 0 or not solid.any():
        return np.zeros(volume.shape, dtype=bool)
    pieces, _ = ndimage.label(solid)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    body = (sizes >= _SPECK * sizes.max())[pieces]
    body &= pieces > 0
    gaps, _ = ndimage.label(~body)
    open_gaps = np.zeros(gaps.max() + 1, dtype=bool)
    for axis in range(3):
        for end in (0, -1):
            open_gaps[np.unique(gaps.take(end, axis))] = True
    open_gaps[0] = False  # 0 is the body itself
    return np.asarray(~open_gaps[gaps])
