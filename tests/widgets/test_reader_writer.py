"""Files through napari: what is opened looks right, and what is saved is the file again."""

import nibabel
import numpy as np
import pytest
from npe2 import plugin_manager
from scan_files import AXES, affine_of, some_voxels, write_scan

from napari_mritransfer.io import UnreadableScan, load
from napari_mritransfer.widgets import reader
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.reader import get_reader
from napari_mritransfer.widgets.writer import UnwritableLayer, write_images

PLUGIN = "napari-mritransfer"


def assert_same_file(one, other):
    """The same voxels, affine and header, read by nibabel."""
    first, second = nibabel.load(one), nibabel.load(other)
    np.testing.assert_array_equal(np.asanyarray(second.dataobj), np.asanyarray(first.dataobj))
    np.testing.assert_array_equal(second.affine, first.affine)
    for field in ("descrip", "pixdim", "qform_code", "sform_code", "xyzt_units"):
        assert second.header[field].tolist() == first.header[field].tolist(), field


@pytest.mark.parametrize("orientation", AXES)
@pytest.mark.parametrize("name", ["head.nii", "head.nii.gz"])
def test_what_is_opened_and_saved_is_the_same_file(viewer, opened, tmp_path, name, orientation):
    file = write_scan(tmp_path / name, some_voxels(6, 5, 4), affine_of(orientation))
    (layer,) = opened(file)
    np.testing.assert_array_equal(layer.data, load(file).image[0])
    written = viewer.layers.save(str(tmp_path / f"copy_{name}"), plugin=PLUGIN)
    assert written == [str(tmp_path / f"copy_{name}")]
    assert_same_file(file, written[0])


def test_4d_files_keep_their_frames(viewer, opened, tmp_path):
    file = write_scan(tmp_path / "echoes.nii.gz", some_voxels(6, 5, 4, 3))
    (layer,) = opened(file)
    assert layer.data.shape == (3, 4, 5, 6)
    assert_same_file(file, *viewer.layers.save(str(tmp_path / "copy.nii.gz"), plugin=PLUGIN))


def test_mgz_files_are_saved_as_nifti_in_the_same_place(viewer, opened, tmp_path):
    file = write_scan(tmp_path / "head.mgz", some_voxels(6, 5, 4), affine_of("coronal"))
    opened(file)
    (written,) = viewer.layers.save(str(tmp_path / "head.nii.gz"), plugin=PLUGIN)
    np.testing.assert_array_equal(nibabel.load(written).get_fdata(), nibabel.load(file).get_fdata())
    np.testing.assert_allclose(nibabel.load(written).affine, nibabel.load(file).affine, atol=1e-5)


def test_oblique_files_are_shown_unrotated_and_keep_their_affine(viewer, opened, tmp_path):
    file = write_scan(tmp_path / "oblique.nii.gz", some_voxels(6, 5, 4), affine_of("axial", tilt_deg=20))
    (layer,) = opened(file)
    np.testing.assert_allclose(layer.affine.affine_matrix, np.eye(4))
    assert "oblique by 20.0° and are shown unrotated" in layer.metadata[KEY]["notes"]
    assert_same_file(file, *viewer.layers.save(str(tmp_path / "copy.nii.gz"), plugin=PLUGIN))


@pytest.fixture
def told(monkeypatch) -> list[str]:
    """What is said on screen by the reader."""
    said: list[str] = []
    monkeypatch.setattr(reader, "show_info", said.append)
    return said


def test_oblique_slices_are_told_once_on_screen_and_nothing_else_is(viewer, opened, tmp_path, told):
    tilted = affine_of("axial", tilt_deg=20)
    files = [write_scan(tmp_path / f"{name}.nii", some_voxels(6, 5, 4), tilted) for name in "ab"]
    viewer.open(files, stack=True, plugin=PLUGIN)
    assert told == ["Oblique by 20.0°: shown unrotated."]
    opened(write_scan(tmp_path / "straight.nii", some_voxels(6, 5, 4)))
    assert len(told) == 1


def test_oblique_slices_are_told_on_screen_only_where_there_is_a_viewer(tmp_path, told):
    reader.read_scans(str(write_scan(tmp_path / "a.nii", some_voxels(6, 5, 4), affine_of("axial", tilt_deg=20))))
    assert told == []


def test_complex_files_open_as_magnitude_and_phase(viewer, opened, tmp_path):
    voxels = (some_voxels(6, 5, 4) * np.exp(1j * some_voxels(6, 5, 4, seed=1))).astype(np.complex64)
    file = write_scan(tmp_path / "complex.nii.gz", voxels)
    phase, magnitude = opened(file)
    assert viewer.layers.selection.active == magnitude
    viewer.layers.selection = {magnitude}
    (written,) = viewer.layers.save(str(tmp_path / "copy.nii.gz"), selected=True, plugin=PLUGIN)
    np.testing.assert_allclose(nibabel.load(written).get_fdata(), np.abs(voxels), rtol=1e-6)
    assert phase.metadata[KEY]["part"] == "phase"


