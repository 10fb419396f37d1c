"""One process at a time works on a run: two writers would mix up its state."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from napari_mritransfer.training.config import BadConfig

_NAME = ".lock"  # hidden: it is not part of the run


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others away from a run directory; the system lets go of it when this process ends, however it ends.

    Raises
    ------
    BadConfig
        If another process has it.
    """
    path = folder / _NAME
    with path.open("a", encoding="ascii") as stream:
        try:
            _lock(stream)
        except OSError as error:
            raise BadConfig(f"{folder} is in use by another process; wait for it, or stop it there.") from error
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
