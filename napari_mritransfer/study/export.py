"""A finished comparison, copied out for people: tables, report, NIfTIs and the figure of the slice they chose."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.evaluation.figure import comparison_figure
from napari_mritransfer.io.export_folder import exporting
from napari_mritransfer.study.board import BOARD, FIGURE, PICTURE, TABLES
from napari_mritransfer.study.comparison import stack
from napari_mritransfer.training.config import BadConfig


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
    BadInput
        If `board` holds no comparison or a method that was named is not in it, `to` holds other files or is not
        accessible, or the figure cannot be drawn.
    """
    record, figure = _read(board)
    rows = _chosen(record["methods"], methods)
    copied = [path for name in TABLES if (path := board / name).is_file()]
    copied += sorted(board.glob("*.nii.gz"))
    with exporting(to) as partial:
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
        return sorted(path.name for path in partial.iterdir())


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
