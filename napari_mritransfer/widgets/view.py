"""Which side is which: the letters around the image, the scale bar, and the radiological or neurological view."""

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from napari.components.overlays import TextOverlay
from napari.layers import Image

from napari_mritransfer.widgets.layers import KEY, is_scan_layer
from napari_mritransfer.widgets.settings import View, preferences, when_view_changes

# Scans run towards the patient's left (axial, coronal), so that the camera as it is shows them radiologically.
_ORIENTATIONS: dict[View, tuple[str, str]] = {"radiological": ("down", "right"), "neurological": ("down", "left")}
_POSITIONS = {"top": "top_center", "bottom": "bottom_center", "left": "middle_left", "right": "middle_right"}
_OPPOSITE = dict(zip("LRPASI", "RLAPIS", strict=True))
_LARGE, _SMALL = 14, 9  # points; the cells of a grid are narrow
_CLEARLY_ALONG = np.cos(np.radians(40))  # a layer turned by more than this between two axes has no side to name
_HIDES_WHAT_IS_BELOW = ("opaque", "translucent", "translucent_no_depth")
# what may change the letters: of layers and their list, which tell a lot more, and of the viewer
_MATTERS = {"affine", "blending", "data", "metadata", "opacity", "rotate", "scale", "shear", "visible"}
_MATTERS |= {"inserted", "removed", "reordered"} | {"enabled", "ndim", "ndisplay", "order", "orientation"}

# parts of scans whose axes are frequencies: a millimetre means nothing there
_FREQUENCIES = ("kspace", "mask")

# viewers whose scale bar is away as long as k-space is seen
_without_bar: "weakref.WeakSet[Any]" = weakref.WeakSet()
# viewers that hear of their layers already
_waiting: "weakref.WeakSet[Any]" = weakref.WeakSet()


def attach(viewer: Any) -> None:
    """Show the scale bar and the letters R, L, A, P, S, I in a viewer from now on, in the preferred view.

    Over k-space there is neither.

    Harmless where it was done before. A view chosen in the preferences later turns the camera at once.

    The letters are those of what is seen: of the topmost image, and of those below where they shine through or stand
    beside it in the grid; none are shown where these differ, for layers that are no scans, and in 3-D.
    """
    viewer = unwrapped(viewer)
    if _key("top") in viewer.canvas.overlays:
        return
    for side, position in _POSITIONS.items():
        viewer.canvas.overlays[_key(side)] = TextOverlay(position=position, gridded=True)
    viewer.canvas.overlays.scale_bar.visible = True
    set_convention(viewer, preferences().view)
    when_view_changes(partial(_on_preference_changed, weakref.ref(viewer)))  # preferences outlive viewers
    # napari holds methods weakly but functions strongly: this one lives as long as the viewer's emitters
    refresh = partial(_on_view_changed, viewer)
    viewer.layers.events.connect(refresh)
    viewer.scene.camera.events.orientation.connect(refresh)
    viewer.canvas.grid.events.enabled.connect(refresh)
    for name in ("ndim", "ndisplay", "order"):
        getattr(viewer.dims.events, name).connect(refresh)
    _show_letters(viewer)


def attach_with_first_scan(viewer: Any) -> None:
    """`attach`, but not before a scan's layer is inserted into the viewer: until then nothing of it is changed.

    For readers, which can only guess the viewer that their layers are for. Harmless where it was done before.
    """
    viewer = unwrapped(viewer)
    if viewer not in _waiting:
        _waiting.add(viewer)
        viewer.layers.events.inserted.connect(partial(_on_layer_inserted, viewer))


def set_convention(viewer: Any, view: View) -> None:
    """Turn the camera, never the voxels: the patient's right is on the left (radiological) or on the right."""
    unwrapped(viewer).scene.camera.orientation2d = _ORIENTATIONS[view]


def convention(viewer: Any) -> View | None:
    """How the viewer's camera is turned; None where it is neither way."""
    shown = tuple(str(way) for way in viewer.scene.camera.orientation2d)
    return next((view for view, orientation in _ORIENTATIONS.items() if orientation == shown), None)


