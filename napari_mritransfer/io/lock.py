"""One process at a time works in a folder: two writers would mix up what is in it."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from napari_mritransfer.io.errors import BadInput

_NAME = ".lock"  # hidden: it is not part of what lies there


class InUse(BadInput):
    """Another process works in the folder."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others away from a folder; the system lets go of it when this process ends, however it ends.

    Raises
    ------
    InUse
        If another process has it.
    """
    path = folder / _NAME
    with path.open("a", encoding="ascii") as stream:
        try:
            _lock(stream)
        except OSError as error:
            raise InUse(f"{folder} is in use by another process; wait for it, or stop it there.") from error
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _lock(stream: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
