"""The entries under Layers: they open the dock that does it and hand it what is selected."""

from importlib import import_module
from typing import Any

import napari
from napari.layers import Image

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.settings import PLUGIN
from napari_mritransfer.widgets.view import unwrapped

DISPLAY_NAME = "MRI Transfer"

_DOCKS = {
    "Load scan": ("load_dock", "LoadDock"),
    "Fine-tune": ("finetune_dock", "FinetuneDock"),
    "Compare reconstructions": ("compare_dock", "CompareDock"),
    "Slice attention": ("attention_dock", "AttentionDock"),
    "Cohort": ("reuse_dock", "CohortDock"),
}


def undersample_layer(viewer: napari.Viewer) -> None:
    """Open "Load scan" with the selected layer chosen.

    Raises
    ------
    BadInput
        If not exactly one image layer is selected.
    """
    layer = viewer.layers.selection.active
    if not isinstance(layer, Image):
        raise BadInput("No single image layer is selected; click the scan in the layer list and try again.")
    opened(viewer, "Load scan").choose_layer(layer)


def compare_layers(viewer: napari.Viewer) -> None:
    """Open "Compare reconstructions" with the selected image layers, in the order of the list.

    Raises
    ------
    BadInput
        If none is selected.
    """
    selected = [layer for layer in viewer.layers if layer in viewer.layers.selection and isinstance(layer, Image)]
    if not selected:
        raise BadInput("No image layers are selected; click them in the layer list (Ctrl for several) and try again.")
    opened(viewer, "Compare reconstructions").choose_layers(selected)


def attend_to_layer(viewer: napari.Viewer) -> None:
    """Open "Slice attention" and let the network that is chosen there look at the selected layer.

    Raises
    ------
    BadInput
        If not exactly one image layer is selected.
    """
    layer = viewer.layers.selection.active
    if not isinstance(layer, Image):
        raise BadInput("No single image layer is selected; click the scan in the layer list and try again.")
    opened(viewer, "Slice attention").look_at(layer)


def opened(viewer: Any, name: str) -> Any:
    """The widget of the dock with this name ("Load scan", …), opened if need be and brought to the front.

    napari files a dock under the plugin's display name when the menu opens it, and under the package's name when
    `add_plugin_dock_widget` does: going by either, nobody ends up with two of them.
    """
    viewer = unwrapped(viewer)
    docked = viewer.window.dock_widgets
    names = [f"{name} ({title})" for title in (DISPLAY_NAME, PLUGIN)]
    present = next((full for full in names if full in docked), None)
    if present is not None:
        widget: Any = docked[present]
        frame = widget.parent()
    else:
        module, dock = _DOCKS[name]
        widget = getattr(import_module(f"napari_mritransfer.widgets.{module}"), dock)(viewer)
        beside = any(other.startswith(tuple(_DOCKS)) for other in docked)
        frame = viewer.window.add_dock_widget(widget, name=names[0], add_vertical_stretch=False, tabify=beside)
    frame.show()
    frame.raise_()
    return widget
