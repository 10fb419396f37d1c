"""Where a scan lies on the common grid: by its affine, or by its middle where nothing aligned it to a template."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.resampling import voxel_map
from napari_mritransfer.cohort.tissue import tissue_of
from napari_mritransfer.io import Scan
from napari_mritransfer.io.axes import spacing_of
from napari_mritransfer.io.errors import BadInput, UnreadableScan
from napari_mritransfer.io.nifti_header import NiftiHeader

Placement = Literal["world", "centre"]

_LOOKED_AT_MM = 4.0  # the middle of a head needs no finer look
_FAR_MM = 50.0  # aligned heads, necks included, have their middle within 30 mm of the grid's
_MUCH = 0.2  # of the tissue beyond the grid: a neck is less
_TEMPLATES = {3: "Talairach", 4: "MNI152"}  # NIfTI's codes


def place(
    scan: Scan, volume: NDArray[np.float32], grid: Grid, placement: Placement, said: list[str]
) -> NDArray[np.float64]:
    """``(4, 4)`` from the grid's voxel indices to those of the scan's file; appends to `said` what was done.

    Parameters
    ----------
    scan
        For its geometry.
    volume
        ``(i, j, k)`` in the file's order.

    Raises
    ------
    BadInput
        If the file does not say how it lies in the patient and should be placed by that, or if it lies elsewhere.
    """
    name = scan.name or "The scan"
    if not scan.sides_known and placement == "world":
        raise BadInput(
            f"{name} does not say how it lies in the patient, so it cannot be placed by its affine; convert it again "
            "with its orientation, or use placement 'centre' and mind that left and right are a guess."
        )
    affine = affine_mm(scan)
    step = tuple(max(1, round(_LOOKED_AT_MM / size)) for size in spacing_of(affine))
    seen = np.argwhere(tissue_of(volume[:: step[0], :: step[1], :: step[2]])) * step
    if not len(seen):
        raise BadInput(f"{name} shows no tissue at all; choose another image.")
    world = seen @ affine[:3, :3].T + affine[:3, 3]
    away = world.mean(axis=0) - grid.centre_mm
    template = _template_of(scan)
    if placement == "centre" and template:
        said.append(f"The file says that it is in {template} space: it was not centred.")
    elif placement == "centre":
        affine[:3, 3] -= away
        world = world - away
        said.append(
            f"The middle of its tissue was moved by {_millimetres(-away)} mm (right, forward, up) to the middle of the "
            "grid; nothing was registered."
        )
        if not scan.sides_known:
            said.append("Nothing records which side of the patient is which: left and right are a guess.")
    elif np.linalg.norm(away) > _FAR_MM:
        said.append(
            f"The middle of its tissue lies {np.linalg.norm(away):.0f} mm from the grid's: it does not look aligned to "
            "the template, and placement 'centre' may suit it better."
        )
    _say_what_is_cut(name, world, grid, said)
    return voxel_map(affine, grid.affine)


def affine_mm(scan: Scan) -> NDArray[np.float64]:
    """``(4, 4)`` voxel-to-world of the file's (i, j, k) in mm, whatever unit the file's own affine is in."""
    affine = scan.affine.copy()
    # headers may measure in metres or micrometres; the rounding of their voxel sizes is not meant
    thousands = np.rint(np.log10(np.median(voxels_of(scan) / spacing_of(affine))) / 3)
    affine[:3] *= 1000.0**thousands
    return affine


def voxels_of(scan: Scan) -> NDArray[np.float64]:
    """``(3,)`` voxel size along the file's i, j, k in mm."""
    return np.array([scan.spacing_mm[scan.axes.permutation.index(axis)] for axis in range(3)])


def _template_of(scan: Scan) -> str:
    """Name of the template's space that the file says it is in; empty for the scanner's or none."""
    try:
        return _TEMPLATES.get(int(NiftiHeader.parse(scan.header, scan.name).fields["sform_code"]), "")
    except UnreadableScan:  # a file of another format
        return ""


def _say_what_is_cut(name: str, world: NDArray[np.float64], grid: Grid, said: list[str]) -> None:
    index = (world - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    inside = ((index > -0.5) & (index < np.array(grid.shape) - 0.5)).all(axis=1)
    cut = 1 - float(inside.mean())
    if cut == 1:
        raise BadInput(
            f"Nothing of {name} lies within the common grid, so it is not aligned to the template; align it, or use "
            "placement 'centre'."
        )
    if cut > _MUCH:
        said.append(f"{cut:.0%} of its tissue lies beyond the common grid and is cut off.")


def _millimetres(shift: NDArray[np.floating[Any]]) -> str:
    return ", ".join(f"{length:.1f}" for length in shift)
