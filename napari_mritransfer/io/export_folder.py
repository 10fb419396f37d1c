"""Folders that people asked results to be copied to: complete or not at all, and never on top of anybody's files."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput

MARKER = ".mritransfer-export"  # names what an export wrote, so that the next one knows what it may replace
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers leave them in folders that were only looked at


@contextmanager
def exporting(to: Path) -> Iterator[Path]:
    """Fill a new folder beside `to`; it takes the place of `to` when the block ends without an error.

    Parameters
    ----------
    to
        New or empty folder, or that of an earlier export, which is replaced.

    Yields
    ------
    partial
        The folder to write into.

    Raises
    ------
    BadInput
        If `to` holds other files or is not accessible.
    """
    _refuse_other_files(to)
    with _replacing_folder(to) as partial:
        yield partial
        names = sorted(path.name for path in partial.iterdir())
        write_text(partial / MARKER, json.dumps({"files": names}, indent=2))
        _refuse_other_files(to)  # again: writing took a while, and what lies there now is about to go


def _refuse_other_files(folder: Path) -> None:
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise BadInput(f"{folder} is a file; choose a folder to export to.")
        there = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise BadInput(f"{folder} cannot be read ({error.strerror}); choose another folder to export to.") from error
    try:
        ours = {MARKER, *json.loads((folder / MARKER).read_text("utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(there - ours - _LITTER)
    if foreign:
        raise BadInput(f"{folder} holds other files, such as {foreign[0]}; choose a new folder to export to.")


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place when the block ends without an error."""
    target = Path(os.path.realpath(folder))
    token = secrets.token_hex(4)
    temporary, earlier = (target.with_name(f".{token}-{kind}") for kind in ("new", "earlier"))
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        text = f"Nothing can be written into {target.parent} ({error.strerror}); choose another folder to export to."
        raise BadInput(text) from error
    try:
        yield temporary
        if target.exists():
            os.replace(target, earlier)
        try:
            os.replace(temporary, target)
        except OSError:
            if earlier.exists():
                os.replace(earlier, target)
            raise
    except BaseException:  # KeyboardInterrupt too: a stopped export leaves no debris
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(earlier, ignore_errors=True)
