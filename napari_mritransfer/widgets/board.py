"""The board: methods side by side in napari's grid, one slice, one zoom and one window for all."""

from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_mritransfer.widgets.board_cells import (
    captions,
    error_captions,
    error_cell,
    follow,
    image_cell,
    window_of,
)
from napari_mritransfer.widgets.board_data import BoardData, MethodImage
from napari_mritransfer.widgets.board_layout import bring_last
from napari_mritransfer.widgets.grid_board import GridBoard

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Board(GridBoard):
    """One cell per method as an image layer, the reference first; errors, if any, below. GUI thread only.

    Parameters
    ----------
    viewer
        Where to build it.
    data
        What to show.
    with_reference
        Whether the reference gets a cell of its own.
    """

    def __init__(self, viewer: "Viewer", data: BoardData, *, with_reference: bool = True) -> None:
        super().__init__(viewer, data.stack, data.extent_mm)
        self.data = data
        self.magnification: float | None = None
        self._window = (0.0, 1.0)
        self._errors: dict[Image, Image] = {}
        self._methods: dict[Image, MethodImage | None] = {}
        columns = [None, *data.methods] if data.reference is not None and with_reference else [*data.methods]
        self.come()
        for method in columns:
            self._methods[self._add(image_cell(data, self.identity, method))] = method
        self.stand(next(iter(self._methods)))

    @property
    def cells(self) -> list[Image]:
        """All cells that are there, images before errors, from left to right."""
        images = self.in_order(self._methods)
        return images + [self._errors[image] for image in images if image in self._errors]

    @property
    def methods_shown(self) -> list[MethodImage]:
        """Those whose images are visible, from left to right, without the reference."""
        shown = (self._methods[image] for image in self.in_order(self._methods) if image.visible)
        return [method for method in shown if method is not None]

    @property
    def window(self) -> tuple[float, float]:
        """Lower and upper end for all images, in units of `BoardData.white`. Errors are shown from 0 to the upper."""
        return self._window

    @window.setter
    def window(self, window: tuple[float, float]) -> None:
        self._window = (float(window[0]), float(window[1]))
        was_busy, self.is_busy = self.is_busy, True
        for cell in [*self._methods, *self._errors.values()]:
            cell.contrast_limits = window_of(cell, self._window)
        self.is_busy = was_busy
        self.changed.emit()

    def show_errors(self, magnification: float | None) -> None:
        """Show |image - reference| × `magnification` as a second row, or no errors for None.

        Raises
        ------
        ValueError
            If there is no reference.
        """
        if magnification is not None and self.data.reference is None:
            raise ValueError("There is no reference to take errors against.")
        selection = self.viewer.layers.selection
        active = selection.active
        had_errors, self.magnification = bool(self._errors), magnification
        self.is_busy = True
        if had_errors != (magnification is not None):
            self.viewer.canvas.grid.enabled = False
        if magnification is None:
            self.remove([*self._errors.values()])
            self._errors.clear()
        else:
            for image in self.in_order(self._methods):
                cell = error_cell(self.data, self.identity, self._methods[image], magnification)
                if image in self._errors:
                    self._errors[image].data = cell[0]  # new layers would take seconds
                else:
                    self._errors[image] = self._add(cell)
        if active in self._methods:
            selection.active = active
        self.is_busy = False
        self.settle_now()

    def statement(self) -> str:
        """What the grey levels mean."""
        return self.data.statement(self._window, self.magnification)

    def forget_cells(self) -> None:
        """The layers are gone."""
        self._methods.clear()
        self._errors.clear()

    # ------------------------------------------------------------------ what happens to the layers

    def _on_visible_changed(self, event: Any) -> None:
        """GUI thread. A method is hidden together with its error."""
        if self.is_busy:
            return
        self.is_busy = True
        for image, error in self._errors.items():
            if event.source in (image, error):
                image.visible = error.visible = event.source.visible
        self.is_busy = False
        self.settle_soon()

    def _on_window_changed(self, event: Any) -> None:
        """GUI thread. One cell was given another window: all get it."""
        if self.is_busy:
            return
        low, high = event.source.contrast_limits
        if event.source in self._errors.values():
            low = self._window[0] if self._window[0] < high else 0.0
        self.window = (low, high)

    def _on_look_changed(self, event: Any) -> None:
        """GUI thread. Gamma or colours of one cell: all of its kind get them."""
        if not self.is_busy:
            self.is_busy = True
            follow(event.source, self._methods, self._errors.values())
            self.is_busy = False

    def settle(self, there: set[Any]) -> None:
        """GUI thread. Bring columns, rows and captions in line with the layers that are there."""
        self._methods = {image: method for image, method in self._methods.items() if image in there}
        if not self._methods:
            self.leave()
            return
        self.is_busy = True
        if self._errors:
            self._follow_errors(there)
        images = [image for image in self.in_order(self._methods) if image.visible]
        self.layout.arrange(len(images), has_errors=bool(self._errors))
        methods, width = [self._methods[image] for image in images], self.layout.cell_width
        self.captions.write(images, *captions(self.data, methods, width))
        if self._errors and self.magnification is not None:
            errors = [self._errors[image] for image in images]
            self.captions.write(errors, *error_captions(methods, self.magnification, width))
        self.is_busy = False
        self.changed.emit()

    def _follow_errors(self, there: set[Any]) -> None:
        """Errors go with their images; without one of them the columns would not match, so all go."""
        kept = {image: error for image, error in self._errors.items() if image in self._methods}
        self.remove([error for image, error in self._errors.items() if image not in kept])
        if any(error not in there for error in kept.values()):
            self.remove([*kept.values()])
            kept, self.magnification = {}, None
        self._errors = kept
        bring_last(self.viewer.layers, [kept[image] for image in self.in_order(kept)])

    def _add(self, cell: Any) -> Image:
        voxels, settings, _kind = cell
        image = self.viewer.add_image(voxels, **settings)
        image.contrast_limits_range = (0.0, self.data.brightest)
        image.contrast_limits = window_of(image, self._window)
        self.captions.prepare(image)
        self.follow(image)
        return image

    def watched(self, cell: Image) -> list[tuple[Any, Any]]:
        """Its window, its colours and its visibility."""
        events: Any = cell.events
        return [
            (events.contrast_limits, self._on_window_changed), (events.visible, self._on_visible_changed),
            (events.gamma, self._on_look_changed), (events.colormap, self._on_look_changed),
        ]  # fmt: skip
