"""DICOM: a folder, or one file of a series, read to a `Scan`."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.dicom_geometry import Stack, stacked
from napari_mritransfer.io.dicom_header import DicomFile, Plane
from napari_mritransfer.io.dicom_pixels import refuse_unreadable, stored_frames
from napari_mritransfer.io.dicom_series import Group, chosen, found_at
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.nifti_header import new_header
from napari_mritransfer.io.scan import Origin, Scan
from napari_mritransfer.io.voxels import stored_note

_LARGEST_BYTES = 16 << 30  # as of every image that is loaded whole
_PHASE_AXES = {"ROW": 0, "COL": 1, "COLUMN": 1}
_NOT_MAGNITUDES = ("phase", "real part", "imaginary part")


def read(path: Path, series: str | None = None) -> Scan:
    """Read one series.

    Parameters
    ----------
    path
        A folder, with those in it; or a file, with the files beside it that are of its series.
    series
        Which one, as `SeriesChoice.candidates` calls it; needed where there are several.

    Raises
    ------
    SeriesChoice
        If several series could be meant.
    UnreadableScan
        In one sentence, before memory is allocated wherever the headers already give it away.
    """
    groups, notes = found_at(path)
    group = chosen(groups, path, series)
    for file in group.files:
        refuse_unreadable(file)
    name = f"Series {group.label} of {path.name}" if path.is_dir() else f"The series of {path.name}"
    stack = stacked(group.planes, name)
    voxels, stored = _voxels(stack.planes, {file.path: file for file in group.files}, name)
    notes = [_told(group), *_doubts(group), *stack.notes, *notes, *stored_note(stored)]
    scan = _scan(voxels, stack, group, stored, path, notes)
    return replace(scan, files=tuple(file.path for file in group.files))


def _scan(
    voxels: NDArray[np.float32], stack: Stack, group: Group, stored: np.dtype[Any], path: Path, notes: list[str]
) -> Scan:
    title = f"series {group.label}"  # not the file's name, which often is the patient's
    if stack.affine is None:
        return Scan.from_image(voxels, spacing_mm=stack.spacing_mm, name=title, path=path, notes=notes)
    n_frames, n_slices, rows, columns = voxels.shape
    shape = (columns, rows, n_slices, n_frames)[: 4 if n_frames > 1 else 3]
    slice_mm, row_mm, column_mm = stack.spacing_mm or (1.0, 1.0, 1.0)
    spacing = (column_mm, row_mm, slice_mm)
    return Scan.from_file_order(
        voxels.transpose(3, 2, 1, 0),
        stack.affine,
        spacing_mm=spacing,
        slice_axis=2,
        phase_axis=_PHASE_AXES.get(stack.planes[0][0].phase_encode),
        origin=Origin.MAGNITUDE,
        name=title,
        path=path,
        header=new_header(shape, stack.affine, spacing, stored=stored),
        notes=notes,
    )


def _voxels(
    planes: Sequence[Sequence[Plane]], files: dict[Path, DicomFile], name: str
) -> tuple[NDArray[np.float32], np.dtype[Any]]:
    """``(frame, slice, row, column)``, all finite, each image scaled by its own slope; and the type on disk."""
    shape = (len(planes), len(planes[0]), *planes[0][0].size)
    if math.prod(shape) * np.dtype(np.float32).itemsize > _LARGEST_BYTES:
        raise UnreadableScan(
            f"{name} holds {' x '.join(map(str, shape))} voxels, more than the 16 GiB that are loaded at once; choose "
            "fewer files."
        )
    voxels = np.empty(shape, np.float32)
    places: dict[Path, list[tuple[int, int]]] = {}
    for place in np.ndindex(shape[:2]):
        places.setdefault(planes[place[0]][place[1]].path, []).append((place[0], place[1]))
    stored: np.dtype[Any] = np.dtype(np.uint16)
    for path, of_file in places.items():
        wanted = [planes[frame][index] for frame, index in of_file]
        for place, plane, pixels in zip(of_file, wanted, stored_frames(files[path], wanted), strict=True):
            stored = pixels.dtype
            with np.errstate(over="ignore", invalid="ignore"):
                if (plane.slope, plane.inter) == (1, 0):
                    voxels[place] = pixels
                else:  # in double precision, because intercepts can be large
                    voxels[place] = pixels * np.float64(plane.slope) + plane.inter
            if not np.isfinite(voxels[place]).all():
                raise UnreadableScan(
                    f"{path.name} holds voxels that are NaN, infinite or beyond float32's range; export it again."
                )
    return voxels, stored


def _told(group: Group) -> str:
    """The one sentence on how the series was acquired that no person has typed into."""
    file, plane = group.first, group.planes[0]
    # echo times of several frames are told with the frames
    echoes = {one.labels.get("echo") for one in group.planes}
    numbers = [
        f"TR {plane.repetition_ms:.5g} ms" if plane.repetition_ms else "",
        f"TE {plane.labels['echo']:.4g} ms" if len(echoes) == 1 and "echo" in plane.labels else "",
        f"flip angle {plane.labels['flip']:.4g}°" if "flip" in plane.labels else "",
    ]
    parts = [file.words, group.kind, file.sequence, *numbers, file.machine]
    told = ", ".join(part for part in parts if part)
    return f"DICOM series {group.label}{': ' if told else ''}{told}."


def _doubts(group: Group) -> list[str]:
    doubts = []
    if group.kind in _NOT_MAGNITUDES:
        doubts.append(f"The files call these images {group.kind}: they are no magnitudes, whatever is made from them.")
    if group.first.modality not in ("MR", ""):
        doubts.append("The files do not say that these are MR images.")
    if any(file.photometric == "MONOCHROME1" for file in group.files):
        doubts.append("Small numbers are meant to be bright (MONOCHROME1); the numbers are kept as they are stored.")
    if any(file.is_lossy for file in group.files):
        doubts.append("The images were once compressed with loss, which changes their k-space.")
    return doubts
