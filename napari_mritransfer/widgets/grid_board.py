"""What boards have in common: cells in napari's grid, everything else hidden until they leave."""

import weakref
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_mritransfer.widgets.board_layout import BoardLayout
from napari_mritransfer.widgets.captions import Captions
from napari_mritransfer.widgets.view import unwrapped
from napari_mritransfer.widgets.view_state import Stack, ViewState, show_slice, slice_shown

if TYPE_CHECKING:
    from napari.viewer import Viewer


class GridBoard(QObject):
    """Layers of its own, side by side. GUI thread only.

    Cells are known as objects, and carry what they show in their metadata: they may be renamed, moved, hidden or
    deleted. Other layers are hidden until `leave`, also those that are added meanwhile.

    A board adds its cells between `come` and `stand`, and answers `cells`, `watched` and `settle`.

    Signals
    -------
    changed
        The cells or how they look are others now.
    slice_changed
        The slice that is looked at, counted over all frames.
    left
        The board is gone, and everything is as it was.

    Parameters
    ----------
    viewer
        Where to build it.
    stack
        The slices of its images.
    extent_mm
        Size of its images along slice, y, x.
    layers_per_cell
        Neighbours in the layer list that share a cell.
    """

    changed = Signal()
    slice_changed = Signal(int)
    left = Signal()

    def __init__(
        self, viewer: "Viewer", stack: Stack, extent_mm: tuple[float, float, float], *, layers_per_cell: int = 1
    ) -> None:
        super().__init__()
        viewer = unwrapped(viewer)
        self._viewer = weakref.ref(viewer)
        self._stack = stack
        self.identity = uuid4().hex
        self.is_up = True
        self.is_busy = True  # what the board itself does to layers is not a change to follow
        self.captions = Captions()
        self.layout = BoardLayout(viewer, extent_mm, layers_per_cell)
        self._before = ViewState(viewer)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self._on_settling_due)
        self._index = 0

    # ------------------------------------------------------------------ what a board is

    @property
    def cells(self) -> list[Image]:
        """All its layers, in the order of the layer list."""
        raise NotImplementedError

    def watched(self, cell: Image) -> list[tuple[Any, Any]]:
        """The events of a cell that the board follows, each with its callback."""
        raise NotImplementedError

    def settle(self, there: set[Any]) -> None:
        """Bring places and captions in line with the layers that are `there`; with none of its own, `leave`."""
        raise NotImplementedError

    def forget_cells(self) -> None:
        """The layers are gone."""
        raise NotImplementedError

    # ------------------------------------------------------------------ coming and going

    def come(self) -> None:
        """Hide what is there."""
        # in the grid each coming and going layer rebuilds all cells, which takes seconds; it comes on in `settle`
        self.viewer.canvas.grid.enabled = False
        self._before.hide(self.viewer)

    def stand(self, first: Image) -> None:
        """All cells are there: select the first, and follow what happens to them."""
        viewer = self.viewer
        self._before.show_slice(viewer)
        viewer.layers.selection.active = first
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.layers.events.removed.connect(self._on_layers_changed)
        viewer.layers.events.reordered.connect(self._on_layers_changed)
        viewer.dims.events.point.connect(self._on_point_changed)
        viewer.canvas.events.size.connect(self._on_layers_changed)
        self.is_busy = False
        self._index = self.slice_index
        self._on_settling_due()

    def forget(self) -> None:
        """The window is gone: there is nothing to bring back."""
        self.is_up = False
        self._settling.stop()

    def leave(self) -> None:
        """Remove the cells and show everything as it was; harmless when repeated."""
        if not self.is_up:
            return
        self.is_up = False
        self._settling.stop()
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.inserted.disconnect(self._on_layer_inserted)
            viewer.layers.events.removed.disconnect(self._on_layers_changed)
            viewer.layers.events.reordered.disconnect(self._on_layers_changed)
            viewer.dims.events.point.disconnect(self._on_point_changed)
            viewer.canvas.events.size.disconnect(self._on_layers_changed)
            self.is_busy = True
            viewer.canvas.grid.enabled = False
            self.remove([*reversed(self.cells)])
            self._before.restore(viewer)
        self.forget_cells()
        self.left.emit()

    # ------------------------------------------------------------------ the slice

    @property
    def slice_index(self) -> int:
        """The slice that is looked at, counted over all frames."""
        return slice_shown(self.viewer, self._stack)

    def go_to(self, slice_index: int) -> None:
        """Show a slice, counted over all frames."""
        show_slice(self.viewer, self._stack, slice_index)

    # ------------------------------------------------------------------ for the boards themselves

    @property
    def viewer(self) -> Any:
        """Where it stands.

        Raises
        ------
        RuntimeError
            If it was closed.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer was closed.")
        return viewer

    def settle_soon(self) -> None:
        """Several layers may be on their way; what to make of it is seen when all is quiet."""
        self._settling.start()

    def settle_now(self) -> None:
        """Do not wait for quiet."""
        self._on_settling_due()

    def follow(self, cell: Image) -> None:
        """From now on, hear what happens to a cell."""
        for event, slot in self.watched(cell):
            event.connect(slot)

    def remove(self, cells: list[Image]) -> None:
        """Take cells out of the viewer."""
        layers = self.viewer.layers
        for cell in cells:
            for event, slot in self.watched(cell):
                event.disconnect(slot)
            if cell in layers:
                layers.remove(cell)

    def in_order(self, cells: Any) -> list[Image]:
        """Those of `cells` that are in the viewer, in the order of the layer list."""
        return [layer for layer in self.viewer.layers if layer in cells]

    # ------------------------------------------------------------------ what happens to the layers

    def _on_layer_inserted(self, event: Any) -> None:
        """GUI thread. A cell of its own for every newcomer would push the others out of their places."""
        if not self.is_busy:
            self._before.hide_newcomer(event.value)
            self.settle_soon()

    def _on_layers_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        if not self.is_busy:
            self.settle_soon()

    def _on_point_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        index = self.slice_index
        if index != self._index:
            self._index = index
            self.slice_changed.emit(index)

    def _on_settling_due(self) -> None:
        """GUI thread."""
        viewer = self._viewer()
        if viewer is not None and self.is_up:
            self.settle(set(viewer.layers))
