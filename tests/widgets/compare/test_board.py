"""The board in a real viewer: one window, one slice, and nothing breaks when people do things to its layers."""

from dataclasses import replace

import numpy as np
import pytest
from fake_boards import LEVELS, write_fake_board, write_scan

from napari_mritransfer.io import load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.board import Board
from napari_mritransfer.widgets.board_data import judged, read_board
from napari_mritransfer.widgets.board_layout import best_columns
from napari_mritransfer.widgets.layers import KEY, scan_layers


@pytest.fixture
def scan(tmp_path):
    return write_scan(tmp_path)


@pytest.fixture
def data(tmp_path, scan):
    return read_board(write_fake_board(tmp_path / "board", scan), scan)


@pytest.fixture
def board(viewer, data):
    made = Board(viewer, data)
    yield made
    made.leave()


def methods_of(layers):
    return [layer.metadata[KEY]["method"] for layer in layers]


def add_scan(viewer, path, name):
    ((voxels, settings, _kind),) = scan_layers(load(path), name=name)
    return viewer.add_image(voxels, **settings)


def grid_positions(viewer, cells):
    grid = viewer.canvas.grid
    return [grid.position(viewer.layers.index(cell), viewer.layers) for cell in cells]


def test_every_method_has_a_cell_named_with_its_numbers(viewer, board):
    assert methods_of(board.cells) == ["reference", *LEVELS]
    words = [" ".join(cell.name.split()) for cell in board.cells]
    assert words == [
        "Reference", "zero-filled 20.0 dB SSIM 0.600", "pretrained 25.0 dB SSIM 0.700", "lft 30.0 dB SSIM 0.800",
    ]  # fmt: skip
    assert all(cell.name_overlay.visible for cell in board.cells)
    positions = grid_positions(viewer, board.cells)
    assert viewer.canvas.grid.enabled
    assert positions == sorted(positions)
    assert len(set(positions)) == 4
    assert len({cell.metadata[KEY]["id"] for cell in board.cells}) == 4


def test_the_reference_gets_no_cell_where_it_is_not_wanted(viewer, data):
    board = Board(viewer, data, with_reference=False)
    assert methods_of(board.cells) == list(LEVELS)
    board.show_errors(2.0)
    np.testing.assert_allclose(board.cells[3].data, data.error(data.methods[0], 2.0)[0])
    board.leave()


def test_images_are_in_one_unit_and_no_voxel_is_changed_otherwise(board, scan):
    image = load(scan).image[0]
    np.testing.assert_allclose(board.cells[0].data, image / 500, rtol=1e-6)
    for cell, level in zip(board.cells[1:], LEVELS.values(), strict=True):
        np.testing.assert_allclose(cell.data, image * np.float32(level) / 500, rtol=1e-6)


def test_dragging_the_window_of_one_cell_moves_it_for_all(board):
    board.show_errors(5.0)
    heard = []
    board.changed.connect(lambda: heard.append(board.window))
    board.cells[2].contrast_limits = (0.2, 0.6)
    assert heard == [(0.2, 0.6)]  # once: following cells do not answer
    assert all(tuple(cell.contrast_limits) == (0.2, 0.6) for cell in board.cells[:4])
    assert all(tuple(cell.contrast_limits) == (0.0, 0.6) for cell in board.cells[4:])
    board.cells[5].contrast_limits = (0.1, 0.5)
    assert board.window == (0.2, 0.5)
    assert all(tuple(cell.contrast_limits) == (0.0, 0.5) for cell in board.cells[4:])
    assert "0.20 to 0.50" in board.statement()
    assert "1 = 500" in board.statement()


def test_error_maps_are_the_magnified_differences_below_their_images(viewer, board, data):
    board.show_errors(5.0)
    images, errors = board.cells[:4], board.cells[4:]
    assert viewer.layers.selection.active == images[0]
    assert methods_of(errors) == methods_of(images)
    for image, error in zip(grid_positions(viewer, images), grid_positions(viewer, errors), strict=True):
        assert (image[0], error[0]) == (0, 1)
        assert image[1] == error[1]
    assert not errors[0].data.any()
    for image, error in zip(images[1:], errors[1:], strict=True):
        np.testing.assert_allclose(error.data, 5 * np.abs(image.data - images[0].data), rtol=1e-5, atol=1e-6)
        assert "error × 5" in " ".join(error.name.split())
    assert "Errors × 5" in board.statement()
    board.show_errors(20.0)
    assert board.cells[4:] == errors
    np.testing.assert_allclose(errors[1].data, 20 * np.abs(images[1].data - images[0].data), rtol=1e-5, atol=1e-6)
    assert "error × 20" in " ".join(errors[1].name.split())
    board.show_errors(None)
    assert board.cells == images
    assert "Errors" not in board.statement()


