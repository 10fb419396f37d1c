"""Raw k-space in a real viewer: opened without being read, looked at in every way, one slice at a time."""

import numpy as np
import pytest
from npe2 import plugin_manager
from raw_files import SHAPE, raw_samples, scattered, write_raw

from napari_mritransfer.io import load
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.physics.centred import inverse_transform
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.widgets.layer_choice import is_offered
from napari_mritransfer.widgets.layers import KEY, acquired_scan, layer_scan
from napari_mritransfer.widgets.session import session_of

PLUGIN = "napari-mritransfer"
SOON = 10_000  # ms; the machine may be busy
N_SLICES, N_COILS = SHAPE[1:3]


@pytest.fixture
def touched(monkeypatch) -> list[int]:
    """Every slice that was asked for, in order."""
    seen: list[int] = []
    really = KSpace.slice

    def counted(self, frame, index):
        seen.append(index)
        return really(self, frame, index)

    monkeypatch.setattr(KSpace, "slice", counted)
    return seen


@pytest.fixture
def examined(qtbot, opened_dock, orders):
    """The dock, when it knows the scan's k-space and what to think of it."""

    def wait():
        dock = opened_dock()
        qtbot.waitUntil(lambda: not dock.kspace.isHidden() and dock.findings.pending.isHidden(), timeout=SOON)
        return dock

    return wait


def root_sum_of_squares(samples: np.ndarray) -> np.ndarray:
    return np.sqrt((np.abs(inverse_transform(samples)) ** 2).sum(-3))


def shown(viewer, layer) -> np.ndarray:
    """What of a layer is on screen."""
    place = viewer.dims.current_step[viewer.dims.ndim - layer.ndim : viewer.dims.ndim - 2]
    return np.asarray(layer.data[tuple(place)])


@pytest.mark.parametrize("name", ["head.cfl", "head.hdr", "head.h5", "head.mrd"])
def test_dropped_files_open_as_the_image_of_all_coils(viewer, opened, tmp_path, name):
    write_raw(tmp_path / name.replace(".hdr", ".cfl"))
    assert PLUGIN in {reader.plugin_name for reader in plugin_manager.iter_compatible_readers(str(tmp_path / name))}
    (layer,) = opened(tmp_path / name)
    assert layer.axis_labels == ("slice", "y", "x")
    np.testing.assert_allclose(np.asarray(layer.data), root_sum_of_squares(raw_samples())[0], rtol=2e-3, atol=1e-3)


def test_who_drops_both_files_of_a_pair_gets_one_layer(viewer, opened, tmp_path):
    write_raw(tmp_path / "head.cfl")
    opened(tmp_path / "head.cfl", tmp_path / "head.hdr")
    assert [layer.name for layer in viewer.layers] == ["head"]


def test_bare_arrays_are_left_to_napari_when_dropped():
    for name in ("x.npy", "x.npz", "x.mat"):
        assert PLUGIN not in {reader.plugin_name for reader in plugin_manager.iter_compatible_readers(name)}


@pytest.mark.parametrize("name", ["wrong.h5", "wrong.mrd", "wrong.cfl", "wrong.hdr"])
def test_files_that_are_something_else_say_so_in_one_sentence(viewer, opened, tmp_path, name):
    for ending in ("cfl", "hdr", name[-3:].strip(".")):
        (tmp_path / f"wrong.{ending}").write_bytes(b"not what its name says")
    with pytest.raises(ValueError, match=rf"^{name[:5]}.*\.$"):
        opened(tmp_path / name)
    assert len(viewer.layers) == 0


