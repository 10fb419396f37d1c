"""Where MNI152 space has a brain, coarsely; the reference of checks and outlines. No torch here."""

from functools import lru_cache
from importlib import resources
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.grid import Grid

Array = NDArray[np.float64]

SPACING_MM = 4.0
"""Of the grid that brains are compared on."""

MNI_ML = 1887.0
"""Volume of the brain of MNI152 (ICBM 2009a, nonlinear, symmetric); FSL's mask of its template has 1,828 ml."""

MNI_CENTRE_MM = (0.0, -22.1, 9.5)
"""Its centre of mass in world coordinates: right, front, top."""

MNI_SPREAD_MM = (33.5, 40.7, 31.5)
"""Its standard deviation along the same axes."""

MNI_NOD_DEG = 10.2
"""By how much its long axis rises towards the front."""


@lru_cache(maxsize=1)
def template() -> Array:
    """``(i, j, k)`` share of a brain in every voxel of the 4 mm grid.

    Of one person, made symmetric and stretched along each axis to the centre and spread of MNI152's brain.
    """
    path = Path(str(resources.files("napari_mritransfer") / "resources" / "brain" / "brain.nii.gz"))
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.float64) / 255


def on_template_grid(tissue: NDArray[np.bool_], grid: Grid) -> Array:
    """``(i, j, k)`` share of tissue on the 4 mm grid, of a mask on any other.

    All grids have the centres of their first voxels at one place.
    """
    step = SPACING_MM / grid.spacing_mm
    share = tissue.astype(np.float32)
    if step > 1:
        share = ndimage.gaussian_filter(share, step / 2.355)  # a full width at half maximum of one voxel
    places = np.meshgrid(*(step * np.arange(size) for size in Grid(SPACING_MM).shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(share, places, order=1), dtype=np.float64)


def template_at(grid: Grid) -> NDArray[np.float32]:
    """The `template` on another grid."""
    step = grid.spacing_mm / SPACING_MM
    places = np.meshgrid(*(step * np.arange(size) for size in grid.shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(template(), places, order=1, mode="nearest"), dtype=np.float32)
