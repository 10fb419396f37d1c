"""From one grid of voxels to another by their affines: copied where voxels coincide, interpolated once elsewhere."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_COINCIDE = 0.01  # of a voxel: affines are stored in float32, and registration is never that good
_FINER = 1.01  # ratio of spacings from which there is something to lose
_FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in its standard deviations


def voxel_map(source: NDArray[np.floating[Any]], target: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """``(4, 4)`` from the target's voxel indices to the source's.

    Parameters
    ----------
    source, target
        ``(4, 4)`` voxel-to-world affines in the same unit.
    """
    return np.asarray(np.linalg.solve(np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)))


def as_copy(mapping: NDArray[np.float64], shape: tuple[int, int, int]) -> NDArray[np.intp] | None:
    """The map in whole numbers where every voxel of a target of `shape` falls onto one of the source; else None.

    That is so if axes are only reordered, flipped and shifted by whole voxels, to within a hundredth of a voxel.
    """
    whole = np.rint(mapping)
    turns = np.abs(whole[:3, :3])
    if not ((turns.sum(axis=0) == 1).all() and (turns.sum(axis=1) == 1).all()):
        return None
    corners = np.array(np.meshgrid(*((0, size - 1) for size in shape), [1])).reshape(4, -1)
    is_near = np.abs((mapping - whole) @ corners).max() <= _COINCIDE
    return whole.astype(np.intp) if is_near else None


def smoothing(voxel_mm: NDArray[np.float64], grid_mm: float) -> NDArray[np.float64]:
    """Standard deviations, in source voxels along each axis, of the Gaussian that a coarser grid needs before.

    It widens a voxel of `voxel_mm` to `grid_mm` (full widths at half maximum add in squares); 0 where the source is
    as coarse already. Without it, what lies between two voxels of the grid would fold into them or be lost.
    """
    ratio = grid_mm / np.asarray(voxel_mm, dtype=np.float64)
    return np.where(ratio > _FINER, np.sqrt(np.maximum(ratio**2 - 1, 0)) / _FWHM, 0.0)


def resample(
    volume: NDArray[np.float32],
    mapping: NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    smooth: NDArray[np.float64] | None = None,
    outside: float = 0.0,
) -> NDArray[np.float32]:
    """A volume on another grid.

    Parameters
    ----------
    volume
        ``(i, j, k)`` on the source's grid.
    mapping
        ``(4, 4)`` from the target's voxel indices to the source's, see `voxel_map`.
    shape
        Of the target.
    smooth
        ``(3,)``, see `smoothing`; nothing is smoothed where voxels are copied.
    outside
        The value beyond the source.

    Returns
    -------
    resampled
        `shape`; bit for bit the source's voxels where `as_copy` says so, linearly interpolated elsewhere.
    """
    whole = as_copy(mapping, shape)
    if whole is not None:
        return _copied(volume, whole, shape, outside)
    if smooth is not None and smooth.any():
        volume = ndimage.gaussian_filter(volume, tuple(smooth), mode="nearest", truncate=3.0)
    # grid-constant: "constant" would take a whole face of the source for outside when rounding puts it at -1e-9
    moved = ndimage.affine_transform(
        volume, mapping[:3, :3], mapping[:3, 3], shape, np.float32, order=1, mode="grid-constant", cval=outside
    )
    return np.asarray(moved, dtype=np.float32)


def _copied(
    volume: NDArray[np.float32], whole: NDArray[np.intp], shape: tuple[int, int, int], outside: float
) -> NDArray[np.float32]:
    source_axes = [int(np.flatnonzero(whole[:3, target])[0]) for target in range(3)]
    taken, filled = [], []
    for target, source in enumerate(source_axes):
        index = whole[source, target] * np.arange(shape[target]) + whole[source, 3]
        inside = (index >= 0) & (index < volume.shape[source])
        taken.append(index[inside])
        filled.append(np.flatnonzero(inside))
    copy = np.full(shape, outside, dtype=np.float32)
    copy[np.ix_(*filled)] = volume.transpose(source_axes)[np.ix_(*taken)]
    return copy
