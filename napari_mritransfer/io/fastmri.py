"""FastMRI's HDF5 files: k-space slice by slice, with rows along the readout and columns along the phase encode.

References
----------
Zbontar et al.: fastMRI: An Open Dataset and Benchmarks for Accelerated MRI, 2018, arXiv:1811.08839.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.arrays import kspace_of
from napari_mritransfer.io.endings import stem
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.hdf5 import Hdf5File
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.io.mri_header import MriHeader, parsed
from napari_mritransfer.io.provenance import with_facts
from napari_mritransfer.io.scan import Origin, Scan

OWN = "napari_mritransfer_"  # our attributes: other programs pass over what they do not know
_TARGETS = ("reconstruction_rss", "reconstruction_esc")


def read(file: Hdf5File) -> Scan:
    """Read a file that holds a dataset called kspace.

    Raises
    ------
    UnreadableScan
        In one sentence, before memory is allocated.
    """
    path = file.path
    stored = file.array("kspace")
    if stored.dtype.kind != "c" or len(stored.shape) not in (3, 4) or min(stored.shape) < 1:
        raise UnreadableScan(
            f"{path.name} holds a kspace of {' x '.join(map(str, stored.shape))} in {stored.dtype.name}, not complex "
            "(slice, coil, row, column) or (slice, row, column) as fastMRI's; choose its axes as of a bare array."
        )
    is_combined = len(stored.shape) == 3
    plain = kspace_of(stored, ("slice", "y", "x") if is_combined else ("slice", "coil", "y", "x"))
    rows, columns = plain.shape[-2:]
    header = parsed(file.text("ismrmrd_header"), path.name) if file.has("ismrmrd_header") else None
    notes = []
    declared = _declared(file, (rows, columns))
    padded = _padded_columns(header, plain)
    if padded.any():
        declared = (np.ones((rows, columns), dtype=bool) if declared is None else declared) & ~padded
        notes.append(f"{int(padded.sum())} of {columns} columns were padded with zeros, not measured.")
    if is_combined:
        notes.append("This is the k-space of one coil, or of several that were combined: fastMRI does not say which.")
    matrix = None
    if header is not None:
        matrix = (min(rows, header.recon_matrix[0]), min(columns, header.recon_matrix[1]))
    targets = [name for name in _TARGETS if file.has(name)]
    if targets:
        notes.append(f"The file holds a reference reconstruction ({', '.join(targets)}).")
    filled = padded if padded.any() else None
    scan = Scan.from_kspace(
        plain.described(declared=declared, padded=filled, image_matrix=matrix),
        spacing_mm=None if header is None else _spacing_mm(header, (rows, columns)),
        phase_encode="x",
        origin=Origin.COIL_COMBINED if is_combined else Origin.RAW,
        name=stem(path),
        path=path,
        notes=notes,
    )
    facts = {key: file.attribute(f"{OWN}{key}") for key in ("origin", "phase_encode", "spacing_mm", "affine",
                                                              "image_matrix", "measured")}  # fmt: skip
    return with_facts(scan, {key: value for key, value in facts.items() if value is not None})


def reconstruction_target(path: Path) -> LazyStack | None:
    """FastMRI's reference reconstruction, lazy ``(1, slice, y, x)`` float32; None where the file holds none.

    Root sum of squares for multi-coil files; for emulated single-coil ones the emulated image comes second.

    Raises
    ------
    UnreadableScan
        If the file is damaged or stores it in a way that is refused.
    """
    file = Hdf5File(path)
    name = next((name for name in _TARGETS if file.has(name)), None)
    if name is None:
        return None
    stored = file.array(name)
    if len(stored.shape) != 3 or stored.dtype.kind != "f":
        raise UnreadableScan(f"{path.name} holds a {name} that is no stack of slices; download it again.")
    slices, rows, columns = stored.shape
    return LazyStack(
        (1, slices), (rows, columns), np.float32,
        lambda at: stored.read((at[1], slice(None), slice(None))).astype(np.float32),
    )  # fmt: skip


def _declared(file: Hdf5File, matrix: tuple[int, int]) -> NDArray[np.bool_] | None:
    if not file.has("mask"):
        return None
    dataset = file.dataset("mask")
    if dataset.shape != (matrix[1],) or dataset.dtype.kind not in "biuf":
        raise UnreadableScan(
            f"{file.path.name} holds a mask of {dataset.shape}, not one number for each of the {matrix[1]} columns of "
            "its kspace; correct it or download the file again."
        )
    with file.telling():
        lines = np.asarray(dataset[()]) != 0
    return np.repeat(lines[np.newaxis], matrix[0], axis=0)


def _padded_columns(header: MriHeader | None, kspace: KSpace) -> NDArray[np.bool_]:
    """Columns outside the steps that were encoded and zero in the middle slice: ``(kx,)`` bool."""
    columns = kspace.shape[-1]
    padded = np.zeros(columns, dtype=bool)
    if header is None or header.step_1 is None or header.encoded_matrix[1] != columns:
        return padded
    first = columns // 2 - header.step_1.centre
    outside = np.ones(columns, dtype=bool)
    outside[max(0, first + header.step_1.minimum) : max(0, first + header.step_1.maximum + 1)] = False
    if not outside.any() or outside.all():
        return padded
    middle = kspace.slice(0, kspace.shape[1] // 2)
    padded[outside] = ~np.any(middle[..., outside], axis=(0, 1))
    return padded


def _spacing_mm(header: MriHeader, matrix: tuple[int, int]) -> tuple[float, float, float]:
    """Voxel size along slice, y, x; of the encoding where it is the k-space's own, else of the reconstruction."""
    is_own = header.encoded_matrix[:2] == matrix
    lengths, voxels = (header.encoded_mm, header.encoded_matrix) if is_own else (header.recon_mm, header.recon_matrix)
    y_mm, x_mm, slice_mm = (length / n for length, n in zip(lengths, voxels, strict=True))
    return slice_mm, y_mm, x_mm
