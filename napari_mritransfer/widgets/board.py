"""The board: methods side by side in napari's grid, one slice, one zoom and one window for all."""

import weakref
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari.layers import Image
from qtpy.QtCore import QObject, QTimer, Signal

from napari_mritransfer.widgets.board_cells import (
    Captions,
    captions,
    error_captions,
    error_cell,
    follow,
    image_cell,
    window_of,
)
from napari_mritransfer.widgets.board_data import BoardData, MethodImage
from napari_mritransfer.widgets.board_layout import BoardLayout, bring_last
from napari_mritransfer.widgets.view import unwrapped
from napari_mritransfer.widgets.view_state import ViewState, show_slice, slice_shown

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Board(QObject):
    """One cell per method as an image layer, the reference first. GUI thread only.

    Cells are known as objects, and carry method and role in their metadata: they may be renamed, moved, hidden or
    deleted. Other layers are hidden until `leave`, also those that are added meanwhile.

    Signals
    -------
    changed
        The cells, the window or the error maps are others now.
    slice_changed
        The slice that is looked at, counted over all frames.
    left
        The board is gone, and everything is as it was.

    Parameters
    ----------
    viewer
        Where to build it.
    data
        What to show.
    with_reference
        Whether the reference gets a cell of its own.
    """

    changed = Signal()
    slice_changed = Signal(int)
    left = Signal()

    def __init__(self, viewer: "Viewer", data: BoardData, *, with_reference: bool = True) -> None:
        super().__init__()
        viewer = unwrapped(viewer)
        self._viewer = weakref.ref(viewer)
        self.data = data
        self.identity = uuid4().hex
        self.magnification: float | None = None
        self.is_up = True
        self._window = (0.0, 1.0)
        self._before = ViewState(viewer)
        self._errors: dict[Image, Image] = {}
        self._is_busy = True  # what the board itself does to layers is not a change to follow
        columns = [None, *data.methods] if data.reference is not None and with_reference else [*data.methods]
        self._methods: dict[Image, MethodImage | None] = {}
        self._captions = Captions()
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self._settle)
        self._layout = BoardLayout(viewer, data.extent_mm)
        # in the grid each coming and going layer rebuilds all cells, which takes seconds; it comes on in `_settle`
        viewer.canvas.grid.enabled = False
        self._before.hide(viewer)
        for method in columns:
            self._methods[self._add(image_cell(data, self.identity, method))] = method
        self._before.show_slice(viewer)
        viewer.layers.selection.active = next(iter(self._methods))
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.layers.events.removed.connect(self._on_layers_changed)
        viewer.layers.events.reordered.connect(self._on_layers_changed)
        viewer.dims.events.point.connect(self._on_point_changed)
        viewer.canvas.events.size.connect(self._on_layers_changed)
        self._is_busy = False
        self._index = self.slice_index
        self._settle()

    @property
    def cells(self) -> list[Image]:
        """All cells that are there, images before errors, from left to right."""
        images = self._in_order(self._methods)
        return images + [self._errors[image] for image in images if image in self._errors]

    @property
    def methods_shown(self) -> list[MethodImage]:
        """Those whose images are visible, from left to right, without the reference."""
        shown = (self._methods[image] for image in self._in_order(self._methods) if image.visible)
        return [method for method in shown if method is not None]

    @property
    def window(self) -> tuple[float, float]:
        """Lower and upper end for all images, in units of `BoardData.white`. Errors are shown from 0 to the upper."""
        return self._window

    @window.setter
    def window(self, window: tuple[float, float]) -> None:
        self._window = (float(window[0]), float(window[1]))
        was_busy, self._is_busy = self._is_busy, True
        for cell in [*self._methods, *self._errors.values()]:
            cell.contrast_limits = window_of(cell, self._window)
        self._is_busy = was_busy
        self.changed.emit()

    @property
    def slice_index(self) -> int:
        """The slice that is looked at, counted over all frames."""
        return slice_shown(self._living_viewer(), self.data)

    def go_to(self, slice_index: int) -> None:
        """Show a slice, counted over all frames."""
        show_slice(self._living_viewer(), self.data, slice_index)

    def show_errors(self, magnification: float | None) -> None:
        """Show |image - reference| × `magnification` as a second row, or no errors for None.

        Raises
        ------
        ValueError
            If there is no reference.
        """
        if magnification is not None and self.data.reference is None:
            raise ValueError("There is no reference to take errors against.")
        selection = self._living_viewer().layers.selection
        active = selection.active
        had_errors, self.magnification = bool(self._errors), magnification
        self._is_busy = True
        if had_errors != (magnification is not None):
            self._living_viewer().canvas.grid.enabled = False
        if magnification is None:
            self._remove([*self._errors.values()])
            self._errors.clear()
        else:
            for image in self._in_order(self._methods):
                cell = error_cell(self.data, self.identity, self._methods[image], magnification)
                if image in self._errors:
                    self._errors[image].data = cell[0]  # new layers would take seconds
                else:
                    self._errors[image] = self._add(cell)
        if active in self._methods:
            selection.active = active
        self._is_busy = False
        self._settle()

    def statement(self) -> str:
        """What the grey levels mean."""
        return self.data.statement(self._window, self.magnification)

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
            self._is_busy = True
            viewer.canvas.grid.enabled = False
            self._remove([*self._errors.values(), *self._methods])
            self._before.restore(viewer)
        self._methods.clear()
        self._errors.clear()
        self.left.emit()

    # ------------------------------------------------------------------ what happens to the layers

    def _on_layer_inserted(self, event: Any) -> None:
        """GUI thread. A cell of its own for every newcomer would push the others out of their columns."""
        if not self._is_busy:
            self._before.hide_newcomer(event.value)
            self._settling.start()

    def _on_layers_changed(self, _event: Any = None) -> None:
        """GUI thread. Several layers may be on their way; what to make of it is seen when all is quiet."""
        if not self._is_busy:
            self._settling.start()

    def _on_visible_changed(self, event: Any) -> None:
        """GUI thread. A method is hidden together with its error."""
        if self._is_busy:
            return
        self._is_busy = True
        for image, error in self._errors.items():
            if event.source in (image, error):
                image.visible = error.visible = event.source.visible
        self._is_busy = False
        self._settling.start()

    def _on_window_changed(self, event: Any) -> None:
        """GUI thread. One cell was given another window: all get it."""
        if self._is_busy:
            return
        low, high = event.source.contrast_limits
        if event.source in self._errors.values():
            low = self._window[0] if self._window[0] < high else 0.0
        self.window = (low, high)

    def _on_look_changed(self, event: Any) -> None:
        """GUI thread. Gamma or colours of one cell: all of its kind get them."""
        if not self._is_busy:
            self._is_busy = True
            follow(event.source, self._methods, self._errors.values())
            self._is_busy = False

    def _on_point_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        index = self.slice_index
        if index != self._index:
            self._index = index
            self.slice_changed.emit(index)

    def _settle(self) -> None:
        """GUI thread. Bring columns, rows and captions in line with the layers that are there."""
        viewer = self._viewer()
        if viewer is None or not self.is_up:
            return
        there = set(viewer.layers)
        self._methods = {image: method for image, method in self._methods.items() if image in there}
        if not self._methods:
            self.leave()
            return
        self._is_busy = True
        if self._errors:
            self._follow_errors(there)
        images = [image for image in self._in_order(self._methods) if image.visible]
        self._layout.arrange(len(images), has_errors=bool(self._errors))
        methods, width = [self._methods[image] for image in images], self._layout.cell_width
        self._captions.write(images, *captions(self.data, methods, width))
        if self._errors and self.magnification is not None:
            errors = [self._errors[image] for image in images]
            self._captions.write(errors, *error_captions(methods, self.magnification, width))
        self._is_busy = False
        self.changed.emit()

    def _follow_errors(self, there: set[Any]) -> None:
        """Errors go with their images; without one of them the columns would not match, so all go."""
        kept = {image: error for image, error in self._errors.items() if image in self._methods}
        self._remove([error for image, error in self._errors.items() if image not in kept])
        if any(error not in there for error in kept.values()):
            self._remove([*kept.values()])
            kept, self.magnification = {}, None
        self._errors = kept
        bring_last(self._living_viewer().layers, [kept[image] for image in self._in_order(kept)])

    def _add(self, cell: Any) -> Image:
        voxels, settings, _kind = cell
        image = self._living_viewer().add_image(voxels, **settings)
        image.contrast_limits_range = (0.0, self.data.brightest)
        image.contrast_limits = window_of(image, self._window)
        self._captions.prepare(image)
        for event, slot in self._watched(image):
            event.connect(slot)
        return image

    def _watched(self, cell: Image) -> list[tuple[Any, Any]]:
        events: Any = cell.events
        return [
            (events.contrast_limits, self._on_window_changed), (events.visible, self._on_visible_changed),
            (events.gamma, self._on_look_changed), (events.colormap, self._on_look_changed),
        ]  # fmt: skip

    def _remove(self, cells: list[Image]) -> None:
        layers = self._living_viewer().layers
        for cell in cells:
            for event, slot in self._watched(cell):
                event.disconnect(slot)
            if cell in layers:
                layers.remove(cell)

    def _in_order(self, cells: Any) -> list[Image]:
        return [layer for layer in self._living_viewer().layers if layer in cells]

    def _living_viewer(self) -> Any:
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer was closed.")
        return viewer
