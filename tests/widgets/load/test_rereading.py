"""Axes that were guessed wrong: the dock lets them be chosen after all."""

import h5py
import numpy as np
import pytest
import scipy.io
from heads import write_head
from raw_files import raw_samples, write_raw

from napari_mritransfer.io import load
from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.layers import KEY, identity
from napari_mritransfer.widgets.rereading import Reading, question_about, reading_of
from napari_mritransfer.widgets.session import session_of

SOON = 10_000  # ms; the machine may be busy


@pytest.fixture
def read(qtbot, viewer, opened_dock, orders):
    """The dock, after a file was opened there without a question."""

    def open_file(path):
        dock = opened_dock()
        count = len(viewer.layers)
        dock.opening.open(path)
        qtbot.waitUntil(lambda: len(viewer.layers) > count and dock.undersample.isEnabled(), timeout=SOON)
        return dock

    return open_file


@pytest.fixture
def asked_again(qtbot):
    def press(dock):
        dock.axes.click()
        qtbot.waitUntil(lambda: dock.opening.dialog is not None, timeout=SOON)
        return dock.opening.dialog

    return press


def answer(qtbot, dialog, dock, *words: str) -> None:
    for box, word in zip(dialog.axes, words, strict=True):
        box.setCurrentText(word)
    dialog.ok.click()
    qtbot.waitUntil(lambda: not dock.opening.is_busy, timeout=SOON)


def slices(tmp_path, n: int = 5):
    """One coil, many slices: looks exactly like one slice and many coils."""
    path = tmp_path / "slices.npy"
    np.save(path, raw_samples((1, n, 1, 32, 28))[0, :, 0])
    return path


def test_a_guess_can_be_corrected_and_the_scan_comes_in_its_place(qtbot, viewer, read, asked_again, opened, tmp_path):
    dock = read(slices(tmp_path))
    opened(write_head(tmp_path / "head.nii.gz"))
    wrong = viewer.layers[0]
    dock.choose_layer(wrong)
    dock.kspace.boxes["combined"].click()
    assert [layer.name.split()[0] for layer in viewer.layers] == ["slices", "slices", "slices", "head"]
    assert dock.axes.isVisibleTo(dock)
    assert "guessed: coil, ky, kx" in dock.notes.text()
    dialog = asked_again(dock)
    assert dialog.options == ArrayOptions(None, "coil,ky,kx", "kspace")
    answer(qtbot, dialog, dock, "slice", "ky", "kx")
    assert [layer.name for layer in viewer.layers] == ["slices", "head"]
    assert identity(dock.choice.layer) == identity(viewer.layers[0]) != identity(wrong)
    assert viewer.layers[0].data.shape == (5, 32, 28)
    assert dock.axes.isEnabled()
    assert dock.open_file.isEnabled()


def test_what_was_chosen_is_filled_in_the_next_time_and_reaches_the_worker(qtbot, viewer, read, asked_again, tmp_path):
    dock = read(slices(tmp_path))
    answer(qtbot, asked_again(dock), dock, "slice", "kx", "ky")
    (layer,) = viewer.layers
    dialog = asked_again(dock)
    assert dialog.options == ArrayOptions(None, "slice,kx,ky", "kspace")
    dialog.reject()
    assert [*viewer.layers] == [layer]
    assert dock.axes.isEnabled()
    copy = load(session_of(viewer).path_of(layer))
    assert copy.kspace.shape == (1, 5, 1, 28, 32)


def test_a_complex_image_goes_with_its_phase(qtbot, viewer, read, asked_again, tmp_path):
    dock = read(slices(tmp_path))
    dialog = asked_again(dock)
    dialog.space.setCurrentIndex(dialog.space.findData("image"))
    answer(qtbot, dialog, dock, "slice", "y", "x")
    assert [layer.metadata[KEY]["part"] for layer in viewer.layers] == ["phase", "magnitude"]
    answer(qtbot, asked_again(dock), dock, "frame", "y", "x")
    assert [layer.metadata[KEY]["part"] for layer in viewer.layers] == ["phase", "magnitude"]
    assert viewer.layers[-1].data.shape == (5, 1, 32, 28)


def test_a_layer_deleted_meanwhile_is_not_missed(qtbot, viewer, read, asked_again, tmp_path):
    dock = read(slices(tmp_path))
    dialog = asked_again(dock)
    viewer.layers.clear()
    answer(qtbot, dialog, dock, "slice", "ky", "kx")
    assert len(viewer.layers) == 1


def test_a_file_deleted_meanwhile_is_told(qtbot, viewer, read, tmp_path):
    path = slices(tmp_path)
    dock = read(path)
    path.unlink()
    dock.axes.click()
    qtbot.waitUntil(lambda: not dock.opening.is_busy, timeout=SOON)
    assert "not there any more" in dock.status.text()
    assert dock.axes.isEnabled()
    assert len(viewer.layers) == 1


def test_files_that_say_what_they_are_have_nothing_to_correct(qtbot, viewer, opened_dock, opened, tmp_path, orders):
    opened(write_raw(tmp_path / "raw.cfl"), write_raw(tmp_path / "raw.h5"), write_head(tmp_path / "head.nii.gz"))
    viewer.add_image(np.ones((3, 24, 20)))
    assert [reading_of(layer) for layer in viewer.layers] == [None] * 4
    assert reading_of(None) is None
    dock = opened_dock()
    qtbot.waitUntil(lambda: dock.undersample.isEnabled(), timeout=SOON)
    assert not dock.axes.isVisibleTo(dock)


@pytest.mark.parametrize("ending", [".npy", ".npz", ".mat", ".h5"])
def test_every_kind_of_bare_array_tells_what_is_in_it(tmp_path, ending):
    samples, path = raw_samples((1, 1, 5, 32, 28))[0, 0], tmp_path / f"bare{ending}"
    if ending == ".npy":
        np.save(path, samples)
    elif ending == ".npz":
        np.savez(path, data=samples, times=np.arange(3.0))
    elif ending == ".mat":
        scipy.io.savemat(path, {"data": samples})
    else:
        with h5py.File(path, "w") as file:
            file["data"] = samples
    assert any("were guessed" in note for note in load(path).notes)
    (only,) = question_about(Reading(path, ArrayOptions(space="kspace"))).candidates
    assert only.shape == samples.shape
    assert only.name == ("" if ending == ".npy" else "data")


def test_a_file_that_became_another_is_told(tmp_path):
    write_raw(tmp_path / "raw.mrd").rename(tmp_path / "bare.h5")
    with pytest.raises(BadInput, match="says itself"):
        question_about(Reading(tmp_path / "bare.h5", ArrayOptions()))
    (tmp_path / "bare.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(BadInput, match="damaged"):
        question_about(Reading(tmp_path / "bare.npy", ArrayOptions()))