def test_opening_reads_the_slice_that_is_shown_and_scrolling_one_at_a_time(viewer, opened, tmp_path, touched):
    path = write_raw(tmp_path / "head.cfl")
    touched.clear()
    (layer,) = opened(path)
    assert isinstance(layer.data, LazyStack)
    assert set(touched) <= {0, N_SLICES // 2}  # napari makes layers at slice 0 and then moves to the middle
    for index in range(N_SLICES):
        before = len(touched)
        viewer.dims.set_current_step(0, index)
        assert set(touched[before:]) <= {index}
    touched.clear()
    assert acquired_scan(layer) is layer.metadata[KEY]["scan"]
    assert layer_scan(layer) is layer.metadata[KEY]["scan"]
    assert session_of(viewer).file_at_hand(layer) == path
    assert touched == []


def test_in_3d_the_whole_volume_is_shown(viewer, opened, tmp_path):
    (layer,) = opened(write_raw(tmp_path / "head.cfl"))
    viewer.dims.ndisplay = 3
    assert layer._slice.image.raw.shape == SHAPE[1:2] + SHAPE[3:]
    viewer.dims.ndisplay = 2


def test_the_section_tells_what_was_measured_and_how_noisy_it_is(opened, tmp_path, examined):
    samples, sampled = scattered(raw_samples())
    opened(write_raw(tmp_path / "head.cfl", samples))
    dock = examined()
    assert f"3 coils, 28 × 32 samples (kx × ky); {100 * sampled.mean():.1f} % measured" in dock.kspace.facts.text()
    np.testing.assert_array_equal(dock.kspace.picture.lines, sampled)
    middle = float(np.median(noise_sigma(samples[0, N_SLICES // 2], sampled)))
    assert dock.kspace.noise.text().startswith(f"Noise: about {middle:.2g} in each coil")


def test_images_have_no_section_on_kspace(viewer, opened_dock, orders, ready):
    viewer.add_image(np.random.default_rng(0).random((3, 24, 20)), name="plain")
    assert ready(opened_dock()).kspace.isHidden()


def test_each_view_shows_what_numpy_computes(viewer, opened, tmp_path, examined):
    (source,) = opened(write_raw(tmp_path / "head.cfl"))
    dock, samples = examined(), raw_samples()[0]
    for box in dock.kspace.boxes.values():
        box.click()
    layers = {layer.metadata[KEY]["part"]: layer for layer in viewer.layers if layer is not source}
    assert set(layers) == {"kspace", "coils", "phases", "magnitude", "phase", "mask"}
    # the coils got a slider of their own, in front, and the slices kept theirs
    viewer.dims.set_current_step([0, 1], [2, 4])
    images = inverse_transform(samples[4])
    magnitude = np.abs(samples[4])
    expected = {
        "kspace": np.maximum(20 * np.log10(magnitude[2] / magnitude.max()), -80),
        "coils": np.abs(images[2]),
        "phases": np.angle(images[2]),
        "mask": np.ones(SHAPE[-2:]),
    }
    for part, wanted in expected.items():
        np.testing.assert_allclose(shown(viewer, layers[part]), wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())
    combined = np.asarray(shown(viewer, layers["magnitude"]))
    np.testing.assert_allclose(combined, root_sum_of_squares(samples[4]), atol=0.25 * combined.max())
    assert layers["kspace"].axis_labels == ("coil", "slice", "ky", "kx")
    assert layers["kspace"].contrast_limits == [-80, 0]
    np.testing.assert_allclose(layers["kspace"].extent.world[:, -2:], source.extent.world[:, -2:])
    assert not any(is_offered(layer) for layer in layers.values())


def test_a_view_reads_no_slice_but_the_one_on_screen(viewer, opened, tmp_path, examined, touched):
    opened(write_raw(tmp_path / "head.cfl"))
    dock = examined()
    viewer.dims.set_current_step(0, 1)
    for box in dock.kspace.boxes.values():
        touched.clear()
        box.click()
        assert set(touched) <= {0, 1, N_SLICES // 2}  # where napari makes layers, and the middle one for the window
    assert viewer.dims.current_step[:2] == (0, 1)


def test_unticking_removes_what_ticking_added_and_so_does_deleting_the_layer(viewer, opened, tmp_path, examined):
    opened(write_raw(tmp_path / "head.cfl"))
    box = examined().kspace.boxes["combined"]
    box.click()
    assert [layer.name for layer in viewer.layers] == ["head", "head combined phase", "head combined magnitude"]
    box.click()
    assert [layer.name for layer in viewer.layers] == ["head"]
    assert viewer.layers.selection.active.name == "head"
    box.click()
    viewer.layers.remove("head combined phase")
    assert box.isChecked()
    viewer.layers.remove("head combined magnitude")
    assert not box.isChecked()


def test_what_was_asked_for_last_is_on_top(viewer, opened, tmp_path, examined, ready):
    opened(write_raw(tmp_path / "head.cfl"), write_raw(tmp_path / "other.cfl"))
    dock = examined()
    dock.choose_layer(viewer.layers["head"])
    ready(dock).kspace.boxes["kspace"].click()
    dock.kspace.boxes["coils"].click()
    assert [layer.name for layer in viewer.layers] == ["head", "head k-space", "head coil images", "other"]


def test_over_kspace_there_is_no_scale_bar_and_beside_it_there_is(viewer, opened, tmp_path, examined):
    opened(write_raw(tmp_path / "head.cfl"))
    bar, box = viewer.canvas.overlays.scale_bar, examined().kspace.boxes["kspace"]
    assert bar.visible
    box.click()
    assert not bar.visible
    viewer.layers["head k-space"].visible = False
    assert bar.visible
    viewer.layers["head k-space"].visible = True
    box.click()
    assert bar.visible


def test_several_frames_keep_their_slider(viewer, opened, tmp_path, examined):
    samples = raw_samples((2, 3, 2, 16, 14))
    opened(write_raw(tmp_path / "echoes.cfl", samples))
    examined().kspace.boxes["coils"].click()
    layer = viewer.layers["echoes coil images"]
    assert layer.axis_labels == ("coil", "frame", "slice", "y", "x")
    np.testing.assert_allclose(
        np.asarray(layer.data[1, 1, 2]), np.abs(inverse_transform(samples[1, 2, 1])), rtol=1e-3, atol=1e-3
    )


def test_a_single_coil_needs_no_slider(viewer, opened, tmp_path, examined):
    samples = raw_samples((1, 3, 1, 16, 14))
    opened(write_raw(tmp_path / "one.cfl", samples))
    dock = examined()
    dock.kspace.boxes["kspace"].click()
    assert viewer.layers["one k-space"].axis_labels == ("slice", "ky", "kx")
    assert "1 coil," in dock.kspace.facts.text()


def test_a_file_cut_off_while_it_is_looked_at_is_told(viewer, opened, tmp_path, examined):
    path = write_raw(tmp_path / "head.cfl")
    opened(path)
    dock = examined()
    viewer.dims.set_current_step(0, 0)
    path.write_bytes(path.read_bytes()[:2000])
    dock.kspace.boxes["coils"].click()  # looks at the middle slice
    assert dock.status.text().startswith("head.cfl")
    assert not dock.kspace.boxes["coils"].isChecked()


def test_a_dock_closed_while_it_examines_leaves_no_trace(qtbot, viewer, opened, opened_dock, tmp_path, orders):
    opened(write_raw(tmp_path / "head.cfl"))
    dock = opened_dock()
    with qtbot.waitSignal(dock.destroyed, timeout=SOON):
        viewer.window.remove_dock_widget(dock)
    qtbot.wait(300)
    viewer.layers.clear()


def test_the_file_itself_goes_to_the_worker_unless_it_needed_choices(viewer, opened, tmp_path):
    (layer,) = opened(write_raw(tmp_path / "head.cfl"))
    assert session_of(viewer).path_of(layer) == tmp_path / "head.cfl"
    layer.data = np.asarray(layer.data) * 2
    written = session_of(viewer).path_of(layer)
    assert written.name.startswith("head-")
    np.testing.assert_allclose(load(written).image[0], layer.data)
