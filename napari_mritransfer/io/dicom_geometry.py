"""Where DICOM images lie: sorted along the normal of the slices, checked for gaps, and made one affine.

References
----------
DICOM PS3.3, C.7.6.2.1.1, equation C.7.6.2.1-1: pixel to patient coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.axes import is_usable
from napari_mritransfer.io.dicom_frames import told_apart
from napari_mritransfer.io.dicom_header import Plane
from napari_mritransfer.io.dicom_values import Numbers
from napari_mritransfer.io.errors import UnreadableScan

SAME_POSITION_MM = 0.01  # images nearer to each other than that are of one slice
_EVEN = 0.01  # of the distance between slices: so far from an even stack nothing is said
_NEARLY_EVEN = 0.25  # so far it is said; beyond, a voxel would be shown in its neighbour's place
_MISSING = 1.5  # times the usual distance: a slice lacks there
_UNIT = 0.01  # how far directions may be from unit vectors at right angles
_PLAUSIBLE_MM = (1e-4, 1e4)
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class Stack:
    """Images in their places.

    Attributes
    ----------
    planes
        ``[frame][slice]``, slices in the order of their positions along the normal.
    affine
        ``(4, 4)`` of (column, row, slice), RAS+ mm; None where the files do not say how they lie.
    spacing_mm
        From slice to slice, row to row, column to column; None where pixels have no size.
    notes
        What to say about it.
    """

    planes: tuple[tuple[Plane, ...], ...]
    affine: NDArray[np.float64] | None
    spacing_mm: tuple[float, float, float] | None
    notes: tuple[str, ...]


def stacked(planes: Sequence[Plane], name: str) -> Stack:
    """Sort the images of one series, whatever their files are called, and find the affine.

    Parameters
    ----------
    planes
        All of one size and direction.
    name
        Of the series, for messages.

    Raises
    ------
    UnreadableScan
        If slices are missing, repeated or unevenly spaced by more than a quarter of their distance, or nothing says
        where they lie.
    """
    first = planes[0]
    if any(plane.position is None for plane in planes) or first.directions is None:
        return _unplaced(planes, name)
    if first.spacing is None:
        raise UnreadableScan(f"{name} does not say how large its pixels are; export it again with PixelSpacing.")
    along_row, along_column = _unit_vectors(first.directions, name)
    row_mm, column_mm = first.spacing
    normal = np.cross(along_row, along_column)
    places = np.array([plane.position for plane in planes])
    depths = places @ normal
    order = np.argsort(depths, kind="stable")
    starts = np.flatnonzero(np.diff(depths[order], prepend=-np.inf) > SAME_POSITION_MM)
    slices = [[planes[index] for index in part] for part in np.split(order, starts[1:])]
    frames = told_apart(slices, name)
    notes = [*frames.notes]
    step, told = _step(frames.planes, normal, name)
    notes += told
    affine = np.eye(4)
    affine[:3, 0] = along_row * column_mm
    affine[:3, 1] = along_column * row_mm
    affine[:3, 2] = step
    affine[:3, 3] = np.array(frames.planes[0][0].position)
    ras = _LPS_TO_RAS @ affine
    if not is_usable(ras) or not all(_PLAUSIBLE_MM[0] <= one <= _PLAUSIBLE_MM[1] for one in (row_mm, column_mm)):
        raise UnreadableScan(f"{name} has pixels or slice distances of impossible size; export it again.")
    return Stack(frames.planes, ras, (float(np.linalg.norm(step)), row_mm, column_mm), tuple(notes))


def _step(
    frames: Sequence[Sequence[Plane]], normal: NDArray[np.float64], name: str
) -> tuple[NDArray[np.float64], list[str]]:
    """LPS mm from one slice to the next, ``(3,)``, and a remark where that is not the whole truth."""
    places = np.array([[plane.position for plane in planes] for planes in frames])  # one row of x, y, z a slice
    n_slices = places.shape[1]
    if n_slices == 1:
        given = frames[0][0].slice_mm
        is_given = given is not None and _PLAUSIBLE_MM[0] <= abs(given) <= _PLAUSIBLE_MM[1]
        told = [] if is_given else ["The single slice does not say how thick it is: 1 mm is assumed."]
        return normal * (abs(given) if is_given and given is not None else 1.0), told
    distances = np.diff(places[0] @ normal)
    usual = float(np.sort(distances)[(len(distances) - 1) // 2])
    gaps = np.flatnonzero(distances > _MISSING * usual)
    if len(gaps):
        n_missing = int(np.sum(np.rint(distances[gaps] / usual) - 1))
        raise UnreadableScan(
            f"{name} lacks about {n_missing} {'slice' if n_missing == 1 else 'slices'}: after slice {gaps[0] + 1} of "
            f"{n_slices} the next is {distances[gaps[0]]:.4g} mm away, elsewhere {usual:.4g} mm; copy the whole series."
        )
    step = (places[0, -1] - places[0, 0]) / (n_slices - 1)
    even = places[0, 0] + np.arange(n_slices)[:, np.newaxis] * step
    off = float(np.max(np.linalg.norm(places - even, axis=-1)))
    distance = float(np.linalg.norm(step))
    if off > _NEARLY_EVEN * distance:
        raise UnreadableScan(
            f"{name} is no even stack: some slices lie up to {off:.3g} mm from where evenly spaced ones would, at "
            f"{distance:.3g} mm from one to the next; choose a series with evenly spaced slices."
        )
    if off > _EVEN * distance:
        return step, [
            f"The slices are not quite evenly spaced: some lie up to {off:.3g} mm from where they are shown."
        ]
    return step, []


def _unit_vectors(directions: Numbers, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    along_row, along_column = np.array(directions[:3]), np.array(directions[3:])
    lengths = np.linalg.norm([along_row, along_column], axis=1)
    if not np.allclose(lengths, 1, atol=_UNIT) or abs(float(along_row @ along_column)) > _UNIT:
        raise UnreadableScan(
            f"{name} gives directions of its rows and columns that are not at right angles; export it again."
        )
    return along_row, along_column


def _unplaced(planes: Sequence[Plane], name: str) -> Stack:
    """Of one file the order is the file's own; several could be in any order."""
    if len({plane.path for plane in planes}) > 1:
        raise UnreadableScan(
            f"{name} does not say where its images lie (ImagePositionPatient), so their order is unknown; choose one "
            "of its files, or export it again."
        )
    spacing = planes[0].spacing
    is_plausible = spacing is not None and all(_PLAUSIBLE_MM[0] <= one <= _PLAUSIBLE_MM[1] for one in spacing)
    notes = ["The images of the file became frames, for it does not say where they lie."] if len(planes) > 1 else []
    slice_mm = planes[0].slice_mm or 1.0
    return Stack(
        tuple((plane,) for plane in planes),
        None,
        (abs(slice_mm), spacing[0], spacing[1]) if is_plausible and spacing is not None else None,
        tuple(notes),
    )
