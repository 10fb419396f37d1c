"""MATLAB's level 5 files, as ``save -v6`` and ``-v7`` write them: numeric arrays and what structs hold of them.

Parsed here rather than by a library because sizes have to be checked before memory is taken, and because arrays that
are not compressed are read a slice at a time. Objects, functions and cells are passed over.

References
----------
MathWorks: MAT-File Format, R2023b, chapter 1.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.kspace import LARGEST_BYTES
from napari_mritransfer.io.stored_array import ArrayInFile, ArrayInMemory, Index, StoredArray, Transposed

HEADER_BYTES = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT_CLASS = 2
_CLASSES = dict(enumerate(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"], start=6))
_COMPLEX_FLAG = 0x08
_BEST_COMPRESSION = 1032  # deflate's limit
_PREFIX = 16 << 10  # bytes that hold the name and the lengths of an array
_MOST_PARTS = 10_000
_DEEPEST = 8


class _Damaged(Exception):
    """The bytes cannot be what their tags announce."""


class _Bytes(Protocol):
    @property
    def length(self) -> int: ...

    def take(self, start: int, count: int) -> bytes: ...

    def array(self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> StoredArray: ...


@dataclass(frozen=True, slots=True)
class _InMemory:
    data: bytes

    @property
    def length(self) -> int:
        return len(self.data)

    def take(self, start: int, count: int) -> bytes:
        if count < 0 or start + count > len(self.data):
            raise _Damaged
        return self.data[start : start + count]

    def array(self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> StoredArray:
        if start + math.prod(shape) * dtype.itemsize > len(self.data):
            raise _Damaged
        return ArrayInMemory(np.frombuffer(self.data, dtype, math.prod(shape), start).reshape(shape))


@dataclass(frozen=True, slots=True)
class _OnDisk:
    path: Path
    file: BinaryIO

    @property
    def length(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def take(self, start: int, count: int) -> bytes:
        if count < 0 or start + count > self.length:
            raise _Damaged
        self.file.seek(start)
        return self.file.read(count)

    def array(self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> StoredArray:
        return ArrayInFile(self.path, start, shape, dtype)


@dataclass(frozen=True, slots=True)
class Variable:
    """A numeric array, found but not read; `parts` (real, imaginary) are known once it is decompressed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: tuple[tuple[int, np.dtype[Any]], ...]
    where: _Bytes
    compressed: tuple[int, int] | None = None

    def stored(self, path: Path, order: str) -> StoredArray:
        """The array in MATLAB's order of axes.

        Raises
        ------
        UnreadableScan
            If it is cut off, damaged or larger than 16 GiB when it has to be decompressed.
        """
        try:
            if self.compressed is not None:
                with path.open("rb") as file:
                    disk = _OnDisk(path, file)
                    whole = _InMemory(_decompressed(disk, self.compressed, order))
                found = _numeric(whole, _tag(whole, 0, order)[2], whole.length, order, "", 0)
                if not found:
                    raise _Damaged
                return found[0].stored(path, order)
            parts = [self.where.array(start, self.shape[::-1], dtype) for start, dtype in self.parts]
        except (_Damaged, zlib.error, OSError, struct.error):
            raise damaged(path) from None
        return Transposed(parts[0] if len(parts) == 1 else _Complex(parts[0], parts[1], self.dtype))


class _Complex:
    """Real and imaginary parts that lie one after the other."""

    def __init__(self, real: StoredArray, imaginary: StoredArray, dtype: np.dtype[Any]) -> None:
        self.shape = real.shape
        self.dtype = dtype
        self._real, self._imaginary = real, imaginary

    def read(self, index: Index) -> NDArray[Any]:
        """See `StoredArray.read`."""
        real = self._real.read(index)
        found = np.empty(real.shape, self.dtype)
        found.real, found.imag = real, self._imaginary.read(index)
        return found


def damaged(path: Path) -> UnreadableScan:
    """The one sentence for all that can be wrong inside."""
    return UnreadableScan(f"{path.name} is no sound MATLAB file, or was cut off; copy it again or save it anew.")


def variables(path: Path) -> tuple[list[Variable], str]:
    """The numeric arrays of a file, fields of structs as ``data.images``, and the byte order, ``<`` or ``>``.

    Raises
    ------
    UnreadableScan
        If the file is damaged or cut off.
    """
    try:
        with path.open("rb") as file:
            disk = _OnDisk(path, file)
            order = {b"IM": "<", b"MI": ">"}.get(disk.take(HEADER_BYTES - 2, 2))
            if order is None:
                raise _Damaged
            found: list[Variable] = []
            at = HEADER_BYTES
            while at < disk.length:
                kind, count, start, after = _tag(disk, at, order)
                if start + count > disk.length or len(found) > _MOST_PARTS:
                    raise _Damaged
                if kind == _MATRIX:
                    found += _numeric(disk, start, start + count, order, "", 0)
                elif kind == _COMPRESSED:
                    found += _in_compressed(disk, (start, count), order)
                at = after if kind != _COMPRESSED else start + count  # compressed ones are not padded
    except (_Damaged, zlib.error, OSError, struct.error):
        raise damaged(path) from None
    return found, order


