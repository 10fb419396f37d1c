"""Does a scan show a brain where MNI152 space has it, and nothing but the brain? No torch here."""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import permutations, product
from pathlib import Path
from typing import Literal

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Prepared

Kind = Literal["fine", "no brain", "wrong orientation", "skull not removed", "not registered"]
Array = NDArray[np.float64]

SPACING_MM = 4.0
"""Of the grid that brains are compared on."""

_LEAST_ML, _MOST_ML = 500.0, 2050.0  # of everything solid: brains in MNI space have 1,100 to 1,900, heads 2,280 and more
_BETTER = 0.03  # a turned brain has to be so much more like one, in correlation, to be called turned
_FAR_MM = 12.0  # along one axis
_SMALL, _LARGE = 0.9, 1.3  # spread along an axis, relative to the one brain that this was made of
_AXES = ("left to right", "back to front", "bottom to top")
_SIDES = (("far left", "far right"), ("far back", "far forward"), ("low", "high"))
_REGISTER = "register it to MNI152 linearly, for example with FLIRT"


@dataclass(frozen=True, slots=True)
class BrainFinding:
    """What a scan shows.

    Attributes
    ----------
    kind
        "fine", or the first thing that is wrong with it.
    sentence
        What that is, and what to do.
    volume_ml
        Of everything solid.
    offset_mm
        Of its centre from where brains have it, to the patient's right, front and top.
    spread
        Its standard deviation along the same axes, relative to that of a brain.
    """

    kind: Kind
    sentence: str
    volume_ml: float
    offset_mm: tuple[float, float, float]
    spread: tuple[float, float, float]

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong."""
        return self.kind == "fine"


def check_brain(prepared: Prepared) -> BrainFinding:
    """Compare what is solid in a scan with a brain in MNI152 space.

    What can be told: no brain at all; more than a brain; a brain that lies upside down, the wrong
    way round or along other axes; a centre off by more than 12 mm, or a size that no registration would leave. What
    cannot: left and right exchanged, a turn of some degrees, a brain that was cut a little too small.

    Parameters
    ----------
    prepared
        On the common grid, at any spacing.
    """
    solid = _coarse(prepared.tissue, prepared.grid)
    volume = float(prepared.tissue.sum()) * prepared.grid.spacing_mm**3 / 1000
    centre, spread = _moments(solid)
    usual_centre, usual_spread = _moments(brain())
    offset, relative = centre - usual_centre, spread / usual_spread

    def found(kind: Kind, sentence: str) -> BrainFinding:
        return BrainFinding(kind, sentence, volume, _three(offset), _three(relative))

    if volume < _LEAST_ML:
        return found("no brain", f"Only {volume:.0f} ml of it are solid, which is no whole brain; choose another image.")
    turned = _turned(solid)
    if turned:
        return found(
            "wrong orientation",
            f"It seems to lie {turned}; correct the orientation in its header: nothing is turned here unasked.",
        )
    if volume > _MOST_ML:
        return found(
            "skull not removed",
            f"{volume:.0f} ml of it are solid, more than a brain: extract the brain first, for example with SynthStrip.",
        )
    far = int(np.abs(offset).argmax())
    if abs(offset[far]) > _FAR_MM:
        side = _SIDES[far][int(offset[far] > 0)]
        return found("not registered", f"The brain lies {abs(offset[far]):.0f} mm too {side}; {_REGISTER}.")
    odd = int(np.abs(np.log(relative)).argmax())
    if not _SMALL <= relative[odd] <= _LARGE:
        share = f"{relative[odd]:.0%}".replace("%", " %")
        return found(
            "not registered", f"From {_AXES[odd]} the brain has {share} of the size it has in MNI space; {_REGISTER}."
        )
    return found("fine", "A brain lies where MNI152 space has it.")


@lru_cache(maxsize=1)
def brain() -> Array:
    """``(i, j, k)`` share of a brain in every voxel of the 4 mm grid, of one person, made symmetric."""
    path = Path(str(resources.files("napari_mritransfer") / "resources" / "brain" / "brain.nii.gz"))
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.float64) / 255


def _three(values: Array) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _coarse(tissue: NDArray[np.bool_], grid: Grid) -> Array:
    """Share of tissue on the 4 mm grid; both grids have their first voxels' centres at one place."""
    step = SPACING_MM / grid.spacing_mm
    smooth = ndimage.gaussian_filter(tissue.astype(np.float32), step / 2.355) if step > 1 else tissue.astype(np.float32)
    places = np.meshgrid(*(step * np.arange(size) for size in Grid(SPACING_MM).shape), indexing="ij")
    return np.asarray(ndimage.map_coordinates(smooth, places, order=1), dtype=np.float64)


def _moments(solid: Array) -> tuple[Array, Array]:
    """Centre and standard deviation along world axes, mm."""
    total = solid.sum()
    if not total > 0:
        return np.full(3, np.inf), np.ones(3)
    affine = Grid(SPACING_MM).affine
    centre, spread = np.empty(3), np.empty(3)
    for axis in range(3):
        profile = solid.sum(axis=tuple(other for other in range(3) if other != axis)) / total
        world = affine[axis, 3] + affine[axis, axis] * np.arange(len(profile))
        centre[axis] = profile @ world
        spread[axis] = np.sqrt(profile @ (world - centre[axis]) ** 2)
    return centre, spread


def _turned(solid: Array) -> str:
    """How a brain seems to lie, in words; empty if it lies as it should, left and right aside."""
    reference = _centred(brain())
    mine = _centred(solid)
    likeness: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            moved = mine.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
            likeness[order, signs] = float(np.corrcoef(moved.ravel(), reference.ravel())[0, 1])
    as_it_is = max(likeness[(0, 1, 2), (sign, 1, 1)] for sign in (1, -1))
    order, signs = max(likeness, key=lambda one: likeness[one])
    if likeness[order, signs] < as_it_is + _BETTER:
        return ""
    if order != (0, 1, 2):
        swapped = [f"what should run from {_AXES[axis]} runs from {_AXES[own]}" for axis, own in enumerate(order) if axis != own]
        return f"with its axes exchanged ({swapped[0]})"
    words = {(1, -1): "upside down", (-1, 1): "back to front", (-1, -1): "upside down and back to front"}
    return words[signs[1], signs[2]]


def _centred(solid: Array) -> Array:
    """In a cube, its centre of mass in the middle, so that turns are about that."""
    side = max(solid.shape) + 8
    cube = np.zeros((side, side, side))
    starts = [(side - size) // 2 for size in solid.shape]
    cube[tuple(slice(start, start + size) for start, size in zip(starts, solid.shape, strict=True))] = solid
    middle = (side - 1) / 2
    centre = ndimage.center_of_mass(cube) if cube.any() else (middle,) * 3
    return np.asarray(ndimage.shift(cube, [middle - place for place in centre], order=1))
