"""DICOM through the viewer: folders and files by File > Open, and which of several series in "Load scan"."""

import shutil

import numpy as np
import pytest
from dicom_files import SERIES, SLICES, slice_pixels, write_series

from napari_mritransfer.io import Scan, load
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.reader import get_reader, read_scans
from napari_mritransfer.widgets.rereading import reading_of

PLUGIN = "napari-mritransfer"
SOON = 10_000


@pytest.fixture
def two_series(tmp_path):
    folder = tmp_path / "export"
    write_series(folder)
    write_series(folder, series=f"{SERIES}.5", prefix="XX", indices=range(3), SeriesNumber=12)
    return folder


def test_a_folder_opens_as_one_layer(viewer, tmp_path):
    write_series(tmp_path / "head")
    (layer,) = viewer.open(tmp_path / "head", plugin=PLUGIN)
    assert layer.name == "series 3"
    scan: Scan = layer.metadata[KEY]["scan"]
    np.testing.assert_array_equal(layer.data, load(tmp_path / "head").image[0])
    assert len(scan.files) == SLICES
    assert reading_of(layer) is None


def test_who_drops_all_files_of_a_series_means_one_scan(viewer, tmp_path):
    paths = write_series(tmp_path / "head")
    named = [path.rename(path.with_suffix(".dcm")) for path in paths]
    viewer.open(named, plugin=PLUGIN)
    assert [layer.name for layer in viewer.layers] == ["series 3"]
    assert len(read_scans([str(path) for path in named])) == 1  # the first again, as any file that is opened twice


def test_folders_are_taken_only_with_dicom_in_them(tmp_path):
    write_series(tmp_path / "head")
    (tmp_path / "other").mkdir()
    np.save(tmp_path / "other" / "head.npy", slice_pixels(0))
    assert get_reader(str(tmp_path / "head")) is read_scans
    assert get_reader(str(tmp_path)) is read_scans
    assert get_reader(str(tmp_path / "other")) is None
    assert get_reader([str(tmp_path / "head"), str(tmp_path / "other")]) is None
    shutil.rmtree(tmp_path / "head")
    assert get_reader(str(tmp_path)) is None


def test_several_series_are_asked_about_in_the_dock(viewer, qtbot, opened_dock, two_series):
    dock = opened_dock()
    dock.opening.open(two_series)
    qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
    dialog = dock.opening.dialog
    shown = [dialog.series.itemText(index) for index in range(dialog.series.count())]
    assert [text.split(" ")[0] for text in shown] == ["3", "12"]
    assert "5 files" in shown[0]
    assert dialog.options.series == "3"  # the one with the most images
    dialog.series.setCurrentIndex(1)
    dialog.ok.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=SOON)
    (layer,) = viewer.layers
    assert layer.data.shape[0] == 3
    assert layer.name == "series 12"
    assert dock.opening.dialog is None
    assert dock.axes.isHidden()  # there is nothing to guess about


def test_a_series_that_cannot_be_read_leaves_the_choice_open(viewer, qtbot, opened_dock, two_series):
    (two_series / "XX0001").unlink()
    (two_series / "XX0001").write_bytes((two_series / "XX0000").read_bytes()[:-40])
    (two_series / "XX0000").unlink()
    dock = opened_dock()
    dock.opening.open(two_series)
    qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
    dialog = dock.opening.dialog
    dialog.series.setCurrentIndex(1)
    dialog.ok.click()
    qtbot.waitUntil(lambda: not dialog.problem.isHidden(), timeout=SOON)
    assert "XX0001" in dialog.problem.text()
    dialog.series.setCurrentIndex(0)
    assert dialog.problem.isHidden()
    dialog.ok.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=SOON)


def test_file_open_asks_in_the_dock_too(viewer, qtbot, two_series, monkeypatch):
    asked = []
    monkeypatch.setattr("napari_mritransfer.widgets.reader._ask", lambda viewer, path: asked.append(path))
    assert viewer.open(two_series, plugin=PLUGIN) == []
    assert asked == [str(two_series)]


def test_a_chosen_series_goes_to_the_worker_as_it_was_chosen(
    viewer, qtbot, opened_dock, two_series, orders, ready, ordered
):
    """Its folder alone would not say which series is meant."""
    dock = opened_dock()
    dock.opening.open(two_series)
    qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
    dock.opening.dialog.ok.click()
    ready(dock)
    order = ordered(dock)
    np.testing.assert_array_equal(load(order.command["scan"]).image, load(two_series, series="3").image)


def test_a_single_series_goes_to_the_worker_by_its_path(viewer, qtbot, opened_dock, tmp_path, orders, ready, ordered):
    paths = write_series(tmp_path / "head")
    dock = opened_dock()
    dock.opening.open(paths[0])
    ready(dock)
    assert ordered(dock).command["scan"] == str(paths[0])
