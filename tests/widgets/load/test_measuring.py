"""From the "Undersample" button to the layer; the worker is a real process in the last two tests."""

import os
import signal
from pathlib import Path

import nibabel
import numpy as np
import pytest
from heads import write_head

from napari_mritransfer.io import Origin
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.events import Failed, Stopped
from napari_mritransfer.widgets.examination import examine
from napari_mritransfer.widgets.layers import KEY, identity
from napari_mritransfer.widgets.measuring import measuring_of
from napari_mritransfer.widgets.session import Session, session_of

SOON = 10_000  # ms; the machine may be busy


def write_complex(path: Path, *, keep: list[int] | None = None) -> Path:
    """A complex head, (40, 48, 4) in the file; with `keep`, only these lines along y were measured."""
    voxels = nibabel.load(write_head(path.with_name("real.nii.gz"), slices=4)).get_fdata()
    image = voxels * np.exp(1j * np.linspace(0, 2, 48))[None, :, None]
    if keep is not None:
        kspace = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(image, axes=1), axis=1), axes=1)
        gone = np.setdiff1d(np.arange(48), keep)
        kspace[:, gone] = 0
        image = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(kspace, axes=1), axis=1), axes=1)
    nibabel.save(nibabel.Nifti1Image(image.astype(np.complex64), np.diag([-2.0, -2, 4, 1])), path)
    return path


def test_the_exact_command_is_handed_to_the_worker(opened_dock, opened, tmp_path, ready, ordered, run_folder):
    path = write_head(tmp_path / "head.nii.gz")
    opened(path)
    dock = ready(opened_dock())
    dock.form.fields["kind"].value = MaskKind.GAUSSIAN
    dock.form.fields["rate_percent"].value = 50.0
    dock.form.fields["seed"].value = 7
    dock.form.fields["add_noise"].value = True
    dock.form.fields["snr_db"].value = 20.0
    order = ordered(dock)
    sampling = Sampling(SamplingPattern(MaskKind.GAUSSIAN, 0.5, 0.08, 7), snr_db=20.0, noise_seed=7)
    out = Path(order.command["out"])
    assert order.command == {
        "command": "undersample", "scan": str(path), "sampling": sampling.as_record(), "out": str(out),
    }  # fmt: skip
    assert out.parent == run_folder / "measurements"
    assert Sampling.from_record(order.command["sampling"]) == sampling


def test_the_zero_filled_layer_lies_above_its_source_in_the_same_window(
    viewer, opened_dock, opened, tmp_path, ready, ordered
):
    (source,) = opened(write_head(tmp_path / "head.nii.gz"))
    opened(write_head(tmp_path / "other.nii.gz", seed=1))
    source.contrast_limits = (10, 300)
    dock = opened_dock()
    dock.choose_layer(source)
    order = ordered(ready(dock))
    image = np.random.default_rng(0).uniform(0, 9, (1, 8, 48, 40))
    order.answer(image)
    assert [layer.name for layer in viewer.layers] == ["head", "head zero-filled 25 %", "other"]
    layer = viewer.layers[1]
    np.testing.assert_allclose(layer.data, image[0], rtol=1e-6)
    assert tuple(layer.contrast_limits) == (10, 300)
    assert layer.metadata[KEY]["kind"] == "zero-filled"
    assert layer.metadata[KEY]["scan"].origin is Origin.SIMULATED
    np.testing.assert_array_equal(layer.scale, source.scale)
    assert dock.choice.layer is not None
    assert dock.choice.currentText() == "head"
    assert dock.choice.count() == 2  # what was made from a scan is not offered
    (measurement,) = session_of(viewer).measurements
    assert measurement.name == "25 %: head"
    assert measurement.layer == identity(layer)
    assert measurement.source_layer == identity(source)
    assert measurement.scan == tmp_path / "head.nii.gz"
    assert measurement.sampling.as_record() == order.command["sampling"]
    assert measurement.warnings == ("Simulated.",)
    assert measurement.has_reference
    assert dock.remarks.text() == "Simulated."
    assert dock.status.text() == "nominal 25.0%, achieved 25.0%."


def test_while_it_is_measured_the_button_waits_and_stop_stops(viewer, opened_dock, opened, tmp_path, ready, ordered):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    assert dock.stop.isHidden()
    order = ordered(dock)
    assert not dock.undersample.isEnabled()
    assert not dock.bar.isHidden()
    dock.stop.click()
    assert order.was_stopped
    order.ended.emit(Stopped(0, 0, None))
    assert dock.status.text() == "Stopped."
    assert dock.stop.isHidden()
    assert dock.bar.isHidden()
    assert dock.undersample.isEnabled()
    assert len(viewer.layers) == 1