def _in_compressed(disk: _OnDisk, place: tuple[int, int], order: str) -> list[Variable]:
    prefix = _InMemory(_decompressed(disk, place, order, most=_PREFIX))
    kind, _, start, _ = _tag(prefix, 0, order)
    if kind != _MATRIX:
        return []
    if prefix.take(*_flags(prefix, start, order))[0 if order == "<" else 3] == _STRUCT_CLASS:
        whole = _InMemory(_decompressed(disk, place, order))
        return _numeric(whole, start, whole.length, order, "", 0)
    sketches = _numeric(prefix, start, _announced(prefix, order), order, "", 0, is_sketch=True)
    return [replace(one, compressed=place) for one in sketches]


def _announced(prefix: _Bytes, order: str) -> int:
    _, count, start, _ = _tag(prefix, 0, order)
    return start + count


def _decompressed(disk: _OnDisk, place: tuple[int, int], order: str, most: int | None = None) -> bytes:
    """A whole compressed element with its tag, or its first `most` bytes."""
    start, count = place
    if most is not None:
        return zlib.decompressobj().decompress(disk.take(start, min(count, most)), most)
    data = disk.take(start, count)
    head = _InMemory(zlib.decompressobj().decompress(data, 8))
    announced = _announced(head, order)
    if announced > min(count * _BEST_COMPRESSION, LARGEST_BYTES):
        raise _Damaged
    whole = zlib.decompressobj().decompress(data, announced)
    if len(whole) != announced:
        raise _Damaged
    return whole


def _tag(where: _Bytes, at: int, order: str) -> tuple[int, int, int, int]:
    """Type, number of bytes, where they start, and where the next element does."""
    first, second = struct.unpack(order + "II", where.take(at, 8))
    if first >> 16:  # small: the data lies within the tag
        if first >> 16 > 4:
            raise _Damaged
        return first & 0xFFFF, first >> 16, at + 4, at + 8
    return first, second, at + 8, at + 8 + second + (-second % 8)


def _flags(where: _Bytes, at: int, order: str) -> tuple[int, int]:
    """Where the array's flags lie: byte 0 of the first number is the class, byte 1 the properties."""
    _, count, start, _ = _tag(where, at, order)
    if count != 8:
        raise _Damaged
    return start, 4


def _numeric(
    where: _Bytes, at: int, end: int, order: str, prefix: str, depth: int, *, is_sketch: bool = False
) -> list[Variable]:
    """The matrix whose flags are at `at`; of a struct the numeric fields; of a sketch not where the numbers lie."""
    if at >= end or depth > _DEEPEST:  # an empty field
        return []
    (flags,) = struct.unpack(order + "I", where.take(*_flags(where, at, order)))
    _, count, start, after = _tag(where, _tag(where, at, order)[3], order)
    shape = struct.unpack(f"{order}{count // 4}i", where.take(start, count // 4 * 4))
    _, count, start, after = _tag(where, after, order)
    name = prefix + where.take(start, min(count, 256)).split(b"\0")[0].decode("ascii", errors="replace")
    kind = flags & 0xFF
    if len(shape) < 2 or len(shape) > 32 or min(shape) < 0:
        raise _Damaged
    if kind == _STRUCT_CLASS and math.prod(shape) == 1:
        return [one for part in _fields(where, after, end, order) for one in _field(where, part, order, name, depth)]
    if kind not in _CLASSES or math.prod(shape) == 0:
        return []
    is_complex = bool(flags >> 8 & _COMPLEX_FLAG)
    dtype = np.dtype(_CLASSES[kind])
    if is_complex:
        dtype = np.result_type(dtype, np.complex64)
    parts: list[tuple[int, np.dtype[Any]]] = []
    while not is_sketch and len(parts) < 1 + is_complex:
        part, after = _part(where, after, end, order, math.prod(shape))
        parts.append(part)
    return [Variable(name, tuple(shape), dtype, tuple(parts), where)]


def _part(where: _Bytes, at: int, end: int, order: str, n: int) -> tuple[tuple[int, np.dtype[Any]], int]:
    """Where `n` numbers lie and their type, and where the next element begins."""
    kind, count, start, after = _tag(where, at, order)
    if kind not in _NUMBERS:
        raise _Damaged
    dtype = np.dtype(order + _NUMBERS[kind])
    if count != n * dtype.itemsize or start + count > end:
        raise _Damaged
    return (start, dtype), after


def _fields(where: _Bytes, at: int, end: int, order: str) -> Iterator[tuple[str, int, int]]:
    _, _, start, after = _tag(where, at, order)
    (width,) = struct.unpack(order + "i", where.take(start, 4))
    _, count, start, after = _tag(where, after, order)
    if not 0 < width <= 256 or count // width > _MOST_PARTS:
        raise _Damaged
    names = where.take(start, count)
    for place in range(0, count // width * width, width):
        kind, size, start, following = _tag(where, after, order)
        if kind != _MATRIX or start + size > end:
            raise _Damaged
        yield names[place : place + width].split(b"\0")[0].decode("ascii", errors="replace"), start, start + size
        after = following


def _field(where: _Bytes, part: tuple[str, int, int], order: str, owner: str, depth: int) -> list[Variable]:
    field, start, end = part
    return _numeric(where, start, end, order, f"{owner}.{field}", depth + 1)