def test_several_layers_are_saved_side_by_side(viewer, opened, tmp_path):
    files = [write_scan(tmp_path / f"{name}.nii", some_voxels(6, 5, 4, seed=seed)) for seed, name in enumerate("ab")]
    for layer in opened(*files):
        layer.name = "left / right?"  # the second becomes "left / right? [1]"
    written = viewer.layers.save(str(tmp_path / "both.nii.gz"), plugin=PLUGIN)
    assert written == [str(tmp_path / f"both_left_right{end}.nii.gz") for end in ("", "_1")]
    for file, copy in zip(files, written, strict=True):
        assert_same_file(file, copy)


def test_only_selected_layers_are_saved(viewer, opened, tmp_path):
    files = [write_scan(tmp_path / f"{name}.nii", some_voxels(6, 5, 4, seed=seed)) for seed, name in enumerate("abc")]
    layers = opened(*files)
    viewer.layers.selection = {layers[0], layers[2]}
    written = viewer.layers.save(str(tmp_path / "some.nii"), selected=True, plugin=PLUGIN)
    assert written == [str(tmp_path / "some_a.nii"), str(tmp_path / "some_c.nii")]
    assert_same_file(files[2], written[1])


def test_layers_whose_names_differ_by_case_alone_do_not_overwrite_each_other(tmp_path):
    def entry(name):
        meta = {"name": name, "metadata": {}, "scale": (1, 1, 1), "units": (), "rgb": False, "multiscale": False}
        return some_voxels(4, 5, 6), meta, "image"

    written = write_images(str(tmp_path / "x"), [entry(name) for name in ("T1", "t1", "..", "", "T1_2")])
    assert [path.rsplit("x_")[-1] for path in written] == [
        f"{name}.nii.gz" for name in ("T1", "t1_2", "layer", "layer_2", "T1_2_2")
    ]


def test_a_layer_that_is_no_scan_is_saved_with_its_scale(viewer, tmp_path):
    data = some_voxels(4, 5, 6)
    viewer.add_image(data, scale=(3, 2, 1.5))
    (written,) = viewer.layers.save(str(tmp_path / "plain.nii.gz"), plugin=PLUGIN)
    back = load(written)
    np.testing.assert_array_equal(back.image[0], data)
    assert back.spacing_mm == (3, 2, 1.5)


@pytest.mark.parametrize("names", [["photo"], ["fine", "photo"]])
def test_what_cannot_be_saved_says_so_and_leaves_nothing(viewer, tmp_path, names):
    viewer.add_image(some_voxels(4, 5, 6), name="fine")
    viewer.add_image(np.zeros((5, 6, 3), dtype=np.uint8), rgb=True, name="photo")
    viewer.layers.selection = {viewer.layers[name] for name in names}
    with pytest.raises(UnwritableLayer, match="photo is a colour"):
        viewer.layers.save(str(tmp_path / "x.nii"), selected=True, plugin=PLUGIN)
    assert list(tmp_path.iterdir()) == []


def test_labels_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(UnwritableLayer, match="not of labels; select image layers alone"):
        write_images(str(tmp_path / "x.nii"), [(np.zeros((4, 5, 6), dtype=int), {"name": "mask"}, "labels")])


def test_a_missing_folder_says_so(viewer, tmp_path):
    viewer.add_image(some_voxels(4, 5, 6))
    with pytest.raises(OSError, match="does not exist; create it"):
        viewer.layers.save(str(tmp_path / "missing" / "x.nii.gz"), plugin=PLUGIN)


def test_a_damaged_file_says_what_is_wrong_and_the_viewer_goes_on(viewer, opened, tmp_path):
    good = write_scan(tmp_path / "good.nii", some_voxels(6, 5, 4))
    cut = tmp_path / "cut.nii"
    cut.write_bytes(good.read_bytes()[:-100])
    with pytest.raises(UnreadableScan, match=r"^cut\.nii [^.]*\."):
        opened(cut)
    assert len(viewer.layers) == 0
    opened(good)
    assert len(viewer.layers) == 1


def test_files_opened_as_a_stack_become_one_layer_each(viewer, tmp_path):
    files = [write_scan(tmp_path / f"{name}.nii", some_voxels(6, 5, 4)) for name in "ab"]
    layers = viewer.open(files, stack=True, plugin=PLUGIN)
    assert [layer.name for layer in layers] == ["a", "b"]


@pytest.mark.parametrize("name", ["x.nii", "x.NII.GZ", "x.mgz"])
def test_the_reader_takes_its_files_without_touching_them(name):
    assert get_reader(f"missing/{name}") is not None
    assert get_reader([f"missing/{name}"] * 2) is not None
    assert PLUGIN in {reader.plugin_name for reader in plugin_manager.iter_compatible_readers(f"missing/{name}")}


@pytest.mark.parametrize("path", ["x.tif", "folder", [], ["x.nii", "x.png"]])
def test_the_reader_leaves_other_files_to_others(path):
    assert get_reader(path) is None
