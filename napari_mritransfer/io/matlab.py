"""MATLAB's .mat: level 5 (``-v6``, ``-v7``) and 7.3, which is HDF5 with the axes reversed."""

from pathlib import Path

from napari_mritransfer.io import matlab_level5
from napari_mritransfer.io.array_options import ArrayOptions, Candidate
from napari_mritransfer.io.arrays import candidate, chosen, could_be_scan, scan_of
from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.hdf5 import Hdf5File
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.io.stored_array import Transposed

_LEVEL_5, _LEVEL_73 = 0x0100, 0x0200


def read(path: Path, options: ArrayOptions) -> Scan:
    """Read one array; fields of structs are called ``data.images``.

    Raises
    ------
    AmbiguousArray
        If several arrays could be meant, or the axes cannot be told.
    UnreadableScan
        If the file is damaged, cut off, or of a version before 5.
    """
    with opened(path, compressed=False) as source:
        head = source.read(matlab_level5.HEADER_BYTES)
    version = int.from_bytes(head[124:126], "little" if head[126:128] == b"IM" else "big")
    if head[126:128] in (b"IM", b"MI") and version == _LEVEL_5:
        return _read_level_5(path, options)
    if (head[126:128] in (b"IM", b"MI") and version == _LEVEL_73) or head.startswith(b"\x89HDF"):
        return read_arrays(path, options, is_reversed=True)
    raise UnreadableScan(
        f"{path.name} does not start with the header of a MATLAB file of version 5 or later; save it again with -v7."
    )


def read_arrays(path: Path, options: ArrayOptions, *, is_reversed: bool = False) -> Scan:
    """Read one numeric dataset of an HDF5 file that follows no convention, or MATLAB's.

    Parameters
    ----------
    is_reversed
        Whether the program that wrote it counts axes from the other end.

    Raises
    ------
    AmbiguousArray, UnreadableScan
        As `read` does.
    """
    found = {
        name: Transposed(stored) if is_reversed else stored
        for name, stored in Hdf5File(path).numeric_arrays().items()
        if could_be_scan(stored.shape, stored.dtype)
    }
    name = chosen(path, [candidate(name, stored) for name, stored in found.items()], options)
    return scan_of(found[name], path, options, variable=name)


def _read_level_5(path: Path, options: ArrayOptions) -> Scan:
    variables, order = matlab_level5.variables(path)
    found = {one.name: one for one in variables if could_be_scan(one.shape, one.dtype)}
    name = chosen(path, [Candidate(one.name, one.shape, one.dtype.name) for one in found.values()], options)
    return scan_of(found[name].stored(path, order), path, options, variable=name)
