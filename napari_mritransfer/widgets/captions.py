"""Captions that fit into the cells of a grid, and never go over a name that the user gave."""

from collections.abc import Sequence
from typing import Any

_POINTS = (10, 8, 7)  # type sizes to try, in napari's unit
_WIDTH_PER_POINT = 0.98  # pixels of an average letter, measured in napari's canvas
_MARGIN = 14  # pixels left and right of a caption


class Captions:
    """Writes into cells, but not over a name that the user gave."""

    def __init__(self) -> None:
        self._written: dict[Any, str] = {}

    def prepare(self, cell: Any) -> None:
        """Show a new cell's name, which is ours."""
        overlay = cell.name_overlay
        # where the letter of that side is: napari stacks what is in one place, so that neither hides the other
        overlay.position, overlay.box, overlay.visible = "top_center", True, True
        self._written[cell] = cell.name

    def write(self, cells: Sequence[Any], texts: Sequence[str], points: int) -> None:
        """One text per cell, in one type size."""
        for cell, text in zip(cells, texts, strict=True):
            if self._written.get(cell, cell.name) == cell.name != text:
                cell.name = text
                self._written[cell] = cell.name
            cell.name_overlay.font_size = points


def fitted(cells: Sequence[Sequence[Sequence[str]]], width: float) -> tuple[list[str], int]:
    """What stands in the cells of a row, and in which type size: in as few lines as fit into `width` pixels.

    One form and one size for the whole row: neighbours in different sizes look as if they meant something.

    Parameters
    ----------
    cells
        Of each cell the forms that its text may take, from the one with the fewest lines to the narrowest.
    """
    room = width - 2 * _MARGIN
    deepest = max((len(forms) for forms in cells), default=1)
    for depth in range(deepest):
        row = [forms[min(depth, len(forms) - 1)] for forms in cells]
        longest = max((len(line) for lines in row for line in lines), default=0)
        for points in _POINTS:
            if longest * points * _WIDTH_PER_POINT <= room:
                return ["\n".join(lines) for lines in row], points
    return ["\n".join(forms[-1]) for forms in cells], _POINTS[-1]
