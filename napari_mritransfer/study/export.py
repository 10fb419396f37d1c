"""A finished comparison, copied out for people: tables, report, NIfTIs and the figure of the slice they chose."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.evaluation.figure import comparison_figure
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.study.board import BOARD, FIGURE, PICTURE, TABLES
from napari_mritransfer.study.comparison import stack
from napari_mritransfer.training.config import BadConfig

_MARKER = ".mritransfer-export"  # names what an export wrote, so that the next one knows what it may replace
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}  # file managers leave them in folders that were only looked at


def export_board(
    board: Path,
    to: Path,
    *,
    slice_index: int,
    white: float,
    black: float = 0,
    magnification: float | None = None,
    methods: Sequence[str] | None = None,
) -> list[str]:
    """Copy a comparison into a folder of its own, complete or not at all.

    Parameters
    ----------
    board
        Folder that `study.board.write_board` wrote.
    to
        New or empty folder, or that of an earlier export, which is replaced.
    slice_index
        Slice of the figure, from 0, frames stacked.
    white, black
        Upper and lower end of the figure's window, in the images' unit; errors always start at 0.
    magnification
        Of the errors; chosen as in `comparison_figure` if None.
    methods
        Names of those in the figure, from left to right; all if None. Tables and NIfTIs hold all methods anyway.

    Returns
    -------
    names
        Of the files in `to`.

    Raises
    ------
    BadConfig
        If `board` holds no comparison or a method that was named is not in it, `to` holds other files or is not
        accessible, or the figure cannot be drawn.
    """
    record, figure = _read(board)
    rows = _chosen(record["methods"], methods)
    _refuse_other_files(to)
    copied = [path for name in TABLES if (path := board / name).is_file()]
    copied += sorted(board.glob("*.nii.gz"))
    with _replacing_folder(to) as partial:
        for path in copied:
            shutil.copyfile(path, partial / path.name)
        try:
            comparison_figure(
                None if record["reference"] is None else _load(board / record["reference"]),
                {row["name"]: _load(board / row["image"]) for row in rows},
                figure["captions"], partial / PICTURE, slice_index=slice_index, white=white, black=black,
                error_magnification=magnification, title=figure["title"], spacing=tuple(figure["spacing"]),
                note=figure["note"],
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise BadConfig(f"The figure cannot be drawn: {error}") from error
        names = sorted(path.name for path in partial.iterdir())
        write_text(partial / _MARKER, json.dumps({"files": names}, indent=2))
        _refuse_other_files(to)  # again: drawing took a while, and what lies there now is about to go
    return names


def _read(board: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        record, figure = (json.loads((board / name).read_text("utf-8")) for name in (BOARD, FIGURE))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{board} holds no finished comparison; compare first, then export.") from error
    return record, figure


def _chosen(rows: list[dict[str, Any]], names: Sequence[str] | None) -> list[dict[str, Any]]:
    if names is None:
        return rows
    known = {row["name"]: row for row in rows}
    for name in names:
        if name not in known:
            raise BadConfig(f"The comparison has no method called '{name}'; choose from: {', '.join(known)}.")
    return [known[name] for name in names]


def _load(path: Path) -> NDArray[np.float32]:
    return stack(np.load(path, allow_pickle=False))


def _refuse_other_files(folder: Path) -> None:
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise BadConfig(f"{folder} is a file; choose a folder to export to.")
        there = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise BadConfig(f"{folder} cannot be read ({error.strerror}); choose another folder to export to.") from error
    try:
        ours = {_MARKER, *json.loads((folder / _MARKER).read_text("utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(there - ours - _LITTER)
    if foreign:
        raise BadConfig(f"{folder} holds other files, such as {foreign[0]}; choose a new folder to export to.")


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
        raise BadConfig(text) from error
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
