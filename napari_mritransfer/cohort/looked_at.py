"""What networks are to look at: files with names, or everything that a comparison of reconstructions shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.study.board import BOARD
from napari_mritransfer.study.methods import REFERENCE


@dataclass(frozen=True, slots=True)
class LookedAt:
    """One scan.

    Attributes
    ----------
    name
        What people call it.
    path
        Its file.
    version_of
        Where it is one of several reconstructions of a scan, the file that stands for all: it is placed on the grid as
        the first of them, and has the truth that lies beside that file.
    """

    name: str
    path: Path
    version_of: Path | None = None


def named_apart(inputs: Sequence[LookedAt]) -> list[LookedAt]:
    """The same with a number behind each name that was there before."""
    taken: set[str] = set()
    found = []
    for one in inputs:
        name, number = one.name, 1
        while name in taken:
            number += 1
            name = f"{one.name} {number}"
        taken.add(name)
        found.append(LookedAt(name, one.path, one.version_of))
    return found


def of_comparison(board: Path) -> list[LookedAt]:
    """The reference of a comparison, if it has one, and its methods in order.

    Parameters
    ----------
    board
        Folder that `study.board.write_board` wrote.

    Raises
    ------
    BadInput
        If it holds no finished comparison.
    """
    try:
        record = json.loads((board / BOARD).read_text("utf-8"))
        images = [] if record["reference"] is None else [(REFERENCE, record["reference"])]
        images += [(row["name"], row["image"]) for row in record["methods"]]
        scan = board / f"{REFERENCE}.nii.gz"
        found = [LookedAt(_text(name), board / f"{_stem(image)}.nii.gz", scan) for name, image in images]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{board} holds no finished comparison; compare reconstructions first.") from error
    for one in found:
        if not one.path.is_file():
            raise BadInput(f"The comparison in {board} has lost its {one.path.name}; compare again.")
    return found


def _stem(name: Any) -> str:
    text = _text(name)
    if Path(text).name != text or not text.endswith(".npy") or "\\" in text:
        raise ValueError(f"'{text[:80]}' is no image of the comparison")
    return text.removesuffix(".npy")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is no text")
    return value
