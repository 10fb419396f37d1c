"""A scan becomes layers and comes back: shape, scale, window, identity. Other layers are taken for what they are."""

import numpy as np
import pytest
from napari.layers import Image, Points
from scan_files import affine_of, some_voxels, write_scan

from napari_mritransfer.io import Origin, Scan, load, save
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.layers import (
    KEY,
    acquired_scan,
    find_layer,
    identity,
    is_scan_layer,
    layer_scan,
    scan_layers,
)


@pytest.fixture
def scan(tmp_path) -> Scan:
    return load(write_scan(tmp_path / "head.nii", some_voxels(6, 5, 4), affine_of("coronal", tilt_deg=8)))


@pytest.fixture
def complex_scan(tmp_path) -> Scan:
    voxels = some_voxels(6, 5, 4) * np.exp(1j * some_voxels(6, 5, 4, seed=1))
    return load(write_scan(tmp_path / "complex.nii", voxels.astype(np.complex64)))


def as_layers(scan: Scan, **options: object) -> list[Image]:
    return [Image(data, **settings) for data, settings, kind in scan_layers(scan, **options) if kind == "image"]


def test_a_layer_is_slice_y_x_with_voxels_in_mm(scan):
    (layer,) = as_layers(scan)
    assert layer.name == "head"
    np.testing.assert_array_equal(layer.data, scan.image[0])
    assert tuple(layer.scale) == scan.spacing_mm
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("slice", "y", "x")


def test_several_frames_come_first(tmp_path):
    scan = load(write_scan(tmp_path / "echoes.nii.gz", some_voxels(6, 5, 4, 3)))
    (layer,) = as_layers(scan)
    assert layer.data.shape == (3, 4, 5, 6)
    np.testing.assert_allclose(layer.scale, (1, 4, 2.5, 2))
    assert layer.axis_labels == ("frame", "slice", "y", "x")
    assert [str(unit) for unit in layer.units] == ["pixel"] + ["millimeter"] * 3


def test_metadata_hold_the_scan_its_kind_and_its_notes(scan):
    (layer,) = as_layers(scan, kind="zero-filled", extra={"measurement": 7})
    entry = layer.metadata[KEY]
    assert entry["scan"] is scan
    assert entry["kind"] == "zero-filled"
    assert entry["measurement"] == 7
    assert "oblique by 8.0°" in entry["notes"]


def test_the_window_ignores_a_few_very_bright_voxels(scan):
    image = np.full((1, 4, 50, 50), 10, dtype=np.float32)
    image[0, 0, 0, :3] = 1e6
    (layer,) = as_layers(Scan(image, scan.affine, scan.axes, scan.spacing_mm, Origin.MAGNITUDE))
    assert layer.contrast_limits == [0, 10]


@pytest.mark.parametrize("value", [0, -5])
def test_a_flat_image_gets_a_window_too(scan, value):
    (layer,) = as_layers(scan.with_image(np.full(scan.image.shape, value)))
    bottom, top = layer.contrast_limits
    assert bottom < top


def test_complex_voxels_become_phase_and_magnitude_with_the_magnitude_on_top(complex_scan):
    phase, magnitude = as_layers(complex_scan)
    assert (phase.name, magnitude.name) == ("complex phase", "complex magnitude")
    assert (phase.visible, magnitude.visible) == (False, True)
    np.testing.assert_allclose(
        magnitude.data * np.exp(1j * phase.data.astype(np.complex128)), complex_scan.image[0], rtol=1e-5
    )
    assert phase.contrast_limits == [-np.pi, np.pi]
    assert phase.colormap.name != magnitude.colormap.name


def test_the_whole_complex_scan_is_undersampled_unless_its_magnitude_was_changed(complex_scan):
    phase, magnitude = as_layers(complex_scan)
    assert acquired_scan(magnitude) is complex_scan
    assert layer_scan(magnitude).origin is Origin.MAGNITUDE
    magnitude.data = magnitude.data * 2
    changed = acquired_scan(magnitude)
    np.testing.assert_allclose(changed.image, 2 * np.abs(complex_scan.image))
    with pytest.raises(BadInput, match="choose the magnitude layer"):
        acquired_scan(phase)


