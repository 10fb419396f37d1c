"""K-space to a file like fastMRI's."""

from pathlib import Path

import h5py
import numpy as np

from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.fastmri import OWN
from napari_mritransfer.io.mri_header import Limits, MriHeader, written
from napari_mritransfer.io.provenance import facts_of
from napari_mritransfer.io.scan import Scan


def write(scan: Scan, path: Path) -> None:
    """Write ``kspace``, ``ismrmrd_header``, ``reconstruction_rss`` and, where columns are missing, ``mask``.

    Raises
    ------
    BadInput
        If the scan has no k-space, or more than the one frame that such a file has room for.
    OSError
        If the folder is missing or full.
    """
    kspace = scan.kspace_for(path)
    frames, slices, coils, rows, columns = kspace.shape
    if frames != 1:
        raise BadInput(f"fastMRI's files hold one frame, but there are {frames}; save it as .mrd or .cfl instead.")
    measured = kspace.measured()
    lines = measured.any(axis=0)
    # a mask of columns cannot tell of gaps within them, but their zeros can
    has_mask = not lines.all() and bool((measured == lines).all())
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        stored = file.create_dataset("kspace", (slices, coils, rows, columns), np.dtype("<c8"))
        target = file.create_dataset("reconstruction_rss", (slices, *kspace.image_matrix), np.dtype("<f4"))
        brightest = 0.0
        for index in range(slices):
            stored[index] = kspace.slice(0, index)
            target[index] = image = kspace.root_sum_of_squares(0, index)
            brightest = max(brightest, float(image.max(initial=0)))
        if has_mask:
            file["mask"] = lines.astype(np.float32)
        file["ismrmrd_header"] = written(_header(scan, kspace.image_matrix, (rows, columns)), coils)
        file.attrs["max"] = brightest
        told = np.broadcast_to(lines, measured.shape) if has_mask else None
        facts = facts_of(scan, measured=told)
        for key, value in facts.items():
            file.attrs[f"{OWN}{key}"] = value


def _header(scan: Scan, image: tuple[int, int], matrix: tuple[int, int]) -> MriHeader:
    slice_mm, y_mm, x_mm = scan.spacing_mm
    # x of the header is fastMRI's rows, y its columns
    return MriHeader(
        (*matrix, 1),
        (matrix[0] * y_mm, matrix[1] * x_mm, slice_mm),
        (*image, 1),
        (image[0] * y_mm, image[1] * x_mm, slice_mm),
        "cartesian",
        Limits(0, matrix[1] - 1, matrix[1] // 2),
        None,
        1,
        {},
    )
