"""Maps that leave the board: copied out whole, or laid over the scan that they were made from."""

import time

import nibabel
import numpy as np
import pytest
from fake_maps import write_maps
from heads import write_head
from qtpy.QtWidgets import QFileDialog
from scan_files import affine_of, some_voxels, write_scan

from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.attention_export import export_attention
from napari_mritransfer.widgets.attention_on_scan import map_of_scan, put_on_scan
from napari_mritransfer.widgets.board import Board
from napari_mritransfer.widgets.board_data import judged
from napari_mritransfer.widgets.errand import ErrandStopped
from napari_mritransfer.widgets.layers import KEY, scan_layers

SOON = 10_000
EXPORTED = {"00-map.nii.gz", "attention.json", "attention.png", "slices.csv"}


def never():
    return False


def show(dock, folder, qtbot):
    dock.show_folder(folder)
    qtbot.waitUntil(lambda: dock.attending.board is not None and not dock.attending.is_busy, timeout=SOON)


def test_an_export_holds_what_people_can_open_and_is_whole_or_nothing(tmp_path):
    folder, to = write_maps(tmp_path / "maps"), tmp_path / "export"
    assert set(export_attention(folder, to, never)) == EXPORTED
    there = {path.name for path in to.iterdir()}
    assert there == EXPORTED | {".mritransfer-export"}
    assert (to / "slices.csv").read_bytes() == (folder / "slices.csv").read_bytes()
    export_attention(folder, to, never)  # an earlier export is replaced
    with pytest.raises(ErrandStopped):
        export_attention(folder, tmp_path / "stopped", lambda: True)
    assert {path.name for path in tmp_path.iterdir()} == {"maps", "export"}
    (to / "thesis.txt").write_text("precious")
    with pytest.raises(BadInput, match=r"other files, such as thesis\.txt"):
        export_attention(folder, to, never)
    assert (to / "thesis.txt").read_text() == "precious"
    (folder / "attention.json").unlink()
    with pytest.raises(BadInput, match="no attention maps any more"):
        export_attention(folder, tmp_path / "other", never)


def test_the_dock_exports_into_a_folder_of_its_own(dock, tmp_path, qtbot, monkeypatch):
    show(dock, write_maps(tmp_path / "maps"), qtbot)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dock.panel.export.click()
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    wanted = tmp_path / "head-attention"
    assert dock.status.text() == f"Exported 4 files to {wanted}."
    assert {path.name for path in wanted.iterdir()} > EXPORTED
    for path in (tmp_path / "maps").iterdir():
        path.unlink()
    dock.export_to(tmp_path / "new")
    qtbot.waitUntil(lambda: "no attention maps any more" in dock.status.text(), timeout=SOON)
    dock.attending.leave()


def test_an_export_can_be_stopped_and_says_so_once_it_has(dock, tmp_path, qtbot, monkeypatch):
    def slow(_folder, _to, should_stop):
        while not should_stop():
            time.sleep(0.01)
        raise ErrandStopped

    show(dock, write_maps(tmp_path / "maps"), qtbot)
    monkeypatch.setattr("napari_mritransfer.widgets.attending.export_attention", slow)
    dock.export_to(tmp_path / "export")
    assert not dock.run.isEnabled()
    dock.stop.click()
    assert dock.status.text() == "Stopping…"
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    assert dock.status.text() == "Stopped; nothing was changed."
    dock.attending.leave()


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal"])
def test_the_map_covers_its_scan_voxel_by_voxel_however_it_is_cut(viewer, opened, tmp_path, orientation):
    """Each voxel's map is a tenth of the scan there, whichever way the file lies and the layer was moved."""
    voxels = some_voxels(6, 7, 8)
    path = write_scan(tmp_path / "scan.nii.gz", voxels, affine_of(orientation))
    nibabel.save(nibabel.Nifti1Image(voxels / 10, affine_of(orientation)), tmp_path / "map.nii.gz")
    (layer,) = opened(path)
    above = viewer.add_image(np.ones((2, 2)))
    layer.translate = (1, 2, 3)
    layer.visible = False
    added = put_on_scan(viewer, map_of_scan(tmp_path / "map.nii.gz", "a map"), layer)
    np.testing.assert_allclose(added.data, layer.data / 10, rtol=1e-5)
    assert [*viewer.layers] == [layer, added, above]
    np.testing.assert_array_equal(added.affine.affine_matrix, layer.affine.affine_matrix)
    np.testing.assert_array_equal(added.translate, layer.translate)
    np.testing.assert_array_equal(added.scale, layer.scale)
    assert tuple(added.contrast_limits) == (0, 3)
    assert added.colormap.name == "inferno"
    assert layer.visible
    assert viewer.layers.selection.active == added


