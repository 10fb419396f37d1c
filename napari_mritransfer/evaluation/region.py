"""Which voxels count: the foreground of a reference image, head or limb without the air around it."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

FOREGROUND_RULE = (
    "above half of Otsu's threshold (intensities clipped at the 99th percentile of the non-zero voxels), "
    "opened and closed in the plane, holes filled, pieces under 1 % of the largest dropped"
)

_SMALLEST_PIECE = 0.01  # of the largest piece: keeps a second leg, drops ghosts and specks
_CLOSING = 3  # voxels; bridges the gaps that dark skull leaves, so that holes can be filled
_IN_PLANE = ndimage.generate_binary_structure(2, 1)[np.newaxis]


def foreground(reference: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mask of the object, one threshold for the whole volume.

    Half of Otsu's threshold, because Otsu's own splits the tissue: in T1-weighted heads it lies between grey matter
    and fat. Half of it still lies above Rayleigh noise in the air at the usual signal-to-noise ratios of 10 and more,
    and the opening removes what pokes through. Air that the scanner set to exactly zero needs neither.

    Parameters
    ----------
    reference
        ``(slice, y, x)`` magnitude, at least 0, any unit.

    Returns
    -------
    mask
        ``(slice, y, x)`` bool; holds at least one voxel unless `reference` is zero everywhere. A slice without
        tissue, such as the last ones above the head, may hold none.

    Raises
    ------
    ValueError
        If `reference` is complex, not three-dimensional, or holds NaN or infinity.
    """
    magnitude = as_magnitude(reference, "reference")
    nonzero = magnitude[magnitude > 0]
    if nonzero.size == 0:
        return np.zeros(magnitude.shape, dtype=bool)
    clipped = np.minimum(magnitude, np.percentile(nonzero, 99))
    above = clipped > 0.5 * threshold_otsu(clipped)
    opened = ndimage.binary_opening(above, _IN_PLANE)
    # A few scattered voxels may be all there is (a phantom of points): better those than nothing.
    mask = opened if opened.any() else above
    # The union, because closing erodes from the image border, where anatomy is often cut off.
    mask = mask | ndimage.binary_closing(mask, _IN_PLANE, iterations=_CLOSING)
    mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    return _large_pieces(mask)


def as_magnitude(image: NDArray[np.generic], name: str) -> NDArray[np.floating]:
    """`image` as floats, once it is sure that it is a ``(slice, y, x)`` stack of finite magnitudes.

    Raises
    ------
    ValueError
        If not; the text calls the image `name` and says what to pass instead.
    """
    array = np.asarray(image)
    if np.iscomplexobj(array):
        raise ValueError(f"The {name} is complex; metrics compare magnitudes. Pass np.abs(image).")
    if array.ndim != 3 or array.size == 0:
        raise ValueError(
            f"The {name} has shape {array.shape}; metrics need (slice, y, x). Give a single slice as image[None]."
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"The {name} holds NaN or infinity; look for the step that made it.")
    return array


def _large_pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes >= _SMALLEST_PIECE * sizes.max()
    keep[0] = False
    return np.asarray(keep[labels], dtype=bool)
