"""A simulated image as a NIfTI file that says so."""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.nifti_header import NiftiHeader, new_header
from napari_mritransfer.io.nifti_origin import saying_simulated

_DESCRIPTION = b"simulated by napari-mritransfer"


def write_simulated(
    image: NDArray[np.float32],
    affine: NDArray[np.float64],
    path: Path,
    *,
    stored: Literal["int16", "uint8"] = "int16",
    level: int = 1,
) -> None:
    """Write whole numbers, gzip-compressed; the same image gives the same bytes.

    Parameters
    ----------
    image
        ``(i, j, k)``, not negative; rounded, and cut off at what the type can hold.
    affine
        ``(4, 4)`` voxel-to-world, mm.
    path
        Ending in .nii.gz; not atomic, for folders that are made as a whole.
    stored
        Type on disk.
    level
        Of the compression: 1 is fast; 9 saves a tenth.
    """
    kind, largest = np.dtype(stored), {"int16": 32767, "uint8": 255}[stored]
    x, y, z = (float(edge) for edge in np.linalg.norm(affine[:3, :3], axis=0))
    block = new_header(image.shape, affine, (x, y, z), stored=kind)
    fields = NiftiHeader.parse(block, path.name).fields.copy()
    fields["descrip"] = _DESCRIPTION
    block = saying_simulated(bytes(fields.tobytes()) + block[fields.dtype.itemsize :], True)
    voxels = np.rint(np.clip(image, 0, largest)).astype(kind.newbyteorder("<"))
    path.write_bytes(gzip.compress(block + voxels.tobytes(order="F"), level, mtime=0))
