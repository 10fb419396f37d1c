"""The entries under Layers: the right dock, once, with the right layers; or a sentence that says what to select."""

import sys
from types import ModuleType

import pytest
from qtpy.QtWidgets import QWidget
from scan_files import some_voxels

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.commands import attend_to_layer, compare_layers, opened, undersample_layer

NAMES = ("Load scan", "Fine-tune", "Compare reconstructions", "Slice attention", "Cohort")
DOCKS = {
    "load_dock": "LoadDock", "finetune_dock": "FinetuneDock", "compare_dock": "CompareDock",
    "attention_dock": "AttentionDock", "reuse_dock": "CohortDock",
}  # fmt: skip


class Dock(QWidget):
    """Stands in for the docks: these tests are about which one is opened, and what it is handed."""

    def __init__(self, napari_viewer):
        super().__init__()
        self.viewer = napari_viewer

    def choose_layer(self, layer):
        self.layer = layer

    def look_at(self, layer):
        self.layer = layer

    def choose_layers(self, layers):
        self.layers = layers


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch):
    for module, name in DOCKS.items():
        stand_in = ModuleType(module)
        setattr(stand_in, name, type(name, (Dock,), {}))
        monkeypatch.setitem(sys.modules, f"napari_mritransfer.widgets.{module}", stand_in)


@pytest.fixture
def layers(viewer):
    return [viewer.add_image(some_voxels(4, 5, 6), name=name) for name in "abc"]


@pytest.mark.usefixtures("layers")
def test_undersampling_chooses_the_selected_layer(viewer):
    undersample_layer(viewer)
    widget = viewer.window.dock_widgets["Load scan (MRI Transfer)"]
    assert widget.isVisibleTo(widget.parent())
    assert widget.layer.name == "c"


@pytest.mark.usefixtures("layers")
def test_a_network_looks_at_the_selected_layer(viewer):
    attend_to_layer(viewer)
    assert viewer.window.dock_widgets["Slice attention (MRI Transfer)"].layer.name == "c"


def test_comparing_chooses_the_selected_images_in_the_lists_order(viewer, layers):
    viewer.add_points(name="dots")
    viewer.layers.selection = {viewer.layers["dots"], layers[2], layers[0]}
    compare_layers(viewer)
    widget = viewer.window.dock_widgets["Compare reconstructions (MRI Transfer)"]
    assert [layer.name for layer in widget.layers] == ["a", "c"]


def test_nothing_suitable_selected_says_what_to_do(viewer, layers):
    viewer.layers.selection = set(layers)
    for command in (undersample_layer, attend_to_layer):
        with pytest.raises(BadInput, match="click the scan in the layer list"):
            command(viewer)
    viewer.layers.selection = {viewer.add_points()}
    for command in (undersample_layer, compare_layers):
        with pytest.raises(BadInput, match=r"selected; click .* and try again"):
            command(viewer)
    assert len(viewer.window.dock_widgets) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_dock_is_opened_once_and_comes_back_when_hidden(viewer, name):
    widget = opened(viewer, name)
    frame = widget.parent()
    frame.hide()
    assert opened(viewer, name) is widget
    assert frame.isVisibleTo(frame.parent())
    assert list(viewer.window.dock_widgets) == [f"{name} (MRI Transfer)"]


def test_a_dock_opened_by_a_script_is_found(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-mritransfer", "Load scan")
    assert opened(viewer, "Load scan") is widget
    assert len(viewer.window.dock_widgets) == 1


def test_the_menu_and_the_commands_share_one_dock(make_napari_viewer_proxy):
    """The menu's entry toggles: after a command has opened the dock, choosing the entry hides it."""
    viewer = make_napari_viewer_proxy(show=True)
    frame = opened(viewer, "Load scan").parent()
    entries = [entry for menu in viewer.window.plugins_menu.actions() if menu.menu() for entry in menu.menu().actions()]
    (entry,) = [entry for entry in entries if entry.text() == "Load scan (MRI Transfer)"]
    assert frame.isVisible()
    entry.trigger()
    assert not frame.isVisible()
    assert list(viewer.window.dock_widgets) == ["Load scan (MRI Transfer)"]


def test_a_dock_gets_the_viewer_itself(viewer):
    """napari's proxy would be gone once the command has returned."""
    assert type(opened(viewer, "Fine-tune").viewer).__name__ == "Viewer"
