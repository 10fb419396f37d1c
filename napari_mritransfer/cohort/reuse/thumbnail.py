"""Three slices of a scan beside each other, with the outline of where a brain should be. No torch here."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.brain_template import SPACING_MM, template
from napari_mritransfer.cohort.grid import upright
from napari_mritransfer.cohort.preparation import Prepared
from napari_mritransfer.io.atomic import replacing

_PIXELS = (96, 116, 96)  # of 2 mm, along i, j, k: the box of the grid, 182 x 218 x 182 mm, and a margin
_PIXEL_MM = 2.0
_BRIGHT = 0.995
_OUTLINE = (255, 176, 0)
_GAP = 4


def thumbnail(prepared: Prepared, *, outline: bool) -> NDArray[np.uint8]:
    """Sagittal, coronal and axial slices through the middle of the common grid.

    Parameters
    ----------
    prepared
        On the common grid.
    outline
        Whether to draw the outline of a brain.

    Returns
    -------
    picture
        ``(row, column, 3)``. The patient's front is on the left of the first slice, and right is on the left of the
        others; up, or front, is on top.
    """
    white = float(np.quantile(prepared.raw, _BRIGHT)) or 1.0
    volume = _at(prepared.raw / np.float32(white), _PIXEL_MM / prepared.grid.spacing_mm)
    expected = _at(template().astype(np.float32), _PIXEL_MM / SPACING_MM) > 0.5 if outline else None
    parts = []
    for axis in range(3):
        grey = np.clip(upright(volume, axis, volume.shape[axis] // 2), 0, 1)
        picture = np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
        if expected is not None:
            inside = upright(expected, axis, expected.shape[axis] // 2)
            picture[inside & ~ndimage.binary_erosion(inside)] = _OUTLINE
        parts.append(picture)
    height = max(part.shape[0] for part in parts)
    framed = [np.pad(part, ((0, height - part.shape[0]), (0, _GAP), (0, 0))) for part in parts]
    return np.concatenate(framed, axis=1)[:, :-_GAP]


def save_picture(picture: NDArray[np.uint8], path: Path) -> None:
    """As PNG, in one go."""
    from matplotlib import image

    with replacing(path) as partial:
        image.imsave(partial, picture, format="png")


def _at(volume: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """Every `step`-th voxel of the volume; the first voxels of all grids have their centres at one place."""
    places = np.meshgrid(*(step * np.arange(count) for count in _PIXELS), indexing="ij")
    smooth = ndimage.gaussian_filter(volume, step / 2.355) if step > 1 else volume
    return np.asarray(ndimage.map_coordinates(smooth, places, order=1), dtype=np.float32)
