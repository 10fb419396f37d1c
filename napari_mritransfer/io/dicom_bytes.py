"""DICOM files as bytes: which files are ones, how pydicom is kept from saying or unpacking too much."""

import logging
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from napari_mritransfer.io.errors import UnreadableScan

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.uid import UID

_PREAMBLE = 128  # bytes of anything, then the word DICM
_WORD = b"DICM"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # of the first tag where both are missing
_META, _SYNTAX = b"\x02\x00", b"\x10\x00"
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")  # 32-bit lengths
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_SHORT_READ = 64 << 10
_LARGEST_DEFLATED = 1 << 30  # bytes: pydicom unpacks such a file whole, and whoever made it chooses how long it gets
_CHUNK = 1 << 20
_SILENCE = threading.RLock()  # the filters of warnings belong to the whole process


def is_dicom(path: Path) -> bool:
    """Whether a file says that it is DICOM, whatever it is called; False for what cannot be opened."""
    return _start_of(path)[_PREAMBLE:] == _WORD


def may_be_dicom(path: Path) -> bool:
    """Whether a file that does not say so begins as the content of a DICOM file does."""
    start = _start_of(path)
    return start[_PREAMBLE:] != _WORD and start[:2] in _FIRST_GROUPS


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps what pydicom logs in this thread from every handler; what others do with it is theirs."""
    here = threading.get_ident()

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != here

    logger = logging.getLogger("pydicom")
    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)


def _start_of(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe would be waited for
            return b""
        with path.open("rb") as file:
            return file.read(_PREAMBLE + len(_WORD))
    except (OSError, ValueError):
        return b""


@contextmanager
def told_as_damage(path: Path) -> Iterator[None]:
    """Whatever pydicom raises becomes one sentence, without pydicom's own words: they may quote the file.

    What it warns of and logs meanwhile is silenced for the same reason.
    """
    try:
        with _SILENCE, warnings.catch_warnings(), _unlogged():
            warnings.simplefilter("ignore")
            yield
    except (UnreadableScan, MemoryError):
        raise
    except Exception:  # damaged bytes make pydicom raise nearly anything
        raise UnreadableScan(
            f"{path.name} is a damaged DICOM file or was cut off; copy or export it again."
        ) from None


class BoundedFile(BufferedReader):
    """A file for pydicom, which asks for as many bytes as a header announces, and would be given that much memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(FileIO(path))
        self._size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, but never more than what there is."""
        if size is not None and 0 <= size <= _SHORT_READ:
            return super().read(size)
        left = max(self._size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left))


def refuse_long_deflated(path: Path) -> None:
    """Refuse a deflated file that unpacks to more than a gibibyte, without unpacking it into memory.

    Raises
    ------
    UnreadableScan
        If it does, or if its compressed data is damaged.
    """
    if not is_dicom(path):
        return
    with told_as_damage(path), path.open("rb") as file:
        start, syntax = _end_of_meta(file)
        if syntax != _DEFLATED:
            return
        file.seek(start)
        unpacker, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while piece := unpacker.unconsumed_tail or file.read(_CHUNK):
            unpacked += len(unpacker.decompress(piece, _CHUNK))
            if unpacked > _LARGEST_DEFLATED:
                raise UnreadableScan(
                    f"{path.name} unpacks to more than 1 GiB; save it uncompressed, with gdcmconv --raw."
                )
            if unpacker.eof:
                return


def _end_of_meta(file: BinaryIO) -> tuple[int, bytes]:
    """Where the file's own elements, of group 2, are over, and the transfer syntax among them."""
    syntax = b""
    file.seek(_PREAMBLE + len(_WORD))
    while True:
        start, head = file.tell(), file.read(8)
        if len(head) < 8 or head[:2] != _META:
            return start, syntax
        length = int.from_bytes(head[6:], "little")
        if head[4:6] in _LONG:
            length = int.from_bytes(file.read(4), "little")
        elif not head[4:6].isalpha():  # types are left out
            length = int.from_bytes(head[4:], "little")
        value = file.tell()
        if head[2:4] == _SYNTAX:
            syntax = file.read(min(length, 64)).rstrip(b"\0 ")
        file.seek(value + length)


def uid_of(text: str) -> "UID":
    """An identifier, without a warning that quotes it where it is none."""
    from pydicom import config
    from pydicom.uid import UID

    return UID(text, config.IGNORE)


def syntax_of(data: "Dataset") -> str:
    """The transfer syntax; of files without it the one that their bytes turned out to have."""
    from pydicom import uid

    named = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if named:
        return str(named)
    is_implicit, is_little = data.original_encoding
    if is_implicit:
        return str(uid.ImplicitVRLittleEndian)
    return str(uid.ExplicitVRLittleEndian if is_little else uid.ExplicitVRBigEndian)