def test_the_automatic_magnification_fills_the_window_without_leaving_it(data):
    k = data.automatic_magnification()
    errors = np.stack([data.error(method, 1.0) for method in data.methods])
    assert np.percentile(errors, 99) * k <= 1
    larger = {1: 2, 2: 5, 5: 10, 10: 20, 20: 50}[k]
    assert np.percentile(errors, 99) * larger > 1


def test_renamed_and_moved_cells_stay_cells(viewer, board, qtbot):
    board.show_errors(5.0)
    cell = board.cells[3]
    cell.name = "my favourite"
    viewer.layers.move(viewer.layers.index(cell), 0)
    qtbot.waitUntil(lambda: methods_of(board.cells)[0] == "lft", timeout=2000)
    wanted = ["lft", "reference", "zero-filled", "pretrained"]
    qtbot.waitUntil(lambda: methods_of(viewer.layers) == wanted * 2, timeout=2000)
    positions = grid_positions(viewer, board.cells)
    assert positions == [(row, column) for row in range(2) for column in range(4)]
    assert cell.name == "my favourite"
    cell.contrast_limits = (0.1, 0.4)
    assert tuple(board.cells[-1].contrast_limits) == (0.0, 0.4)
    board.leave()
    assert not viewer.layers


def test_a_deleted_cell_takes_its_error_with_it_and_the_others_close_the_gap(viewer, board, qtbot):
    board.show_errors(5.0)
    viewer.layers.remove(board.cells[1])
    qtbot.waitUntil(lambda: len(viewer.layers) == 6, timeout=2000)
    assert methods_of(board.cells) == ["reference", "pretrained", "lft"] * 2
    qtbot.waitUntil(lambda: viewer.canvas.grid.shape == (2, 3), timeout=2000)
    assert grid_positions(viewer, board.cells) == [(row, column) for row in range(2) for column in range(3)]


def test_deleting_an_error_map_takes_the_row_away(viewer, board, qtbot):
    board.show_errors(5.0)
    viewer.layers.remove(board.cells[6])
    qtbot.waitUntil(lambda: board.magnification is None, timeout=2000)
    assert len(board.cells) == len(viewer.layers) == 4


def test_the_grid_makes_the_images_as_large_as_it_can():
    assert best_columns(4, (400, 1600), (200, 200)) == 4
    assert best_columns(4, (1600, 400), (200, 200)) == 1
    assert best_columns(5, (720, 610), (230, 207)) == 3


def test_a_zoomed_part_stays_in_view_when_the_errors_come(viewer, board):
    camera = viewer.scene.camera
    camera.zoom *= 3
    camera.center = (20.0, 30.0)
    before = camera.zoom
    board.show_errors(5.0)
    assert tuple(camera.center[-2:]) == (20.0, 30.0)
    assert camera.zoom < before  # cells are smaller, and show the same part
    board.show_errors(None)
    assert camera.zoom == pytest.approx(before)


def test_hiding_a_method_hides_its_error(viewer, board, qtbot):
    board.show_errors(5.0)
    image, error = board.cells[1], board.cells[5]
    image.visible = False
    assert not error.visible
    qtbot.waitUntil(lambda: viewer.canvas.grid.shape == (2, 3), timeout=2000)
    error.visible = True
    assert image.visible
    qtbot.waitUntil(lambda: viewer.canvas.grid.shape == (2, 4), timeout=2000)


def test_deleting_all_cells_leaves_the_board(viewer, board, scan, qtbot):
    with qtbot.waitSignal(board.left, timeout=2000):
        viewer.layers.clear()
    assert not board.is_up
    assert not viewer.canvas.grid.enabled


def test_leaving_brings_back_what_was_there(viewer, data, scan, qtbot):
    shown, hidden, doomed = (add_scan(viewer, scan, name) for name in ("shown", "hidden", "doomed"))
    hidden.visible = False
    grid = viewer.canvas.grid
    grid.shape, grid.stride, grid.spacing = (1, 2), 2, 0.1
    viewer.dims.set_current_step(0, 4)
    before = viewer.dims.current_step, viewer.scene.camera.zoom, tuple(viewer.scene.camera.center)
    board = Board(viewer, data)
    assert not shown.visible
    assert not doomed.visible
    assert board.slice_index == 4  # the slice that was looked at
    board.go_to(1)
    board.show_errors(5.0)
    viewer.layers.remove(doomed)
    late = add_scan(viewer, scan, "late")
    assert not late.visible
    qtbot.wait(50)
    board.leave()
    assert [layer.name for layer in viewer.layers] == ["shown", "hidden", "late"]
    assert [layer.visible for layer in viewer.layers] == [True, False, True]
    assert (grid.enabled, grid.shape, grid.stride, grid.spacing) == (False, (1, 2), 2, 0.1)
    assert (viewer.dims.current_step, viewer.scene.camera.zoom, tuple(viewer.scene.camera.center)) == before
    board.leave()  # harmless


