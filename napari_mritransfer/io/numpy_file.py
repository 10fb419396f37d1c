"""NumPy's .npy and .npz: plain numbers only, for an array of objects is a program."""

import math
import tokenize
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from napari_mritransfer.io.array_options import ArrayOptions, Candidate
from napari_mritransfer.io.arrays import chosen, could_be_scan, scan_of
from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.kspace import LARGEST_BYTES
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.io.stored_array import ArrayInFile, ArrayInMemory, StoredArray, Transposed

_HEADER = 16 << 10  # bytes at the start that the header has to lie in
_BEST_COMPRESSION = 1032  # deflate's limit
_MOST_MEMBERS = 10_000


def read_npy(path: Path, options: ArrayOptions) -> Scan:
    """Read a .npy file, lazily where it holds k-space.

    Raises
    ------
    UnreadableScan
        In one sentence, before memory is allocated.
    """
    with opened(path, compressed=False) as source:
        shape, is_fortran, dtype, start = _header(BytesIO(source.read(_HEADER)), path.name)
    stored = ArrayInFile(path, start, shape[::-1] if is_fortran else shape, dtype)
    return scan_of(Transposed(stored) if is_fortran else stored, path, options)


def read_npz(path: Path, options: ArrayOptions) -> Scan:
    """Read one array of a .npz file; compressed arrays are decompressed whole, up to 16 GiB.

    Raises
    ------
    AmbiguousArray
        If several of its arrays could be meant.
    UnreadableScan
        In one sentence.
    """
    with opened(path, compressed=False):
        pass
    try:
        with zipfile.ZipFile(path) as archive:
            members = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()[:_MOST_MEMBERS]
                if info.filename.endswith(".npy")
            }
            found, refused = [], None
            for name, info in members.items():
                try:
                    with archive.open(info) as file:
                        shape, _, dtype, _ = _header(BytesIO(file.read(_HEADER)), f"{name} in {path.name}")
                except UnreadableScan as error:
                    refused = error
                    continue
                if could_be_scan(shape, dtype):
                    found.append(Candidate(name, shape, dtype.name))
            if refused is not None and not found:
                raise refused
            name = chosen(path, found, options)
            stored = _member(archive, members[name], path)
    except UnreadableScan:
        raise
    # what zipfile raises for damage, for unknown compression and for passwords
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise UnreadableScan(
            f"{path.name} is no sound .npz archive, or was cut off; copy it again or save it anew."
        ) from None
    return scan_of(stored, path, options, variable=name)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> StoredArray:
    announced = info.file_size
    if announced > min(info.compress_size * _BEST_COMPRESSION, LARGEST_BYTES):
        raise UnreadableScan(
            f"{path.name} announces {announced:,} bytes for {info.filename}, more than it can hold or than the 16 GiB "
            "that are loaded at once; copy it again or split it."
        )
    with archive.open(info) as file:
        shape, is_fortran, dtype, start = _header(BytesIO(file.read(_HEADER)), info.filename)
        n_bytes = math.prod(shape) * dtype.itemsize
        if start + n_bytes > announced:
            raise UnreadableScan(
                f"{path.name} ends after {announced:,} of the {start + n_bytes:,} bytes that {info.filename} "
                "announces; copy it again."
            )
        file.seek(start)
        array = np.empty(math.prod(shape), dtype)
        into = array.view(np.uint8)
        filled = 0
        while filled < n_bytes:
            piece = file.read(min(1 << 20, n_bytes - filled))
            if not piece:
                raise EOFError
            into[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
            filled += len(piece)
    return ArrayInMemory(array.reshape(shape, order="F" if is_fortran else "C"))


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, whether in Fortran order, type, and the byte where the numbers begin."""
    try:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        # version 3 differs from 2 by field names in Unicode, which plain numbers have none of
        shape, is_fortran, dtype = readers[version](file, max_header_size=_HEADER)
        sizes = tuple(int(length) for length in shape)
    except (ValueError, KeyError, TypeError, SyntaxError, EOFError, OverflowError, RecursionError, MemoryError,
            AttributeError, IndexError, UnicodeError, tokenize.TokenError):  # fmt: skip
        raise UnreadableScan(
            f"{name} does not start with NumPy's header, or with a damaged one; copy it again or save it anew."
        ) from None
    if dtype.hasobject:
        raise UnreadableScan(
            f"{name} holds Python objects, which could run a program when opened; save it as a plain array."
        )
    if dtype.kind not in "biufc" or dtype.itemsize > 16 or len(sizes) > 32 or min(sizes, default=0) < 1:
        raise UnreadableScan(f"{name} holds {dtype} of shape {sizes}; save it as a plain array of numbers.")
    return sizes, bool(is_fortran), dtype, file.tell()
