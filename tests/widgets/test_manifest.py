"""What napari learns from the manifest: one invalid entry, and the whole plugin would vanish without a word."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QMenu

import napari_mritransfer

PLUGIN = "napari-mritransfer"
MANIFEST = Path(napari_mritransfer.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_npe2_finds_the_manifest_valid(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", PLUGIN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "valid" in result.stdout


def test_the_installed_plugin_is_this_one(manifest):
    manager = PluginManager()
    manager.discover()
    assert manager.get_manifest(PLUGIN).contributions == manifest.contributions


def test_every_command_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_every_contribution_names_a_command_that_exists(manifest):
    shown = manifest.contributions
    used = {item.command for kind in (shown.readers, shown.writers, shown.sample_data, shown.widgets) for item in kind}
    used |= {item.command for items in shown.menus.values() for item in items}
    assert used == {command.id for command in shown.commands}


def test_readers_leave_other_files_alone(manifest):
    """Of folders, which have no pattern, the reader itself takes only those with DICOM in them."""
    (reader,) = manifest.contributions.readers
    endings = ("nii", "nii.gz", "mgz", "h5", "mrd", "cfl", "hdr", "dcm", "ima")
    assert set(reader.filename_patterns) == {f"*.{end}" for end in endings}
    assert reader.accepts_directories


def test_every_preference_has_a_title_and_a_default(manifest):
    for group in manifest.contributions.configurations.values():
        assert group.title
        for key, one in group.properties.items():
            assert one.title, key
            assert "default" in one.model_fields_set, key


def test_the_menus_show_the_docks_and_the_layer_commands(viewer):
    def entries(menu: QMenu) -> set[str]:
        """What stands in a menu and everything below it."""
        below = {text for action in menu.actions() if action.menu() for text in entries(action.menu())}
        return {action.text() for action in menu.actions()} | below

    window = viewer.window
    commands = ("Undersample this layer", "Compare selected layers", "Slice attention of this layer")
    added = {f"{name} (MRI Transfer)" for name in commands}
    assert added < entries(window.layers_menu)
    names = ("Load scan", "Fine-tune", "Compare reconstructions", "Slice attention", "Cohort")
    docks = {f"{name} (MRI Transfer)" for name in names}
    assert docks < entries(window.plugins_menu)
    samples = {"Simulated head", *(f"Head, {contrast}" for contrast in ("T1-weighted", "T2-weighted", "FLAIR"))}
    assert samples < entries(window.file_menu)


@pytest.mark.parametrize("key", ["t1", "t2", "flair"])
def test_samples_open_as_scans_of_one_head(viewer, key):
    (layer,) = viewer.open_sample(PLUGIN, key)
    assert layer.data.ndim == 3
    assert layer.data.max() > 0
    assert layer.metadata["mritransfer"]["scan"].path.name.startswith("patient12_study1")


def test_the_simulated_head_opens_as_a_scan_that_knows_it_is_simulated(viewer):
    (layer,) = viewer.open_sample(PLUGIN, "simulated_head")
    scan = layer.metadata["mritransfer"]["scan"]
    assert str(scan.origin) == "simulated"
    assert scan.path.with_name("simulated_head.json").is_file(), "what was done to it"
