"""What is measured of a scan to tell whether it shows a brain, and where. No torch here."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.brain_template import (
    MNI_CENTRE_MM,
    MNI_ML,
    MNI_NOD_DEG,
    MNI_SPREAD_MM,
    SPACING_MM,
    Array,
    on_template_grid,
    template,
)  # fmt: skip
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Prepared

AXES = ("left to right", "back to front", "bottom to top")
"""Of the grid, in words."""

_BETTER = 0.03  # a turned brain has to be so much more like one to be called turned
_SURE = 0.945  # and so like one: brains that nod by 30 degrees are 0.93 like one that is turned round
_BRIGHT = 0.3  # of the 90th percentile of tissue: brain and scalp, not bone and fluid
_CORE_MM, _BEYOND_MM = 6.0, 6.0
_SHELL_GRID_MM = 2.0


@dataclass(frozen=True, slots=True)
class BrainMeasures:
    """What is solid in a scan, in numbers.

    Attributes
    ----------
    volume_ml
        Of everything solid, with what it encloses.
    offset_mm
        Of its centre from that of MNI152's brain, to the patient's right, front and top.
    size
        Its standard deviation along the same axes, relative to that brain's.
    nod_deg, turn_deg
        Of its long axis against that brain's: front too high is positive, and so is front turned to the right.
    likeness
        Correlation with a brain of its volume and centre.
    turned
        In words, how it lies if it is more like a brain when turned; else empty. Left and right cannot be told.
    """

    volume_ml: float
    offset_mm: tuple[float, float, float]
    size: tuple[float, float, float]
    nod_deg: float
    turn_deg: float
    likeness: float
    turned: str

    @property
    def mean_size(self) -> float:
        """Geometric mean of the sizes along the three axes."""
        return float(np.prod(self.size) ** (1 / 3))


def measure(prepared: Prepared) -> BrainMeasures:
    """Measure what is solid in a scan on the common grid, at any spacing; something has to be."""
    solid = on_template_grid(prepared.tissue, prepared.grid)
    volume = float(prepared.tissue.sum()) * prepared.grid.spacing_mm**3 / 1000
    centre, covariance = _moments(solid)
    offset, size = centre - MNI_CENTRE_MM, np.sqrt(covariance.diagonal()) / MNI_SPREAD_MM
    likeness, turned = _turned(solid, volume)
    return BrainMeasures(
        volume, _three(offset), _three(size), _angle(covariance, 1, 2) - MNI_NOD_DEG, _angle(covariance, 1, 0),
        likeness, turned,
    )  # fmt: skip


def share_in_shell(prepared: Prepared) -> float:
    """Share of all bright voxels that lie well outside the largest bright lump.

    Scalp lies beyond bone and fluid, which are dark; all of a brain lies near its core. The lump is what is bright and
    deeper than 6 mm in it, and well outside are more than 12 mm.
    """
    step = max(1, round(_SHELL_GRID_MM / prepared.grid.spacing_mm))
    voxel_mm = step * prepared.grid.spacing_mm
    tissue = prepared.tissue[::step, ::step, ::step]
    raw = ndimage.uniform_filter(prepared.raw, step)[::step, ::step, ::step] if step > 1 else prepared.raw
    bright = tissue & (raw > _BRIGHT * np.quantile(raw[tissue], 0.9))
    lumps, count = ndimage.label(ndimage.distance_transform_edt(bright) * voxel_mm > _CORE_MM)
    if not count:
        return 1.0
    sizes = np.bincount(lumps.ravel())
    sizes[0] = 0
    away = ndimage.distance_transform_edt(lumps != sizes.argmax()) * voxel_mm
    return float((bright & (away > _CORE_MM + _BEYOND_MM)).sum() / bright.sum())


def _three(values: Array) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _moments(solid: Array) -> tuple[Array, Array]:
    """Centre ``(3,)`` in mm and covariance ``(3, 3)`` in mm² along world axes."""
    affine = Grid(SPACING_MM).affine
    weights = solid[solid > 0]
    world = np.argwhere(solid > 0) @ affine[:3, :3].T + affine[:3, 3]
    centre = np.average(world, axis=0, weights=weights)
    covariance = np.cov(world.T, aweights=weights, ddof=0)
    return np.asarray(centre), np.asarray(covariance)


def _angle(covariance: Array, along: int, towards: int) -> float:
    """Of the long axis in the plane of two world axes, in degrees."""
    twice = np.arctan2(2 * covariance[along, towards], covariance[along, along] - covariance[towards, towards])
    return float(np.degrees(twice) / 2)


def _turned(solid: Array, volume_ml: float) -> tuple[float, str]:
    """How much it is like a brain as it lies, and how it seems to lie, in words."""
    reference = _centred(template(), (volume_ml / MNI_ML) ** (1 / 3))
    mine = _centred(solid, 1.0)
    likeness: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            moved = mine.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
            likeness[order, signs] = float(np.corrcoef(moved.ravel(), reference.ravel())[0, 1])
    as_it_is = max(likeness[(0, 1, 2), (sign, 1, 1)] for sign in (1, -1))
    order, signs = max(likeness, key=lambda one: likeness[one])
    best = likeness[order, signs]
    if best < as_it_is + _BETTER or best < _SURE:
        return as_it_is, ""
    if order != (0, 1, 2):
        first = next(axis for axis, own in enumerate(order) if axis != own)
        return as_it_is, f"with its axes exchanged (what should run from {AXES[first]} runs from {AXES[order[first]]})"
    words = {(1, -1): "upside down", (-1, 1): "back to front", (-1, -1): "upside down and back to front"}
    return as_it_is, words[signs[1], signs[2]]


def _centred(solid: Array, size: float) -> NDArray[np.float32]:
    """In a cube and `size` times as large, its centre of mass in the middle, so that turns are about that."""
    side = max(solid.shape) + 9
    centre = np.array(ndimage.center_of_mass(solid))
    offset = centre - (side - 1) / 2 / size
    moved = ndimage.affine_transform(solid, np.full(3, 1 / size), offset, (side, side, side), order=1)
    return np.asarray(moved, dtype=np.float32)
