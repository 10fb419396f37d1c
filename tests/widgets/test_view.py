"""Left and right: the letters, against the patient and against the pixels on the screen."""

import numpy as np
import pytest
from napari.settings import get_plugin_settings
from scan_files import affine_of, some_voxels, write_scan

from napari_mritransfer.widgets import view
from napari_mritransfer.widgets.layers import layer_scan, scan_layers
from napari_mritransfer.widgets.view import attach, convention, letters, set_convention

SIDES = ("top", "bottom", "left", "right")
RADIOLOGICAL = {"axial": "APRL", "sagittal": "SIAP", "coronal": "SIRL"}
NEUROLOGICAL = {"axial": "APLR", "sagittal": "SIPA", "coronal": "SILR"}
EMPTY = dict.fromkeys(SIDES, "")


def told(sides: str) -> dict[str, str]:
    return dict(zip(SIDES, sides, strict=True))


def shown(viewer) -> dict[str, str]:
    """What stands on the canvas."""
    overlays = {side: viewer.canvas.overlays[f"mritransfer_{side}"] for side in SIDES}
    return {side: overlay.text if overlay.visible else "" for side, overlay in overlays.items()}


@pytest.fixture
def open_scan(opened, tmp_path):
    def open_one(orientation: str, *frames: int, tilt_deg: float = 0.0):
        number = len([*tmp_path.iterdir()])
        voxels = some_voxels(6, 5, 4, *frames)
        (layer,) = opened(write_scan(tmp_path / f"{number}.nii", voxels, affine_of(orientation, tilt_deg=tilt_deg)))
        return layer

    return open_one


@pytest.mark.parametrize("orientation", RADIOLOGICAL)
@pytest.mark.parametrize("tilt_deg", [0, 20])
def test_letters_follow_the_view(viewer, open_scan, orientation, tilt_deg):
    layer = open_scan(orientation, tilt_deg=tilt_deg)
    before = layer.data.copy()
    assert convention(viewer) == "radiological"
    assert letters(viewer) == shown(viewer) == told(RADIOLOGICAL[orientation])
    set_convention(viewer, "neurological")
    assert convention(viewer) == "neurological"
    assert shown(viewer) == told(NEUROLOGICAL[orientation])
    np.testing.assert_array_equal(layer.data, before)
    viewer.scene.camera.orientation2d = ("up", "right")
    assert convention(viewer) is None
    top, bottom, left, right = RADIOLOGICAL[orientation]
    assert shown(viewer) == told(bottom + top + left + right)


def test_the_scale_bar_measures_in_mm(viewer, open_scan):
    open_scan("axial")
    assert viewer.canvas.overlays.scale_bar.visible
    assert str(viewer.dims.units[-1]) == "millimeter"


def test_the_preferred_view_is_the_first_one_but_not_forced_again(viewer, open_scan):
    general = get_plugin_settings("napari-mritransfer").general
    general.view = "neurological"
    try:
        open_scan("axial")
        assert shown(viewer) == told(NEUROLOGICAL["axial"])
        set_convention(viewer, "radiological")
        open_scan("axial")
        assert shown(viewer) == told(RADIOLOGICAL["axial"])
    finally:
        general.view = "radiological"


def test_a_view_chosen_in_the_preferences_turns_the_camera_at_once(viewer, open_scan):
    open_scan("axial")
    general = get_plugin_settings("napari-mritransfer").general
    general.view = "neurological"
    assert shown(viewer) == told(NEUROLOGICAL["axial"])
    general.view = "radiological"
    assert shown(viewer) == told(RADIOLOGICAL["axial"])


def test_preferences_can_change_after_a_viewer_was_closed(make_napari_viewer_proxy):
    closed, still_open = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    attach(closed)
    attach(still_open)
    closed.close()
    general = get_plugin_settings("napari-mritransfer").general
    general.view = "neurological"
    assert convention(still_open) == "neurological"
    general.view = "radiological"
    assert convention(still_open) == "radiological"


def test_rolled_and_transposed_axes_get_their_own_letters(viewer, open_scan):
    open_scan("axial", 3)  # frame, slice, y, x
    assert shown(viewer) == told("APRL")
    viewer.dims.order = (0, 2, 1, 3)
    assert shown(viewer) == told("ISRL")
    viewer.dims.order = (0, 1, 3, 2)
    assert shown(viewer) == told("RLAP")
    viewer.dims.order = (1, 2, 0, 3)
    assert shown(viewer) == {**EMPTY, "left": "R", "right": "L"}  # rows are echoes


def test_there_are_no_letters_in_3d(viewer, open_scan):
    open_scan("axial")
    viewer.dims.ndisplay = 3
    assert shown(viewer) == EMPTY
    viewer.dims.ndisplay = 2
    assert shown(viewer) == told("APRL")


def test_letters_are_those_of_the_image_on_top(viewer, open_scan):
    axial, sagittal = open_scan("axial"), open_scan("sagittal")
    assert shown(viewer) == told(RADIOLOGICAL["sagittal"])
    viewer.layers.selection.active = axial  # selected, yet still covered
    assert shown(viewer) == told(RADIOLOGICAL["sagittal"])
    sagittal.visible = False
    assert shown(viewer) == told(RADIOLOGICAL["axial"])
    sagittal.visible = True
    viewer.layers.move(1, 0)
    assert shown(viewer) == told(RADIOLOGICAL["axial"])
    viewer.layers.remove(axial)
    assert shown(viewer) == told(RADIOLOGICAL["sagittal"])
    viewer.layers.clear()
    assert shown(viewer) == EMPTY