def letters(viewer: Any) -> dict[str, str]:
    """The letter for each of ``top``, ``bottom``, ``left`` and ``right``; empty where none can be given."""
    nothing = dict.fromkeys(_POSITIONS, "")
    seen = _seen(viewer)
    if viewer.dims.ndisplay != 2 or not seen or not all(_names_sides(layer) for layer in seen):
        return nothing
    told = {tuple(_runs_to(layer, axis - viewer.dims.ndim) for axis in viewer.dims.displayed) for layer in seen}
    if len(told) > 1:
        return nothing
    ((rows, columns),) = told
    down, right = (str(way) for way in viewer.scene.camera.orientation2d)
    return {
        "top": rows if down == "up" else _opposite(rows),
        "bottom": rows if down == "down" else _opposite(rows),
        "left": columns if right == "left" else _opposite(columns),
        "right": columns if right == "right" else _opposite(columns),
    }


def unwrapped(viewer: Any) -> Any:
    """The viewer itself where napari handed out its public-only proxy, which dies as soon as the caller lets it go."""
    return getattr(viewer, "__wrapped__", viewer)


def _on_layer_inserted(viewer: Any, event: Any) -> None:
    """GUI thread."""
    if is_scan_layer(event.value):
        attach(viewer)


def _on_preference_changed(viewer: "weakref.ref[Any]", view: View) -> None:
    """GUI thread."""
    there = viewer()
    if there is not None:
        set_convention(there, view)


def _on_view_changed(viewer: Any, event: Any) -> None:
    """GUI thread. Hears everything the layers tell, so it must be quick to say no."""
    if event.type in _MATTERS:
        _show_letters(viewer)
        _show_scale_bar(viewer)


def _show_letters(viewer: Any) -> None:
    for side, letter in letters(viewer).items():
        overlay = viewer.canvas.overlays[_key(side)]
        overlay.text = letter
        overlay.font_size = _SMALL if viewer.canvas.grid.enabled else _LARGE
        # in the narrow cells of a grid two sides tell enough, and the others are where captions and scale bar are
        overlay.visible = bool(letter) and (side in ("top", "left") or not viewer.canvas.grid.enabled)


def _show_scale_bar(viewer: Any) -> None:
    """Take it away over k-space and bring it back after; what the user did to it otherwise stays."""
    bar = viewer.canvas.overlays.scale_bar
    is_kspace = any(_is_frequencies(layer) for layer in _seen(viewer))
    if is_kspace and bar.visible:
        bar.visible = False
        _without_bar.add(viewer)
    elif not is_kspace and viewer in _without_bar:
        bar.visible = True
        _without_bar.discard(viewer)


def _is_frequencies(layer: Any) -> bool:
    own = layer.metadata.get(KEY)
    return isinstance(own, dict) and own.get("part") in _FREQUENCIES


def _seen(viewer: Any) -> Sequence[Any]:
    visible = [layer for layer in reversed(viewer.layers) if isinstance(layer, Image) and layer.visible]
    if viewer.canvas.grid.enabled:
        return visible
    for count, layer in enumerate(visible, start=1):
        if layer.opacity == 1 and str(layer.blending) in _HIDES_WHAT_IS_BELOW:
            return visible[:count]
    return visible


def _names_sides(layer: Any) -> bool:
    return is_scan_layer(layer) and layer.metadata[KEY]["scan"].sides_known


def _runs_to(layer: Any, world_axis: int) -> str:
    """Where a world axis (-1 is the last) runs to in the patient; empty where the layer does not tell.

    The layer may have been turned or mirrored in napari, so its own directions are taken through its transform.
    """
    if -world_axis > layer.ndim:
        return ""
    start = np.asarray(layer.data_to_world(np.zeros(layer.ndim)))
    to_world = np.stack([np.asarray(layer.data_to_world(row)) - start for row in np.eye(layer.ndim)], axis=1)
    scan = layer.metadata[KEY]["scan"]
    # frames have no direction in the patient; along them the share of the others stays 0
    steps_mm = np.linalg.inv(to_world)[-3:, world_axis] * scan.spacing_mm
    length = np.linalg.norm(steps_mm)
    axis = int(np.argmax(np.abs(steps_mm)))
    if length == 0 or np.abs(steps_mm[axis]) < _CLEARLY_ALONG * length:
        return ""
    direction: str = scan.axes.directions[axis]
    return direction if steps_mm[axis] > 0 else _OPPOSITE[direction]


def _opposite(letter: str) -> str:
    return _OPPOSITE.get(letter, "")


def _key(side: str) -> str:
    return f"mritransfer_{side}"
