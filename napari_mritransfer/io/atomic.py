"""Files that are either the old ones or the new ones, never half of each, whatever interrupts the writing."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_KEPT_NAME = 200  # most file systems allow names of 255 bytes, and the temporary one carries a prefix


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write to a temporary neighbour of `path`; it takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    path
        The file to write. Its folder must exist; a symbolic link stays one, and what it points to is replaced.

    Yields
    ------
    temporary
        Hidden file in the same folder with the same endings (``.nii.gz`` keeps its meaning), not yet created.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"The folder {target.parent} does not exist; create it, or save {path.name} elsewhere.")
    temporary = target.with_name(f".{secrets.token_hex(4)}-{target.name[-_LONGEST_KEPT_NAME:]}")
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, target)
    except BaseException:  # KeyboardInterrupt too: a stopped job leaves no debris
        temporary.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, and the rename is journalled anyway
        _to_disk(target.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """`Path.write_bytes`, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """`Path.write_text` in UTF-8, atomically; line ends are written as they are given."""
    write_bytes(path, text.encode("utf-8"))


def _to_disk(path: Path) -> None:
    """Without this a power cut after the rename can leave an empty file under the final name."""
    # Windows flushes writable descriptors only; a folder can be opened for reading only.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
