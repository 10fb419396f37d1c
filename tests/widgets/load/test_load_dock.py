"""The "Load scan" dock in a real viewer: what it lists, says, and leaves behind."""

import gc
import threading
import weakref

import nibabel
import numpy as np
import pytest
from heads import write_head
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QStyle

from napari_mritransfer.io import load
from napari_mritransfer.widgets import file_opening

SCROLL_BAR = QStyle.PixelMetric.PM_ScrollBarExtent
SOON = 10_000  # ms; the machine may be busy


def choices(dock) -> list[str]:
    return [dock.choice.itemText(i) for i in range(dock.choice.count())]


def test_without_a_scan_the_dock_says_how_to_get_one(opened_dock, orders):
    dock = opened_dock()
    assert "Open Sample" in dock.facts.text()
    assert not dock.undersample.isEnabled()
    assert not dock.choice.isEnabled()


def test_the_facts_of_the_scan_and_its_notes_are_told(opened_dock, opened, tmp_path, orders, ready):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    assert dock.facts.text() == ("40 × 48 matrix, 8 slices; voxels 2.00 × 2.00 × 4.00 mm; axial; magnitude image.")
    assert "k-space made from it is simulated" in dock.notes.text()
    assert "of 48 lines measured" in dock.form.words.text()
    assert dock.form.inputs.rate_percent == 40.0


def test_a_layer_that_cannot_be_used_says_why(qtbot, viewer, opened_dock, orders):
    viewer.add_image(np.full((3, 24, 20), np.nan, dtype=np.float32), name="broken", contrast_limits=(0, 1))
    dock = opened_dock()
    qtbot.waitUntil(lambda: "finite" in dock.facts.text(), timeout=SOON)
    assert not dock.undersample.isEnabled()


def test_the_list_follows_the_layers_and_never_goes_by_name(viewer, opened_dock, opened, tmp_path, orders):
    first, second = opened(write_head(tmp_path / "a" / "head.nii.gz"), write_head(tmp_path / "b" / "head.nii.gz"))
    dock = opened_dock()
    dock.choose_layer(first)
    first.name, second.name = "second", "first"
    assert choices(dock) == ["second", "first"]
    assert dock.choice.currentText() == "second"
    viewer.layers.move(0, 2)
    assert choices(dock) == ["first", "second"]
    assert dock.choice.currentText() == "second"
    viewer.add_points(np.ones((2, 3)))
    viewer.add_image(np.ones((8, 48, 3)), rgb=True)
    assert choices(dock) == ["first", "second"]
    viewer.layers.remove(first)
    assert choices(dock) == ["first"]
    viewer.layers.clear()
    assert choices(dock) == []
    assert not dock.undersample.isEnabled()


def test_choosing_what_cannot_be_undersampled_says_so(viewer, opened_dock, opened, tmp_path, ready, ordered):
    (source,) = opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    ordered(dock).answer(np.ones((1, 8, 48, 40)))
    dock.choose_layer(viewer.layers[1])
    assert "choose the scan that it was made from" in dock.status.text()
    assert dock.choice.layer is not None
    dock.choose_layer(source)
    viewer.layers.remove(source)
    dock.choose_layer(source)
    assert "not in the viewer any more" in dock.status.text()


def test_replaced_voxels_are_looked_through_again(qtbot, opened_dock, opened, tmp_path, ready, ordered):
    path = write_head(tmp_path / "head.nii.gz")
    (layer,) = opened(path)
    dock = ready(opened_dock())
    layer.data = np.asarray(layer.data) * 2
    assert not dock.undersample.isEnabled()
    assert dock.form.words.text() == "…"
    order = ordered(ready(dock))
    assert order.command["scan"] != str(path)


@pytest.mark.parametrize("name", ["head.nii.gz", "head.nii", "head.mgz", "head.mgh"])
def test_open_file_opens_it_and_chooses_it(qtbot, opened_dock, opened, tmp_path, monkeypatch, ready, orders, name):
    opened(write_head(tmp_path / "first.nii.gz"))
    path = tmp_path / name
    if name.startswith("head.mg"):
        nibabel.save(nibabel.freesurfer.MGHImage(np.ones((20, 24, 3), np.float32), np.diag([-1.0, -1, 3, 1])), path)
    else:
        write_head(path)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dock = opened_dock()
    dock.open_file.click()
    assert not dock.open_file.isEnabled(), "it is read in a thread"
    qtbot.waitUntil(dock.open_file.isEnabled, timeout=SOON)
    ready(dock)
    assert dock.choice.currentText() == "head"


