"""FreeSurfer's MGH and MGZ: read to a `Scan` whose header is the NIfTI one that `save` will write."""

from pathlib import Path

import nibabel as nib
import numpy as np

from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.endings import is_compressed, stem
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.nifti_header import new_header
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.io.voxels import read_voxels, spacing_mm, stored_note, volume_shape

_LAYOUT = nib.freesurfer.mghformat.header_dtype  # big-endian always
_VOXELS_AT = nib.freesurfer.mghformat.DATA_OFFSET
_VERSION = 1
_VOXEL_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_FOOTER_SIZE = 4  # the repetition time in ms, the only one of the optional fields that NIfTI has a place for


def read(path: Path) -> Scan:
    """Read a .mgz or .mgh file.

    The affine is rounded to float32, the precision of its parts in the file, so that NIfTI can hold it exactly.

    Raises
    ------
    UnreadableScan
        In one sentence, before memory is allocated wherever the header already gives it away.
    """
    name = path.name
    with opened(path, compressed=is_compressed(path)) as source:
        block = source.read(_VOXELS_AT)
        if len(block) < _VOXELS_AT:
            raise UnreadableScan(
                f"{name} ends within its {_VOXELS_AT}-byte header, so it was cut off; copy or download it again."
            )
        fields = np.frombuffer(block[: _LAYOUT.itemsize], dtype=_LAYOUT)[0]
        if fields["version"] != _VERSION:
            raise UnreadableScan(
                f"{name} does not start with an MGH header, so it is another kind of file or damaged; convert it with "
                "mri_convert or copy it again."
            )
        shape = volume_shape(fields["dims"], name)
        code = int(fields["type"])
        if code not in _VOXEL_TYPES:
            raise UnreadableScan(
                f"{name} stores its voxels as MGH type {code}, which is not read here; convert it to float with "
                "mri_convert."
            )
        stored = np.dtype(_VOXEL_TYPES[code])
        header = nib.freesurfer.mghformat.MGHHeader(block[: _LAYOUT.itemsize], check=False)
        with np.errstate(all="ignore"):  # absurd numbers are told by the next line, in words
            affine = np.asarray(header.get_affine(), dtype=np.float32).astype(np.float64)
        spacing, notes = spacing_mm(header["delta"], affine, name)
        voxels = read_voxels(source, shape, stored)
        footer = source.read(_FOOTER_SIZE)
        source.surplus()  # tags, and the checksum after them
    repetition_ms = float(np.frombuffer(footer, dtype=">f4")[0]) if len(footer) == _FOOTER_SIZE else 0.0
    volume = shape if shape[3] > 1 else shape[:3]
    i_mm, j_mm, k_mm = spacing
    return Scan.from_file_order(
        voxels,
        affine,
        spacing_mm=spacing,
        name=stem(path),
        path=path,
        header=new_header(volume, affine, (i_mm, j_mm, k_mm), stored=stored, repetition_s=_seconds(repetition_ms)),
        notes=notes + stored_note(stored),
    )


def _seconds(repetition_ms: float) -> float:
    """0, NIfTI's "not given", for what is no time."""
    return repetition_ms / 1000 if np.isfinite(repetition_ms) and repetition_ms > 0 else 0.0
