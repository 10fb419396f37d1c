"""Files that do not say what is in them: the dock asks, and the worker gets what was answered."""

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog
from raw_files import raw_samples, raw_scan, write_raw

from napari_mritransfer.io import load
from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions, Candidate
from napari_mritransfer.widgets.array_dialog import ArrayDialog
from napari_mritransfer.widgets.session import session_of

SOON = 10_000  # ms; the machine may be busy
WORDS = ["slice", "coil", "ky", "kx"]


@pytest.fixture
def asked(qtbot, opened_dock, orders):
    """The dock and its dialog, after a file was opened there."""

    def open_file(path):
        dock = opened_dock()
        dock.opening.open(path)
        qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
        return dock, dock.opening.dialog

    return open_file


def words_of(dialog: ArrayDialog) -> list[str]:
    return [box.currentText() for box in dialog.axes]


def test_the_guess_is_filled_in_and_called_a_guess(asked, tmp_path):
    _, dialog = asked(write_raw(tmp_path / "stack.npy"))
    assert "stack.npy" in dialog.windowTitle()
    assert dialog.question.text().startswith("The axes of")
    assert "guesses" in dialog.hint.text()
    assert words_of(dialog) == WORDS
    assert dialog.options == ArrayOptions(None, "slice,coil,ky,kx", "kspace")
    dialog.reject()


def test_the_answer_opens_the_file_and_the_worker_gets_a_copy_that_needs_none(
    qtbot, viewer, asked, tmp_path, run_folder
):
    """(coil, slice) instead of the guessed (slice, coil): by its path alone the worker would read another scan."""
    samples = raw_samples((1, 3, 5, 32, 28))
    path = tmp_path / "stack.npy"
    np.save(path, samples[0].transpose(1, 0, 2, 3))
    dock, dialog = asked(path)
    dialog.axes[0].setCurrentText("coil")
    assert not dialog.ok.isEnabled()
    assert "coil twice" in dialog.problem.text()
    dialog.axes[1].setCurrentText("slice")
    assert dialog.problem.isHidden()
    dialog.ok.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=SOON)
    assert dock.opening.dialog is None
    (layer,) = viewer.layers
    assert layer.data.shape == (3, 32, 28)
    file = session_of(viewer).path_of(layer)
    assert file.parent == run_folder / "inputs"
    assert file.suffix == ".h5"
    np.testing.assert_allclose(load(file).kspace.array(), samples, rtol=1e-5, atol=1e-5)
    assert session_of(viewer).path_of(layer) == file


def test_what_cannot_be_read_like_that_is_told_inside_and_may_be_mended(qtbot, viewer, asked, tmp_path):
    samples = raw_samples((1, 1, 20, 20, 20))[0, 0]
    path = tmp_path / "cube.npy"
    np.save(path, samples.real)
    dock, dialog = asked(path)
    dialog.space.setCurrentIndex(dialog.space.findData("kspace"))
    for box, word in zip(dialog.axes, ["slice", "ky", "kx"], strict=True):
        box.setCurrentText(word)
    dialog.ok.click()
    qtbot.waitUntil(lambda: not dialog.problem.isHidden(), timeout=SOON)
    assert "real numbers" in dialog.problem.text()
    assert len(viewer.layers) == 0
    dialog.space.setCurrentIndex(dialog.space.findData("image"))
    assert words_of(dialog) == ["slice", "y", "x"]
    dialog.ok.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=SOON)
    assert dock.open_file.isEnabled()


def test_cancelling_opens_nothing_and_the_next_file_can_come(qtbot, viewer, asked, tmp_path, monkeypatch):
    path = write_raw(tmp_path / "stack.npy")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dock, dialog = asked(path)
    dock.opening.open(tmp_path / "another.npy")
    assert "another.npy was not opened" in dock.status.text()
    dialog.reject()
    assert not dock.opening.is_busy
    dock.open_file.click()
    qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
    assert not dock.open_file.isEnabled()
    dock.opening.dialog.reject()
    assert dock.open_file.isEnabled()
    assert len(viewer.layers) == 0


def test_dropped_files_that_do_not_say_what_they_are_bring_up_the_dock_that_asks(qtbot, viewer, tmp_path, orders):
    import h5py

    path = tmp_path / "bare.h5"
    with h5py.File(path, "w") as file:
        file["one"], file["other"] = raw_samples()[0], raw_samples()[0]
    viewer.open(str(path), plugin="napari-mritransfer")
    (dock,) = viewer.window.dock_widgets.values()
    qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
    dialog = dock.opening.dialog
    assert [dialog.arrays.itemText(index).split(" ")[0] for index in range(2)] == ["one", "other"]
    dialog.arrays.setCurrentIndex(1)
    assert words_of(dialog) == WORDS
    assert dialog.options.variable == "other"
    dialog.ok.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=SOON)


def test_another_array_has_its_own_axes_and_the_other_space_its_own_words(qtbot):
    arrays = [Candidate("kspace", (8, 64, 48), "complex64"), Candidate("maps", (3, 5, 40, 32), "float32")]
    guess = ArrayOptions("kspace", "coil,ky,kx", "kspace")
    dialog = ArrayDialog("file.mat", AmbiguousArray("Several.", arrays, guess))
    qtbot.addWidget(dialog)
    assert words_of(dialog) == ["coil", "ky", "kx"]
    dialog.space.setCurrentIndex(dialog.space.findData("image"))
    assert words_of(dialog) == ["frame", "y", "x"]
    dialog.arrays.setCurrentIndex(1)
    assert len(words_of(dialog)) == 4
    assert dialog.options.variable == "maps"


def test_a_dock_closed_while_it_asks_takes_the_question_along(qtbot, viewer, asked, tmp_path):
    dock, dialog = asked(write_raw(tmp_path / "stack.npy"))
    gone = []
    for widget in (dock, dialog):
        widget.destroyed.connect(lambda *_: gone.append(1))
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: len(gone) == 2, timeout=SOON)


def test_scans_without_a_file_are_written_for_the_worker_by_what_they_hold(viewer, orders, run_folder):
    from napari.layers import Image

    from napari_mritransfer.widgets.layers import scan_layers

    for seed in (0, 0, 1):
        ((data, settings, _),) = scan_layers(raw_scan(raw_samples(seed=seed)))
        viewer.layers.append(Image(data, **settings))
    paths = [session_of(viewer).path_of(layer) for layer in viewer.layers]
    first, same, other = (path.stem.rpartition("-")[2] for path in paths)
    assert first == same != other
