"""NIfTI-1 and NIfTI-2, plain and gzip-compressed: read to a `Scan`, written back with the same header and order."""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.io.byte_source import ByteSource, opened, unpacked_size
from napari_mritransfer.io.endings import is_compressed, stem
from napari_mritransfer.io.nifti_header import NiftiHeader, header_for_writing, new_header, recognised
from napari_mritransfer.io.nifti_origin import saying_simulated, says_simulated
from napari_mritransfer.io.scan import Origin, Scan
from napari_mritransfer.io.voxels import read_voxels, spacing_mm, stored_note, volume_shape

_FAST = 1  # gzip level: float voxels hardly compress further, whatever the time spent


def read(path: Path) -> Scan:
    """Read a .nii or .nii.gz file.

    Raises
    ------
    UnreadableScan
        In one sentence, before memory is allocated wherever the header already gives it away.
    """
    with opened(path, compressed=is_compressed(path)) as source:
        block = _read_header(source)
        header = NiftiHeader.parse(block, path.name)
        shape = volume_shape(header.dims, path.name)
        stored = header.voxel_type(path.name)
        affine = header.affine(path.name)
        spacing, notes = spacing_mm(header.fields["pixdim"][1:4], affine, path.name, unit_mm=header.unit_mm)
        slope, inter = header.scaling(path.name)
        voxels = read_voxels(source, shape, stored, slope=slope, inter=inter)
        surplus = source.surplus()
    if header.unit_mm != 1:
        notes.append("The header does not measure in millimetres; spacings are converted, the affine is kept as it is.")
    if surplus:
        notes.append("The file goes on after the voxels its header announces; the rest is ignored.")
    origin = Origin.SIMULATED if says_simulated(block, path.name) else None
    if origin is not None:
        notes.append("The file says that its numbers are simulated.")
    return Scan.from_file_order(
        voxels,
        affine,
        spacing_mm=spacing,
        slice_axis=header.slice_axis,
        phase_axis=header.phase_axis,
        origin=origin,
        name=stem(path),
        path=path,
        header=block,
        notes=notes + stored_note(stored),
        sides_known=header.names_sides,
    )


@dataclass(frozen=True, slots=True)
class Announced:
    """What a header promises: voxels along i, j, k and frames, and whether it names the patient's sides."""

    shape: tuple[int, int, int, int]
    names_sides: bool


def announced(path: Path) -> Announced:
    """Look at a .nii or .nii.gz file without unpacking its voxels, but find out whether they are all there.

    Whether voxels are finite numbers shows only when they are read.

    Raises
    ------
    UnreadableScan
        As `read` does.
    """
    with opened(path, compressed=is_compressed(path)) as source:
        block = _read_header(source)
        header = NiftiHeader.parse(block, path.name)
        shape = volume_shape(header.dims, path.name)
        spacing_mm(header.fields["pixdim"][1:4], header.affine(path.name), path.name, unit_mm=header.unit_mm)
        n_bytes = math.prod(shape) * header.voxel_type(path.name).itemsize
        source.require(n_bytes)
    if is_compressed(path) and unpacked_size(path) != (len(block) + n_bytes) % 2**32:
        read(path)  # cut off, or something follows the voxels: only unpacking tells
    return Announced(shape, header.names_sides)


def write(scan: Scan, path: Path) -> None:
    """Write a .nii or .nii.gz file, atomically, in the order, byte order and header of the file the scan came from.

    Raises
    ------
    ValueError
        If voxels are NaN or infinite: no reader here would open the file again.
    OSError
        If the folder is missing or full.
    """
    image = np.asarray(scan.image)  # one made from k-space is computed here
    not_finite = image.size - int(np.count_nonzero(np.isfinite(image)))
    if not_finite:
        raise ValueError(
            f"{scan.name or 'The scan'} has {not_finite:,} voxels that are NaN or infinite; replace them before saving."
        )
    voxels = scan.axes.to_file(image)
    block = scan.header or new_header(
        voxels.shape, scan.affine, _file_order_spacing(scan), names_sides=scan.sides_known
    )  # fmt: skip
    block = header_for_writing(block, voxels.shape, voxels.dtype, scan.affine)
    # an image of any other origin reads as what its voxels are, magnitude or complex, never as raw
    block = saying_simulated(block, scan.origin is Origin.SIMULATED)
    stored = NiftiHeader.parse(block, path.name).voxel_type(path.name)
    slabs = voxels.astype(stored, copy=False).T
    with replacing(path) as temporary, temporary.open("wb") as file:
        if is_compressed(path):
            # No name and no time inside: the same scan gives the same bytes.
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_FAST, mtime=0) as stream:
                _write_slabs(stream, block, slabs)
        else:
            _write_slabs(file, block, slabs)


def _read_header(source: ByteSource) -> bytes:
    """The header and the extensions between it and the voxels."""
    start = source.read(4)
    size, _ = recognised(start, source.name)
    block = start + source.read(size - len(start))
    to_voxels = NiftiHeader.parse(block, source.name).voxel_offset(source.name) - size
    source.require(to_voxels)
    return block + source.read(to_voxels)


def _write_slabs(stream: BinaryIO | gzip.GzipFile, block: bytes, transposed: NDArray[Any]) -> None:
    """Slab after slab along the file's last axis: the volume is never copied whole into bytes."""
    stream.write(block)
    for slab in transposed:
        stream.write(np.ascontiguousarray(slab).data)


def _file_order_spacing(scan: Scan) -> tuple[float, float, float]:
    i, j, k = (scan.spacing_mm[scan.axes.permutation.index(axis)] for axis in range(3))
    return i, j, k
