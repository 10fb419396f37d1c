"""Arrays that lie in files and are read a piece at a time, so that scrolling a large file does not grow memory."""

import math
import os
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan

Index = tuple[int | slice, ...]

_SHORTEST_READ = 64 << 10  # bytes; shorter stretches cost more in calls than in reading over what lies between


class StoredArray(Protocol):
    """An array in a file; every axis is indexed by one whole number or taken whole by ``slice(None)``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers that `read` returns."""

    def read(self, index: Index) -> NDArray[Any]:
        """A fresh array of the axes taken whole, in their order.

        Raises
        ------
        UnreadableScan
            If the file ended or changed since it was opened.
        """


class ArrayInMemory:
    """What had to be decompressed is in memory already."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype

    def read(self, index: Index) -> NDArray[Any]:
        """See `StoredArray.read`."""
        return np.array(self._array[index])


class ArrayInFile:
    """C-ordered numbers without gaps from a byte of a file onwards; read with seek, because a memory map would stay.

    Parameters
    ----------
    path
        Kept open as long as this object lives.
    offset
        Of the first number, in bytes.

    Raises
    ------
    UnreadableScan
        If the file is missing or shorter than the array.
    """

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._name = path.name
        self._offset = offset
        self._file = _opened(path)
        announced, size = offset + math.prod(shape) * dtype.itemsize, os.fstat(self._file.fileno()).st_size
        if announced > size:
            self._file.close()
            raise UnreadableScan(
                f"{path.name} ends after {size:,} of the {announced:,} bytes its header announces, so it was cut off "
                "while copying or its header is damaged; copy it again."
            )

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def read(self, index: Index) -> NDArray[Any]:
        """See `StoredArray.read`."""
        split = 1 + max((axis for axis, part in enumerate(index) if isinstance(part, int)), default=-1)
        while split > 0 and math.prod(self.shape[split:]) * self.dtype.itemsize < _SHORTEST_READ:
            split -= 1
        lead, rest = index[:split], index[split:]
        found = np.empty(
            [length for length, part in zip(self.shape, index, strict=True) if isinstance(part, slice)], self.dtype
        )
        stretch = self.shape[split:]
        whole = all(isinstance(part, slice) for part in rest)
        for position in np.ndindex(*(n for n, part in zip(self.shape, lead, strict=False) if isinstance(part, slice))):
            along = iter(position)
            at = [part if isinstance(part, int) else next(along) for part in lead]
            start = int(np.ravel_multi_index(at, self.shape[:split])) * math.prod(stretch) if lead else 0
            if whole:
                self._fill(found[position], start)
            else:
                piece = np.empty(stretch, self.dtype)
                self._fill(piece, start)
                found[position] = piece[rest]
        return found

    def _fill(self, target: NDArray[Any], start: int) -> None:
        try:
            self._file.seek(self._offset + start * self.dtype.itemsize)
            # by way of bytes: a buffer of complex numbers has a format that files do not know
            count = self._file.readinto(target.reshape(-1).view(np.uint8).data)
        except OSError as error:
            raise UnreadableScan(
                f"{self._name} could not be read ({(error.strerror or str(error)).lower()}); check the disk and copy "
                "it again."
            ) from None
        if count != target.nbytes:
            raise UnreadableScan(f"{self._name} became shorter since it was opened; open it again.")


class Transposed:
    """An array with its axes in reverse: what Fortran and MATLAB call the first, a C-ordered file keeps last."""

    def __init__(self, stored: StoredArray) -> None:
        self._stored = stored

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, reversed."""
        return self._stored.shape[::-1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return self._stored.dtype

    def read(self, index: Index) -> NDArray[Any]:
        """See `StoredArray.read`."""
        return self._stored.read(index[::-1]).T


def _opened(path: Path) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableScan(f"{path.name} cannot be opened ({reason}); check the path and its permissions.") from None
