"""The bytes of a plain or gzip-compressed file, front to back; each way they can fail is told in one sentence."""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan

_GZIP_MAGIC = b"\x1f\x8b"
_BEST_COMPRESSION = 1032  # deflate's limit: 258 bytes from a quarter of a byte; nothing announced beyond it can be true
_CHUNK = 1 << 20
_CUT_OFF = "so it was cut off while copying or its header is damaged; copy it again"
_LONGEST_SURPLUS = 64 << 20  # stop counting what follows the voxels here: a compressed tail can be endless


class ByteSource:
    """Sequential reader that never allocates more than the file could hold.

    Attributes
    ----------
    name
        The file's name, for messages.
    position
        Number of (decompressed) bytes read so far.
    capacity
        Upper bound of the (decompressed) bytes in the file.
    """

    def __init__(self, name: str, stream: BinaryIO | gzip.GzipFile, capacity: int, *, compressed: bool) -> None:
        self.name = name
        self.position = 0
        self.capacity = capacity
        self._stream = stream
        self._compressed = compressed

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end of the file.

        Raises
        ------
        UnreadableScan
            If the compressed stream is cut off or damaged, or the disk fails.
        """
        try:
            data = self._stream.read(count)
        except EOFError:
            raise UnreadableScan(
                f"{self.name} ends within its compressed data, so it was cut off while copying; copy it again."
            ) from None
        except (zlib.error, gzip.BadGzipFile):
            raise UnreadableScan(f"{self.name} holds damaged compressed data; copy or download it again.") from None
        except OSError as error:
            raise UnreadableScan(
                f"{self.name} could not be read ({_reason(error)}); check the disk and copy it again."
            ) from None
        self.position += len(data)
        return data

    def require(self, count: int) -> None:
        """Refuse, before any memory is allocated, to read `count` more bytes than the file can hold.

        Raises
        ------
        UnreadableScan
            Naming both sizes.
        """
        announced = self.position + count
        if announced <= self.capacity:
            return
        if self._compressed:
            raise UnreadableScan(
                f"{self.name} is too small to hold the {announced:,} bytes its header announces, {_CUT_OFF}."
            )
        raise UnreadableScan(
            f"{self.name} ends after {self.capacity:,} of the {announced:,} bytes its header announces, {_CUT_OFF}."
        )

    def read_array(self, count: int) -> NDArray[np.uint8]:
        """Exactly `count` bytes, ``(count,)``.

        Raises
        ------
        UnreadableScan
            If the file holds fewer.
        """
        self.require(count)
        array = np.empty(count, dtype=np.uint8)
        filled = 0
        while filled < count:
            chunk = self.read(min(_CHUNK, count - filled))
            if not chunk:
                raise UnreadableScan(
                    f"{self.name} ends after {self.position:,} of the {self.position + count - filled:,} bytes its "
                    f"header announces, {_CUT_OFF}."
                )
            array[filled : filled + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
            filled += len(chunk)
        return array

    def surplus(self) -> int:
        """Read to the end, which verifies gzip's checksum, and count the bytes on the way, up to 64 MiB of them."""
        start = self.position
        while self.position - start < _LONGEST_SURPLUS and self.read(_CHUNK):
            pass
        return self.position - start


@contextmanager
def opened(path: Path, *, compressed: bool) -> Iterator[ByteSource]:
    """Open a file whose ending says whether it is gzip-compressed.

    Raises
    ------
    UnreadableScan
        If it is missing, empty, no regular file, not permitted, or compressed when its ending says otherwise.
    """
    size = _size(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableScan(f"{path.name} cannot be opened ({_reason(error)}); check its permissions.") from None
    with file:
        is_gzip = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if compressed and not is_gzip:
            raise UnreadableScan(
                f"{path.name} is not gzip-compressed although its ending says so; drop the compression from its name "
                "(.nii, .mgh) if the content is right, or download it again."
            )
        if is_gzip and not compressed:
            raise UnreadableScan(
                f"{path.name} is gzip-compressed although its ending does not say so; rename it to .nii.gz or .mgz, or "
                "decompress it."
            )
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield ByteSource(path.name, stream, size * _BEST_COMPRESSION, compressed=True)
        else:
            yield ByteSource(path.name, file, size, compressed=False)


def unpacked_size(path: Path) -> int:
    """What a gzip file's last four bytes say of its content's size, modulo 2**32; chance where it was cut off.

    Raises
    ------
    UnreadableScan
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-min(4, _size(path)), os.SEEK_END)
            return int.from_bytes(file.read(4), "little")
    except OSError as error:
        raise UnreadableScan(f"{path.name} cannot be opened ({_reason(error)}); check its permissions.") from None


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableScan(f"{path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableScan(f"{path} cannot be read ({_reason(error)}); check the path and its permissions.") from None
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableScan(f"{path.name} is a folder; choose a file inside it.")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableScan(f"{path.name} is a device or a pipe; save its content to a file and open that.")
    if status.st_size == 0:
        raise UnreadableScan(f"{path.name} is empty (0 bytes); copy or download it again.")
    return status.st_size


def _reason(error: OSError | ValueError) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.rstrip(".").lower()
