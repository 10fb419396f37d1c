"""DICOM files as bytes: which files are ones, how pydicom is kept from saying or unpacking too much."""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mritransfer.io.errors import UnreadableScan

if TYPE_CHECKING:
    from pydicom import Dataset

_PREAMBLE = 128  # bytes of anything, then the word DICM
_WORD = b"DICM"
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # of the first tag where both are missing
_LARGEST_DEFLATED = 1 << 30  # bytes: pydicom unpacks such a file whole, and whoever made it chooses how long it gets
_CHUNK = 1 << 20


def is_dicom(path: Path) -> bool:
    """Whether a file says that it is DICOM, whatever it is called; False for what cannot be opened."""
    return _start_of(path)[_PREAMBLE:] == _WORD


def may_be_dicom(path: Path) -> bool:
    """Whether a file that does not say so begins as the content of a DICOM file does."""
    start = _start_of(path)
    return start[_PREAMBLE:] != _WORD and start[:2] in _FIRST_GROUPS


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

    Its warnings are silenced for the same reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (UnreadableScan, MemoryError):
        raise
    except Exception:  # damaged bytes make pydicom raise nearly anything
        raise UnreadableScan(
            f"{path.name} is a damaged DICOM file or was cut off; copy or export it again."
        ) from None


def refuse_long_deflated(path: Path) -> None:
    """Refuse a deflated file that unpacks to more than a gibibyte, without unpacking it into memory.

    Raises
    ------
    UnreadableScan
        If it does, or if its compressed data is damaged.
    """
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with told_as_damage(path):
        if not is_dicom(path):
            return
        meta = read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        with path.open("rb") as file:
            # preamble, DICM, and the group's length element with its value
            file.seek(_PREAMBLE + len(_WORD) + 12 + int(meta.FileMetaInformationGroupLength))
            unpacker, unpacked = zlib.decompressobj(-zlib.MAX_WBITS), 0
            while piece := unpacker.unconsumed_tail or file.read(_CHUNK):
                unpacked += len(unpacker.decompress(piece, _CHUNK))
                if unpacked > _LARGEST_DEFLATED:
                    raise UnreadableScan(
                        f"{path.name} unpacks to more than 1 GiB; save it uncompressed, with gdcmconv --raw."
                    )


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
