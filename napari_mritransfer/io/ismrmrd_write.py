"""K-space to ISMRMRD: one acquisition for every measured line."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.ismrmrd_file import KEPT, OWN
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.mri_header import Limits, MriHeader, written
from napari_mritransfer.io.provenance import facts_of
from napari_mritransfer.io.scan import Scan

_LARGEST = (1 << 16) - 1  # counters are 16 bits wide
_FIRST_IN_SLICE, _LAST_IN_SLICE, _LAST = 1 << 6, 1 << 7, 1 << 24
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write(scan: Scan, path: Path) -> None:
    """Write every line that was measured, frames as repetitions, with geometry where the scan knows its sides.

    Lines run along y of the scan, or along x where that is its phase encode.

    Raises
    ------
    BadInput
        If the scan has no k-space or nothing was measured, or an axis is longer than the 65,535 that ISMRMRD counts to.
    OSError
        If the folder is missing or full.
    """
    from ismrmrd.hdf5 import acquisition_dtype

    kspace = scan.kspace_for(path)
    if max(kspace.shape) > _LARGEST:
        raise BadInput(f"ISMRMRD counts to 65,535, but the k-space is {kspace.shape}; save it as .cfl or .h5 instead.")
    frames, slices, coils, _, _ = kspace.shape
    is_transposed = scan.phase_encode == "x"
    measured = kspace.measured().T if is_transposed else kspace.measured()
    lines = np.flatnonzero(measured.any(axis=1))
    if lines.size == 0:
        raise BadInput(f"{scan.name or 'The scan'} is zero everywhere: ISMRMRD has no line to store; save it as .h5.")
    n_lines = len(lines)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        group = file.create_group("dataset")
        text = group.create_dataset("xml", (1,), dtype=h5py.special_dtype(vlen=bytes))
        text[0] = written(_header(scan, kspace, is_transposed=is_transposed), coils)
        data = group.create_dataset(
            "data", (frames * slices * n_lines,), acquisition_dtype, maxshape=(None,), chunks=(max(1, n_lines),)
        )
        for place, (frame, index) in enumerate(np.ndindex(frames, slices)):
            plane = kspace.slice(frame, index)
            ordered = plane.swapaxes(-2, -1) if is_transposed else plane
            block = np.zeros(n_lines, acquisition_dtype)
            block["head"] = _heads(scan, ordered, lines, (frame, index), is_transposed=is_transposed)
            for line, ky in enumerate(lines):
                block["data"][line] = np.ascontiguousarray(ordered[:, ky], dtype="<c8").view(np.float32).ravel()
                block["traj"][line] = np.zeros(0, np.float32)
            if place == frames * slices - 1 and n_lines:
                block["head"]["flags"][-1] |= _LAST
            data[place * n_lines : (place + 1) * n_lines] = block


def _header(scan: Scan, kspace: KSpace, *, is_transposed: bool) -> MriHeader:
    slice_mm, y_mm, x_mm = scan.spacing_mm
    (n_y, n_x), (rows, columns) = kspace.shape[-2:], kspace.image_matrix
    if is_transposed:
        n_y, n_x, rows, columns, y_mm, x_mm = n_x, n_y, columns, rows, x_mm, y_mm
    measured = kspace.measured()
    whole_lines = np.broadcast_to(measured.any(axis=0 if is_transposed else 1, keepdims=True), measured.shape)
    facts = facts_of(scan, measured=whole_lines)
    strings = {f"{OWN}{key}": value for key, value in facts.items()}
    if columns < n_x:
        strings[f"{OWN}{KEPT}"] = "yes"  # read back as it is, not as a scanner's file
    return MriHeader(
        (n_x, n_y, 1),
        (n_x * x_mm, n_y * y_mm, slice_mm),
        (columns, rows, 1),
        (columns * x_mm, rows * y_mm, slice_mm),
        "cartesian",
        Limits(0, n_y - 1, n_y // 2),
        Limits(0, 0, 0),
        1,
        strings,
    )


def _heads(
    scan: Scan, plane: NDArray[np.complex64], lines: NDArray[np.intp], place: tuple[int, int], *, is_transposed: bool
) -> NDArray[Any]:
    from ismrmrd.hdf5 import acquisition_header_dtype

    coils, _, n_x = plane.shape
    frame, index = place
    heads = np.zeros(len(lines), acquisition_header_dtype)
    heads["version"] = 1
    heads["scan_counter"] = np.arange(len(lines))
    heads["number_of_samples"] = n_x
    heads["available_channels"] = heads["active_channels"] = coils
    heads["center_sample"] = n_x // 2
    heads["idx"]["kspace_encode_step_1"] = lines
    heads["idx"]["slice"] = index
    heads["idx"]["repetition"] = frame
    if len(lines):
        heads["flags"][0] |= _FIRST_IN_SLICE
        heads["flags"][-1] |= _LAST_IN_SLICE
    if scan.sides_known:
        axes = scan.affine[:3, :3] * _RAS_TO_LPS[:, np.newaxis]
        directions = axes / np.linalg.norm(axes, axis=0)
        rows, columns = scan.image.shape[-2:]
        centre = scan.affine @ [columns // 2, rows // 2, index, 1]
        heads["position"] = centre[:3] * _RAS_TO_LPS
        along = ("phase_dir", "read_dir") if is_transposed else ("read_dir", "phase_dir")
        for key, axis in zip((*along, "slice_dir"), directions.T, strict=True):
            heads[key] = axis
    return heads