def test_a_damaged_file_is_told_in_one_sentence(qtbot, viewer, opened_dock, tmp_path, monkeypatch, orders):
    path = tmp_path / "cut.nii.gz"
    path.write_bytes(b"nothing")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dock = opened_dock()
    dock.open_file.click()
    qtbot.waitUntil(dock.open_file.isEnabled, timeout=SOON)
    assert dock.open_file.text() == "Open file…"
    assert "cut.nii.gz" in dock.status.text()
    assert len(viewer.layers) == 0
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    dock.open_file.click()


def test_a_dock_closed_while_a_file_is_read_opens_nothing(qtbot, viewer, opened_dock, tmp_path, monkeypatch, orders):
    path = write_head(tmp_path / "head.nii.gz")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    is_closed, is_read = threading.Event(), threading.Event()

    def load_late(file, **_options):
        assert is_closed.wait(SOON / 1000)
        is_read.set()
        return load(file)

    monkeypatch.setattr(file_opening, "load", load_late)
    dock = opened_dock()
    dock.open_file.click()
    with qtbot.waitSignal(dock.destroyed, timeout=SOON):
        viewer.window.remove_dock_widget(dock)
    is_closed.set()
    qtbot.waitUntil(is_read.is_set, timeout=SOON)
    qtbot.wait(300)
    assert len(viewer.layers) == 0


def test_names_are_shown_as_they_are(viewer, opened_dock, orders):
    name = "<b>T1</b> & T2"
    viewer.add_image(np.ones((2, 3, 24, 20)), name=name)
    photo = viewer.add_image(np.ones((8, 48, 3)), rgb=True, name=name)
    dock = opened_dock()
    dock.choose_layer(photo)
    assert dock.status.text().startswith(photo.name)
    for label in (dock.facts, dock.notes, dock.status, dock.remarks, dock.form.words):
        assert label.textFormat() == Qt.TextFormat.PlainText


def test_a_dock_closed_and_opened_again_shows_the_measurement_on_its_way(
    qtbot, viewer, opened_dock, opened, tmp_path, ready, ordered
):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    order = ordered(dock)
    with qtbot.waitSignal(dock.destroyed, timeout=SOON):
        viewer.window.remove_dock_widget(dock)
    viewer.layers[0].name = "renamed with no dock open"
    again = opened_dock()
    assert again is not dock
    assert not again.stop.isHidden()
    order.answer(np.ones((1, 8, 48, 40)))
    assert len(viewer.layers) == 2
    assert again.stop.isHidden()
    assert again.remarks.text() == "Simulated."


def test_a_closed_dock_leaves_nothing_behind(qtbot, viewer, opened_dock, opened, tmp_path, ready, orders):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    gone = weakref.ref(dock)
    with qtbot.waitSignal(dock.destroyed, timeout=SOON):
        viewer.window.remove_dock_widget(dock)
    del dock
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None, timeout=SOON)
    viewer.theme = "light"
    viewer.layers.clear()


def test_a_deleted_layer_is_not_kept_in_memory(qtbot, viewer, opened_dock, opened, tmp_path, ready, orders):
    (layer,) = opened(write_head(tmp_path / "head.nii.gz"))
    ready(opened_dock())
    voxels = weakref.ref(layer.data.base if layer.data.base is not None else layer.data)
    del layer
    viewer.layers.clear()
    qtbot.waitUntil(lambda: gc.collect() >= 0 and voxels() is None, timeout=SOON)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_wider_than_a_dock_of_320_pixels(viewer, opened_dock, opened, tmp_path, ready, orders, theme):
    viewer.theme = theme
    opened(write_head(tmp_path / f"{'a_very_long_name_' * 5}.nii.gz"))
    dock = ready(opened_dock())
    dock.form.fields["add_noise"].value = True
    content = dock.undersample.parentWidget()
    assert content.minimumSizeHint().width() + dock.style().pixelMetric(SCROLL_BAR) <= dock.minimumWidth() <= 320