def test_a_scan_on_top_does_not_hide_the_map(viewer, opened, tmp_path):
    voxels = some_voxels(6, 7, 8)
    below, above = opened(*(write_scan(tmp_path / name, voxels, affine_of("axial")) for name in ("a.nii", "b.nii")))
    nibabel.save(nibabel.Nifti1Image(voxels / 10, affine_of("axial")), tmp_path / "map.nii.gz")
    added = put_on_scan(viewer, map_of_scan(tmp_path / "map.nii.gz", "a map"), below)
    assert [*viewer.layers] == [above, below, added]


def test_a_scan_that_a_person_had_turned_gets_the_map_turned_too(viewer, tmp_path):
    voxels = some_voxels(6, 7, 8)
    turned = Scan.from_file_order(voxels, affine_of("axial"), slice_axis=0, name="turned")
    ((data, settings, _),) = scan_layers(turned)
    layer = viewer.add_image(data, **settings)
    nibabel.save(nibabel.Nifti1Image(voxels / 10, affine_of("axial")), tmp_path / "map.nii.gz")
    added = put_on_scan(viewer, map_of_scan(tmp_path / "map.nii.gz", "a map"), layer)
    np.testing.assert_allclose(added.data, layer.data / 10, rtol=1e-5)


def test_a_map_of_another_place_is_not_laid_over_the_scan(viewer, opened, tmp_path):
    voxels = some_voxels(6, 7, 8)
    (layer,) = opened(write_scan(tmp_path / "scan.nii.gz", voxels, affine_of("axial")))
    for name, affine, shape in (("moved", affine_of("axial") + np.diag([1, 1, 1, 0]), (6, 7, 8)),
                                ("small", affine_of("axial"), (3, 7, 8))):  # fmt: skip
        path = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(some_voxels(*shape), affine), path)
        added = put_on_scan(viewer, map_of_scan(path, name), layer)
        assert viewer.layers[-1] == added
        np.testing.assert_allclose(added.metadata[KEY]["scan"].affine, affine)


def test_the_map_goes_over_the_layer_or_the_file_that_was_looked_at(dock, opened, tmp_path, qtbot):
    head = write_head(tmp_path / "head.nii.gz")
    other, layer = opened(write_head(tmp_path / "other.nii.gz", seed=1), head)
    folder = write_maps(tmp_path / "maps", {"source_path": str(head)})
    scan = load(head)
    voxels = scan.axes.to_file(scan.image)
    nibabel.save(nibabel.Nifti1Image(voxels / 100, scan.affine), folder / "00-map-on-scan.nii.gz")
    show(dock, folder, qtbot)
    dock.panel.on_scan.click()
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    assert dock.attending.board is None
    assert [*dock.viewer.layers][:2] == [other, layer]
    added = dock.viewer.layers[2]
    assert added.name == "head attention of sim-age"
    np.testing.assert_allclose(added.data, layer.data / 100, rtol=1e-5)
    assert added.visible
    assert dock.panel.leave.text() == "Show board again"
    assert dock.status.text() == "The map lies over the scan."


def test_without_a_map_on_the_scans_grid_there_is_nothing_to_put(dock, tmp_path, qtbot):
    show(dock, write_maps(tmp_path / "maps"), qtbot)
    assert not dock.panel.on_scan.isEnabled()
    with pytest.raises(BadInput, match="no map on the scan's own grid"):
        dock.attending.put_on_scan()
    dock.attending.leave()


def test_one_board_at_a_time(dock, viewer, opened, tmp_path, qtbot):
    """Comparison and attention take the viewer from each other, and give it back as it was before both."""
    head = write_head(tmp_path / "head.nii.gz")
    (layer,) = opened(head)
    scan = load(head)
    comparing, attending = dock.comparing, dock.attending
    comparing.data = judged(["truth", "darker"], [scan, scan.with_image(scan.image * np.float32(0.9))], 0)
    comparing.show_board()
    assert isinstance(dock.session.board, Board)
    show(dock, write_maps(tmp_path / "maps"), qtbot)
    assert comparing.board is None
    assert dock.session.board is attending.board
    comparing.show_board()
    assert attending.board is None
    assert dock.session.board is comparing.board
    comparing.leave()
    assert dock.session.board is None
    assert viewer.layers == [layer]
    assert layer.visible