def test_slices_are_counted_over_all_frames(viewer, tmp_path, scan):
    board = Board(viewer, read_board(write_fake_board(tmp_path / "4d", scan, frames=2), scan))
    heard = []
    board.slice_changed.connect(heard.append)
    board.go_to(8)
    assert viewer.dims.current_step[:2] == (1, 2)
    assert board.slice_index == 8
    viewer.dims.set_current_step(1, 5)
    assert heard[-1] == 11
    board.leave()


def test_without_a_reference_there_is_no_error_to_show(viewer, tmp_path, scan):
    board = Board(viewer, read_board(write_fake_board(tmp_path / "none", scan, has_reference=False), scan))
    assert methods_of(board.cells) == list(LEVELS)
    assert all("no reference" in cell.name for cell in board.cells)
    with pytest.raises(ValueError, match="no reference"):
        board.show_errors(5.0)
    assert "zero-filled image" in board.statement()
    board.leave()


def test_a_folder_without_a_complete_comparison_is_refused_in_a_sentence(tmp_path, scan):
    with pytest.raises(BadInput, match="no complete comparison"):
        read_board(tmp_path, scan)
    folder = write_fake_board(tmp_path / "board", scan)
    (folder / "lft.npy").unlink()
    with pytest.raises(BadInput, match="no complete comparison"):
        read_board(folder, scan)


def test_a_comparison_of_another_scan_is_refused(tmp_path, scan):
    folder = write_fake_board(tmp_path / "board", scan)
    with pytest.raises(BadInput, match="another scan"):
        read_board(folder, write_scan(tmp_path / "other", slices=9))


def test_layers_are_judged_as_evaluation_judges_them(scan):
    truth = load(scan)
    darker = truth.with_image(truth.image * np.float32(0.9))
    data = judged(["truth", "copy", "darker"], [truth, truth, darker], 0)
    assert data.reference_name == "truth"
    copy, other = data.methods
    assert (copy.psnr, copy.ssim) == (None, pytest.approx(1.0))  # infinite: JSON and plots know no infinity
    region = truth.image[0][truth.image[0] > 0]
    assert other.psnr == pytest.approx(20 * np.log10(region.max() / (0.1 * np.sqrt(np.mean(region**2)))), abs=0.5)
    assert not data.warnings
    with pytest.raises(BadInput, match="same size"):
        judged(["truth", "half"], [truth, truth.with_image(np.repeat(truth.image, 2, axis=0))], 0)


def test_layers_that_lie_elsewhere_are_compared_with_a_warning(tmp_path, scan):
    truth = load(scan)
    elsewhere = truth.affine.copy()
    elsewhere[0, 3] += 10
    moved = replace(truth, affine=elsewhere)
    (warning,) = judged(["truth", "moved"], [truth, moved], 0).warnings
    assert warning.startswith("moved is not in the same place")


def test_the_cells_show_different_images_through_one_window(make_napari_viewer_proxy, data, qtbot):
    """Pixels of a shown viewer: the same spot of each cell is as bright as its method says."""
    viewer = make_napari_viewer_proxy(show=True)
    board = Board(viewer, data)
    board.go_to(3)
    qtbot.wait(200)
    for cell in board.cells:
        cell.name_overlay.visible = False
    picture = viewer.screenshot(canvas_only=True)[..., 0].astype(float)
    rows, columns = viewer.canvas.grid.actual_shape(viewer.layers)
    height, width = picture.shape[0] / rows, picture.shape[1] / columns
    means = []
    for row, column in grid_positions(viewer, board.cells):
        top, left = int(row * height), int(column * width)
        part = picture[top + 3 : top + int(height) - 3, left + 3 : left + int(width) - 3]
        means.append(part[part > 20].mean())
    head = board.cells[0].data[3][board.cells[0].data[3] > 0]
    expected = [255 * (head * level).clip(0, 1).mean() for level in (1, *LEVELS.values())]
    assert means == pytest.approx(expected, rel=0.1)
    assert np.diff(means[1:]).min() > 3
    board.leave()