def test_a_stop_before_the_worker_was_asked_asks_it_nothing(qtbot, opened_dock, opened, tmp_path, ready, orders):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    dock.undersample.click()
    dock.stop.click()
    qtbot.waitUntil(dock.undersample.isEnabled, timeout=SOON)
    assert dock.status.text() == "Stopped."
    assert orders == []


def test_a_failure_is_told_and_the_next_try_works(viewer, opened_dock, opened, tmp_path, ready, ordered):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    ordered(dock).ended.emit(Failed("The disk is full; free some space.", 0))
    assert dock.status.text() == "The disk is full; free some space."
    assert "color" in dock.status.styleSheet()
    assert len(viewer.layers) == 1
    assert session_of(viewer).measurements == []
    ordered(dock).answer(np.ones((1, 8, 48, 40)))
    assert "color" not in dock.status.styleSheet()
    assert len(viewer.layers) == 2


def test_a_run_folder_that_cannot_be_made_is_told(qtbot, opened_dock, opened, tmp_path, ready, orders, run_folder):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    run_folder.write_text("a file where the folder should be")
    dock.undersample.click()
    assert "check the run folder under Preferences" in dock.status.text()
    assert dock.undersample.isEnabled()
    assert orders == []


def test_a_result_that_was_deleted_meanwhile_is_told(viewer, opened_dock, opened, tmp_path, ready, ordered):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    order = ordered(dock)
    order.answer(np.ones((1, 8, 48, 40)), zero_filled=str(tmp_path / "gone.npy"))
    assert "could not be read" in dock.status.text()
    assert len(viewer.layers) == 1
    assert dock.undersample.isEnabled()


def test_a_layer_without_a_file_is_written_for_the_worker(viewer, opened_dock, ready, ordered, run_folder):
    voxels = np.random.default_rng(0).uniform(0, 9, (3, 24, 20)).astype(np.float32)
    source = viewer.add_image(voxels, name="painted", scale=(3, 2, 2), translate=(5, 6, 7), rotate=(0, 0, 30))
    dock = ready(opened_dock())
    assert "which side of the patient" in dock.notes.text()
    order = ordered(dock)
    assert Path(order.command["scan"]).parent == run_folder / "inputs"
    assert Path(order.command["scan"]).is_file()
    order.answer(np.ones((1, 3, 24, 20)))
    layer = viewer.layers[1]
    assert layer.name == "painted zero-filled 25 %"
    np.testing.assert_allclose(layer.extent.world, source.extent.world)
    assert layer.units == source.units


def test_a_single_slice_can_be_undersampled(viewer, opened_dock, ready, ordered):
    viewer.add_image(np.random.default_rng(0).uniform(0, 9, (24, 20)).astype(np.float32), name="slice")
    ordered(ready(opened_dock())).answer(np.ones((1, 1, 24, 20)))
    assert viewer.layers[1].data.shape == (1, 24, 20)


def test_a_complex_scan_can_be_taken_as_it_was_measured(viewer, opened_dock, opened, tmp_path, ready, ordered):
    path = write_complex(tmp_path / "complex.nii.gz")
    opened(path)
    dock = ready(opened_dock())
    assert dock.choice.count() == 1  # the phase is not offered
    dock.form.fields["as_measured"].value = True
    order = ordered(dock)
    assert order.command["scan"] == str(path)
    assert order.command["sampling"] == Sampling(as_measured=True).as_record()
    order.answer(np.ones((1, 4, 48, 40)), has_reference=False)
    layer = viewer.layers[-1]
    assert layer.name == "complex zero-filled"
    assert layer.metadata[KEY]["scan"].origin is Origin.MAGNITUDE
    assert session_of(viewer).measurements[0].name == "as measured: complex"
    assert not session_of(viewer).measurements[0].has_reference
    assert list(np.flatnonzero(dock.form.picture.lines)) == [2, 3, 4]


