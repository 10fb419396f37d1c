"""What a scan holds, as facts that print and that JSON takes."""

from typing import Any

import numpy as np

from napari_mritransfer.io import endings
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.nifti_header import NiftiHeader
from napari_mritransfer.io.scan import Scan

_NAMES = {
    ".h5": "HDF5", ".hdf5": "HDF5", ".mrd": "ISMRMRD", ".cfl": "BART", ".hdr": "BART", ".npy": "NumPy", ".npz": "NumPy",
    ".mat": "MATLAB",
}  # fmt: skip
_AXIS_NAMES = ("frame", "slice", "y", "x")


def describe(scan: Scan) -> dict[str, object]:
    """Facts of a scan, in the order a person asks for them.

    Returns
    -------
    facts
        JSON-ready: strings, finite numbers, lists, dicts of those, None where unknown. Lengths per axis are dicts with
        the keys ``slice``, ``y`` and ``x``; the value range of a complex image is that of its magnitude. Of a scan with
        k-space the range and the share of zeros are those of the middle slice (`values_of` says so), for the whole may
        be far larger than memory.
    """
    shape = dict(zip(_AXIS_NAMES, scan.image.shape, strict=True))
    spacing = dict(zip(_AXIS_NAMES[1:], scan.spacing_mm, strict=True))
    looked_at = np.asarray(scan.image[:1, shape["slice"] // 2] if scan.kspace else scan.image)
    magnitude = np.abs(looked_at) if np.iscomplexobj(looked_at) else looked_at
    i, j, k = (_AXIS_NAMES[1 + scan.axes.permutation.index(axis)] for axis in range(3))
    return {
        "file": str(scan.path) if scan.path else scan.name,
        "format": _format(scan),
        "shape": shape,
        "spacing_mm": {axis: _rounded(length) for axis, length in spacing.items()},
        "field_of_view_mm": {axis: _rounded(length * shape[axis]) for axis, length in spacing.items()},
        "orientation": scan.orientation,
        "directions": dict(zip(_AXIS_NAMES[1:], scan.axes.directions, strict=True)),
        "obliquity_deg": _rounded(scan.axes.obliquity_deg, 2),
        "file_order": {"axes": [i, j, k], "codes": scan.axes.codes},
        "phase_encode": scan.phase_encode,
        "stored_type": _stored_type(scan),
        "type": str(scan.image.dtype),
        "range": [float(magnitude.min(initial=np.inf)), float(magnitude.max(initial=-np.inf))],
        "values_of": "the middle slice" if scan.kspace else "all voxels",
        "zero_share": _rounded(1 - np.count_nonzero(magnitude) / max(magnitude.size, 1), 4),
        "kspace": None if scan.kspace is None else _kspace(scan.kspace),
        "origin": str(scan.origin),
        "notes": list(scan.notes),
    }


def _kspace(kspace: KSpace) -> dict[str, object]:
    rows, columns = kspace.shape[-2:]
    measured = kspace.measured()
    return {
        "coils": kspace.n_coils,
        "matrix": {"ky": rows, "kx": columns},
        "measured_share": _rounded(measured.mean(), 4),
        "measured_rows": int(measured.any(axis=1).sum()),
        "measured_columns": int(measured.any(axis=0).sum()),
        "megabytes": _rounded(kspace.nbytes / 1e6, 1),
    }


def _format(scan: Scan) -> str | None:
    if scan.path is None:
        return None
    ending = endings.ending(scan.path)
    if ending in endings.MGH:
        return ending[1:].upper()
    if scan.header and ending in endings.NIFTI:
        version = NiftiHeader.parse(scan.header, scan.name).version
        return f"NIfTI-{version}" + (", gzip-compressed" if endings.is_compressed(scan.path) else "")
    if ending in endings.DICOM or ending not in endings.KNOWN:  # a folder, or a file that said so inside
        return "DICOM"
    return _NAMES.get(ending, ending[1:])


def _stored_type(scan: Scan) -> str | None:
    if not scan.header:
        return None
    return NiftiHeader.parse(scan.header, scan.name).voxel_type(scan.name).name


def _rounded(value: Any, digits: int = 3) -> float:
    return round(float(value), digits)
