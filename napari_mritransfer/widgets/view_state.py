"""How a viewer looked before the board came (layers, grid, slice, zoom), and which slice of the board it shows."""

import weakref
from dataclasses import dataclass
from typing import Any

_GRID = ("enabled", "stride", "shape", "spacing")


class ViewState:
    """Remembers, hides, restores. Layers that are deleted meanwhile are forgotten.

    Parameters
    ----------
    viewer
        As it is now.
    """

    def __init__(self, viewer: Any) -> None:
        self._grid = {name: getattr(viewer.canvas.grid, name) for name in _GRID}
        self._camera = (tuple(viewer.scene.camera.center), float(viewer.scene.camera.zoom))
        self._step, self._point = viewer.dims.current_step, viewer.dims.point
        self._was_empty = not viewer.layers
        self._visible = weakref.WeakKeyDictionary[Any, bool]()

    def hide(self, viewer: Any) -> None:
        """Hide all layers."""
        for layer in viewer.layers:
            self._visible[layer] = layer.visible
            layer.visible = False

    def hide_newcomer(self, layer: Any) -> None:
        """Hide a layer that was added, until `restore`."""
        self._visible[layer] = layer.visible
        layer.visible = False

    def show_slice(self, viewer: Any) -> None:
        """Go back to the slice that was looked at before layers came or went."""
        if self._was_empty:
            return
        # a scan may come after a picture with fewer axes: what they share are the last ones
        n_shared = min(len(self._point), viewer.dims.ndim)
        axes = range(viewer.dims.ndim - n_shared, viewer.dims.ndim)
        viewer.dims.set_point([*axes], [*self._point[-n_shared:]])

    def restore(self, viewer: Any) -> None:
        """Make the viewer look as it did."""
        for name, value in self._grid.items():
            setattr(viewer.canvas.grid, name, value)
        for layer in viewer.layers:
            if layer in self._visible:
                layer.visible = self._visible[layer]
        if len(self._step) == viewer.dims.ndim and not self._was_empty:
            viewer.dims.set_current_step([*range(viewer.dims.ndim)], [*self._step])
        viewer.scene.camera.center, viewer.scene.camera.zoom = self._camera


@dataclass(frozen=True, slots=True)
class Stack:
    """The slices of a board's images, counted over all frames: `n_slices` in each of `n_frames`, `slice_mm` apart."""

    n_frames: int
    n_slices: int
    slice_mm: float


def slice_shown(viewer: Any, stack: Stack) -> int:
    """The slice that a viewer shows, counted over all frames."""
    point = viewer.dims.point
    inside = min(max(round(float(point[-3]) / stack.slice_mm), 0), stack.n_slices - 1)
    frame = min(max(round(float(point[-4])), 0), stack.n_frames - 1) if stack.n_frames > 1 else 0
    return int(frame * stack.n_slices + inside)


def show_slice(viewer: Any, stack: Stack, slice_index: int) -> None:
    """Go to a slice, counted over all frames."""
    last = stack.n_frames * stack.n_slices - 1
    frame, inside = divmod(min(max(slice_index, 0), last), stack.n_slices)
    if stack.n_frames > 1:
        viewer.dims.set_point(viewer.dims.ndim - 4, float(frame))
    viewer.dims.set_point(viewer.dims.ndim - 3, inside * stack.slice_mm)