def test_images_that_shine_through_each_other_must_agree(viewer, open_scan):
    open_scan("axial")
    coronal = open_scan("coronal")
    coronal.opacity = 0.5
    assert shown(viewer) == EMPTY
    coronal.opacity = 1
    coronal.blending = "additive"
    assert shown(viewer) == EMPTY
    coronal.blending = "translucent"
    assert shown(viewer) == told(RADIOLOGICAL["coronal"])


def test_a_grid_has_letters_in_every_cell_where_all_agree(viewer, open_scan):
    open_scan("axial")
    open_scan("axial")
    viewer.canvas.grid.enabled = True
    assert shown(viewer) == told(RADIOLOGICAL["axial"]) | {"bottom": "", "right": ""}, "two sides tell enough in a cell"
    assert all(viewer.canvas.overlays[f"mritransfer_{side}"].gridded for side in SIDES)
    open_scan("coronal")
    assert shown(viewer) == EMPTY
    viewer.canvas.grid.enabled = False
    assert shown(viewer) == told(RADIOLOGICAL["coronal"])


def test_a_layer_turned_or_mirrored_in_napari_is_still_told_right(viewer, open_scan):
    layer = open_scan("axial")
    layer.scale = (4, 2.5, -2)
    assert shown(viewer) == told("APLR")
    layer.scale = (4, 2.5, 2)
    layer.rotate = 90
    assert shown(viewer)["top"] + shown(viewer)["bottom"] in ("LR", "RL")
    layer.rotate = 45
    assert shown(viewer) == EMPTY


def test_what_is_no_scan_has_no_letters_and_marks_on_a_scan_keep_them(viewer, open_scan):
    open_scan("axial")
    viewer.add_points(np.zeros((1, 3)))
    assert shown(viewer) == told("APRL")
    viewer.add_image(some_voxels(4, 5, 6))
    assert shown(viewer) == EMPTY


def test_attaching_again_changes_nothing(viewer, open_scan):
    open_scan("axial")
    set_convention(viewer, "neurological")
    overlays = {name: id(overlay) for name, overlay in viewer.canvas.overlays.items()}
    attach(viewer)
    attach(view.unwrapped(viewer))
    assert {name: id(overlay) for name, overlay in viewer.canvas.overlays.items()} == overlays
    assert convention(viewer) == "neurological"


def test_a_scan_opened_by_a_script_leaves_the_viewer_used_last_as_it_is(make_napari_viewer_proxy, opened, tmp_path):
    used_last = make_napari_viewer_proxy()
    used_last.scene.camera.orientation2d = ("up", "left")
    used_last.add_image(some_voxels(4, 5, 6))
    path = write_scan(tmp_path / "head.nii", some_voxels(6, 5, 4), affine_of("axial"))
    (layer,) = opened(path)
    assert tuple(map(str, used_last.scene.camera.orientation2d)) == ("up", "left")
    assert not used_last.canvas.overlays.scale_bar.visible
    assert "mritransfer_top" not in used_last.canvas.overlays
    used_last.add_layer(layer)  # now it holds a scan
    assert shown(used_last) == told(RADIOLOGICAL["axial"])
    assert used_last.canvas.overlays.scale_bar.visible


@pytest.mark.parametrize("turned", ["radiological", "neurological"])
@pytest.mark.parametrize("orientation", RADIOLOGICAL)
def test_a_bright_spot_is_on_the_side_its_letters_say(make_napari_viewer_proxy, tmp_path, orientation, turned):
    """The one test that looks at pixels: a spot near the patient's left, posterior, superior corner."""
    viewer = make_napari_viewer_proxy(show=True)
    affine = affine_of(orientation)
    voxels = np.full((24, 24, 24), 10, dtype=np.float32)
    where = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), axis=-1) @ affine[:3, :3].T
    x, y, z = np.moveaxis(where - where.reshape(-1, 3).mean(axis=0), -1, 0)
    voxels[(x < 0) & (y < 0) & (z > 0)] = 100  # RAS+: left, posterior, superior
    (layer,) = viewer.open(write_scan(tmp_path / "spot.nii", voxels, affine), plugin="napari-mritransfer")
    slices = layer.data.reshape(24, -1).mean(axis=1)
    viewer.dims.set_current_step(0, int(np.argmax(slices)))
    set_convention(viewer, turned)
    viewer.reset_view()
    said = shown(viewer)
    for overlay in [viewer.canvas.overlays[f"mritransfer_{side}"] for side in SIDES]:
        overlay.visible = False  # letters are bright too
    viewer.canvas.overlays.scale_bar.visible = False
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., 0].astype(float)
    rows, columns = np.nonzero(picture > 200)
    assert rows.size > 100
    middle_row, middle_column = (length / 2 for length in picture.shape)
    spot = {"top" if rows.mean() < middle_row else "bottom", "left" if columns.mean() < middle_column else "right"}
    assert {said[side] for side in spot} < set("LPS")


def test_what_was_made_from_a_layer_of_unknown_sides_has_no_letters(viewer):
    attach(viewer)
    scan = layer_scan(viewer.add_image(np.ones((3, 8, 8), dtype=np.float32)))
    data, settings, _ = scan_layers(scan, kind="zero-filled")[0]
    viewer.add_image(data, **settings)
    assert not any(letters(viewer).values())