def test_a_layers_present_voxels_come_back_with_its_scans_geometry(scan):
    (layer,) = as_layers(scan)
    layer.data = layer.data.astype(np.float64) * 3
    layer.name = "renamed"
    back = layer_scan(layer)
    np.testing.assert_allclose(back.image, scan.image * 3)
    assert back.image.dtype == np.float32
    assert (back.affine == scan.affine).all()
    assert (back.axes, back.header, back.name) == (scan.axes, scan.header, "renamed")


def test_identity_outlives_renaming_and_moving(viewer, scan):
    first, second = as_layers(scan) + as_layers(scan)
    viewer.layers.extend([first, second])
    wanted = identity(first)
    first.name, second.name = "other", "head"
    viewer.layers.move(0, 2)
    assert find_layer(viewer.layers, wanted).name == "other"
    assert identity(second) != wanted
    viewer.layers.remove(first)
    assert find_layer(viewer.layers, wanted) is None


def test_a_projection_has_lost_its_geometry(scan):
    (layer,) = as_layers(scan)
    projection = Image(layer.data.max(axis=0), metadata=layer.metadata)
    assert is_scan_layer(layer)
    assert not is_scan_layer(projection)
    assert identity(projection) is None
    assert not layer_scan(projection).sides_known


@pytest.mark.parametrize(("shape", "frames"), [((5, 6), 1), ((4, 5, 6), 1), ((3, 4, 5, 6), 3)])
def test_a_foreign_layer_is_a_scan_of_unknown_geometry(shape, frames):
    layer = Image(some_voxels(*shape), scale=(1, 4, 2.5, 2)[-len(shape) :])
    scan = layer_scan(layer)
    assert identity(layer) is None
    np.testing.assert_array_equal(scan.image.reshape(shape), layer.data)
    assert scan.image.shape[0] == frames
    assert scan.spacing_mm == (4 if len(shape) > 2 else 1, 2.5, 2)
    assert scan.axes.directions == "SPL"
    assert not scan.sides_known


def test_a_foreign_layers_micrometres_are_converted():
    layer = Image(some_voxels(4, 5, 6), scale=(4000, 500, 500), units="um")
    assert layer_scan(layer).spacing_mm == pytest.approx((4, 0.5, 0.5))


def with_a_hole() -> np.ndarray:
    voxels = some_voxels(4, 5, 6)
    voxels[0, 0, 0] = np.nan
    return voxels


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (lambda: Points(np.zeros((1, 3)), name="dots"), "dots is not an image layer"),
        (lambda: Image(np.zeros((5, 6, 3), dtype=np.uint8), rgb=True, name="photo"), "photo is a colour"),
        (lambda: Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True, name="map"), "map is a colour or multi"),
        (lambda: Image(np.zeros((2, 2, 3, 4, 5)), name="five"), "five has 5 axes"),
        (lambda: Image(with_a_hole(), name="hole", contrast_limits=(0, 1)), "hole has voxels that are not finite"),
    ],
)
def test_layers_that_cannot_be_scans_are_refused_in_a_sentence(layer, told):
    with pytest.raises(BadInput, match=told):
        layer_scan(layer())


def test_a_layer_that_is_no_scan_keeps_its_place_and_names_no_side(tmp_path):
    voxels = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    scan = layer_scan(Image(voxels, name="mine", scale=(5, 3, 2)))
    np.testing.assert_array_equal(scan.image[0], voxels)
    assert scan.spacing_mm == (5, 3, 2)
    assert not scan.sides_known
    save(scan, tmp_path / "mine.nii.gz")
    again = load(tmp_path / "mine.nii.gz")
    np.testing.assert_array_equal(again.image[0], voxels)
    assert not again.sides_known