@pytest.mark.parametrize("event", ["deleted", "renamed", "moved"])
def test_the_result_arrives_whatever_happened_to_its_source(
    viewer, opened_dock, opened, tmp_path, ready, ordered, event
):
    (source,) = opened(write_head(tmp_path / "head.nii.gz"))
    opened(write_head(tmp_path / "other.nii.gz"))
    dock = opened_dock()
    dock.choose_layer(source)
    order = ordered(ready(dock))
    if event == "deleted":
        viewer.layers.remove(source)
    elif event == "renamed":
        source.name = "something else"
    else:
        viewer.layers.move(0, 2)
    order.answer(np.ones((1, 8, 48, 40)))
    names = [layer.name for layer in viewer.layers]
    assert (
        names
        == {
            "deleted": ["other", "head zero-filled 25 %"],
            "renamed": ["something else", "head zero-filled 25 %", "other"],
            "moved": ["other", "head", "head zero-filled 25 %"],
        }[event]
    )
    assert len(session_of(viewer).measurements) == 1


def test_a_result_for_a_closed_window_is_dropped(viewer, opened_dock, opened, tmp_path, ready, ordered):
    opened(write_head(tmp_path / "head.nii.gz"))
    order = ordered(ready(opened_dock()))
    measuring_of(session_of(viewer)).close()
    order.answer(np.ones((1, 8, 48, 40)), is_awaited=False)
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("event", ["stopped", "closed"])
def test_a_result_that_is_being_read_can_still_be_refused(
    qtbot, viewer, opened_dock, opened, tmp_path, ready, ordered, event
):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    ordered(dock).answer(np.ones((1, 8, 48, 40)), is_awaited=False)
    assert len(viewer.layers) == 1, "it is read in a thread"
    measuring = measuring_of(session_of(viewer))
    measuring.stop() if event == "stopped" else measuring.close()
    qtbot.wait(300)
    assert len(viewer.layers) == 1
    assert measuring.is_busy == (event == "closed")


def test_two_viewers_measure_on_their_own(
    make_napari_viewer_proxy, viewer, opened_dock, opened, tmp_path, ready, ordered
):
    other = make_napari_viewer_proxy()
    opened(write_head(tmp_path / "head.nii.gz"))
    dock, second = ready(opened_dock()), opened_dock(other)
    order = ordered(dock)
    assert second.stop.isHidden()
    order.answer(np.ones((1, 8, 48, 40)))
    assert len(viewer.layers) == 2
    assert len(other.layers) == 0
    assert session_of(other).measurements == []


def test_measuring_refuses_a_second_start(viewer, opened_dock, opened, tmp_path, ready, ordered):
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    ordered(dock)
    with pytest.raises(RuntimeError, match="wait for it or stop it"):
        measuring_of(session_of(viewer)).start(examine(dock.choice.layer), Sampling())


def test_the_worker_undersamples_a_sample(qtbot, viewer, opened_dock, opened, tmp_path, ready, run_folder):
    """From the button to the layer, through a real process; then the same with a complex scan as measured."""
    keep = [*range(0, 48, 5), *range(20, 29)]
    opened(write_head(tmp_path / "head.nii.gz"), write_complex(tmp_path / "complex.nii.gz", keep=keep))
    source, magnitude = viewer.layers["head"], viewer.layers["complex magnitude"]
    dock = opened_dock()
    dock.choose_layer(source)
    ready(dock).undersample.click()
    qtbot.waitUntil(lambda: "head zero-filled 40 %" in viewer.layers, timeout=60_000)
    zero_filled = np.asarray(viewer.layers["head zero-filled 40 %"].data)
    assert 0.01 < np.linalg.norm(zero_filled - source.data) / np.linalg.norm(source.data) < 0.5
    assert "simulated from a magnitude image" in dock.remarks.text()

    dock.choose_layer(magnitude)
    ready(dock)
    dock.form.fields["as_measured"].value = True
    dock.undersample.click()
    qtbot.waitUntil(lambda: "complex zero-filled" in viewer.layers, timeout=60_000)
    np.testing.assert_allclose(viewer.layers["complex zero-filled"].data, magnitude.data, atol=1e-3)
    assert set(np.flatnonzero(dock.form.picture.lines)) == set(keep)
    assert not session_of(viewer).measurements[1].has_reference


def test_a_killed_worker_is_told_and_replaced(qtbot, viewer, opened_dock, opened, tmp_path, ready, monkeypatch):
    really, sent = Session.request, []
    monkeypatch.setattr(Session, "request", lambda *given: sent.append(really(*given)) or sent[-1])
    opened(write_head(tmp_path / "head.nii.gz"))
    dock = ready(opened_dock())
    dock.undersample.click()
    qtbot.waitUntil(lambda: bool(sent), timeout=SOON)
    os.kill(session_of(viewer).client.pid, signal.SIGKILL)  # from outside, as a crash
    qtbot.waitUntil(dock.undersample.isEnabled, timeout=SOON)
    assert "worker process ended" in dock.status.text()
    dock.undersample.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
