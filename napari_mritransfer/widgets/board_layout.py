"""How the board's cells share the canvas."""

import math
import weakref
from typing import Any

_SPACING = 2  # pixels between cells
_CAPTION = 64  # pixels at the top of a cell: a letter, and the caption below it
_SMALLEST = 0.6  # of a cell's height, which an image takes even where its caption then covers it
_WIDEST = 0.96  # of a cell's width


class BoardLayout:
    """Rows, columns and zoom.

    Parameters
    ----------
    viewer
        Its grid is set, see `arrange`.
    extent_mm
        Size of the images along slice, y, x.
    layers_per_cell
        Neighbours in the layer list that share a cell.
    """

    def __init__(self, viewer: Any, extent_mm: tuple[float, float, float], layers_per_cell: int = 1) -> None:
        self._viewer = weakref.ref(viewer)
        self._extent_mm = extent_mm
        self._layers_per_cell = layers_per_cell
        self._fitted: tuple[Any, ...] | None = None
        self._cell = (1.0, 1.0)
        self.cell_width = 1.0

    def arrange(self, n_columns: int, *, has_errors: bool = False) -> None:
        """Switch the grid on: images in one row above their errors, or in as many rows as make them largest.

        What the user looks at stays in view; the whole image, unless they zoomed.
        """
        viewer = self._viewer()
        assert viewer is not None  # the caller works on it
        height, width = (float(length) for length in viewer.canvas.size)
        image = self._displayed_mm(viewer)
        shape = (2, max(1, n_columns))
        if not has_errors:
            columns = best_columns(n_columns, (height, width), image)
            shape = (max(1, math.ceil(n_columns / columns)), columns)
        is_fitted = self._fitted is None or self._camera(viewer) == self._fitted
        grid = viewer.canvas.grid
        grid.stride, grid.spacing, grid.shape = self._layers_per_cell, _SPACING, shape
        grid.enabled = True
        cell = (height / shape[0], width / shape[1])
        if is_fitted:
            viewer.reset_view(layers=[layer for layer in viewer.layers if layer.visible])
            if viewer.dims.ndisplay == 2:
                viewer.scene.camera.zoom = _zoom(cell, image)
            self._fitted = self._camera(viewer)
        elif cell != self._cell:
            viewer.scene.camera.zoom *= _zoom(cell, image) / _zoom(self._cell, image)
        self._cell, self.cell_width = cell, cell[1]

    def _displayed_mm(self, viewer: Any) -> tuple[float, float]:
        """Height and width of an image as it is turned now."""
        if viewer.dims.ndisplay != 2:
            return self._extent_mm[1], self._extent_mm[2]
        down, right = (self._extent_mm[max(axis - viewer.dims.ndim, -3)] for axis in viewer.dims.displayed)
        return down, right

    @staticmethod
    def _camera(viewer: Any) -> tuple[Any, ...]:
        return tuple(viewer.scene.camera.center), float(viewer.scene.camera.zoom)


def bring_first(layers: Any, wanted: list[Any]) -> None:
    """Move layers to the beginning of the list, in this order."""
    if [*layers][: len(wanted)] != wanted:
        for place, layer in enumerate(wanted):
            layers.move(layers.index(layer), place)


def bring_last(layers: Any, wanted: list[Any]) -> None:
    """Move layers to the end of the list, in this order."""
    if wanted and [*layers][-len(wanted) :] != wanted:
        for layer in wanted:
            layers.move(layers.index(layer), len(layers))


def best_columns(n_cells: int, canvas: tuple[float, float], image: tuple[float, float]) -> int:
    """How many columns show `n_cells` images of this height and width largest on a canvas of that height and width."""

    def zoom(columns: int) -> float:
        rows = math.ceil(n_cells / columns)
        return _zoom((canvas[0] / rows, canvas[1] / columns), image)

    return max(range(max(1, n_cells), 0, -1), key=zoom)


def _zoom(cell: tuple[float, float], image: tuple[float, float]) -> float:
    """Pixels per millimetre at which a centred image fits into a cell and leaves room for the caption."""
    height = max(cell[0] - 2 * _CAPTION, _SMALLEST * cell[0])
    return min(height / image[0], _WIDEST * cell[1] / image[1])
