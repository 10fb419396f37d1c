"""Maps over scans in a real viewer: pairs in cells, one slice, one scale, and everything back as it was afterwards."""

import numpy as np
import pytest
from fake_maps import GRID, write_maps

from napari_mritransfer.cohort.grid import SLICINGS
from napari_mritransfer.widgets.attention_board import AttentionBoard
from napari_mritransfer.widgets.attention_data import read_attention
from napari_mritransfer.widgets.layers import KEY

BRIGHT = 5.0  # a weight above the scale


@pytest.fixture
def data(tmp_path):
    return read_attention(write_maps(tmp_path / "maps", {"scan": "reference"}, {"scan": "lft"}))


@pytest.fixture
def board(viewer, data):
    made = AttentionBoard(viewer, data, data.views)
    yield made
    made.leave()


def roles_of(layers):
    return [layer.metadata[KEY]["role"] for layer in layers]


def places(viewer, cells):
    grid = viewer.canvas.grid
    return [grid.position(viewer.layers.index(cell), viewer.layers) for cell in cells]


def test_each_scan_shares_its_cell_with_its_map_and_the_first_is_plain(viewer, board, data):
    assert roles_of(board.cells) == ["volume", "map"] * 3
    assert [" ".join(cell.name.split()) for cell in board.cells[::2]] == [
        "reference, simulated", "reference 63.2 years simulated", "lft 64.2 years +1.0 years simulated",
    ]  # fmt: skip
    assert len(set(places(viewer, board.cells))) == 3
    assert places(viewer, board.cells[::2]) == places(viewer, board.cells[1::2])
    assert [cell.name_overlay.visible for cell in board.cells] == [True, False] * 3
    plain, *others = board.cells[1::2]
    assert not plain.data.any()
    for shown, view in zip(others, data.views, strict=True):
        np.testing.assert_array_equal(shown.data, view.map.image[0])
    for shown in board.cells[::2]:
        np.testing.assert_array_equal(shown.data, data.views[0].volume.image[0])


def test_an_odd_number_of_layers_that_were_there_does_not_break_the_pairs(viewer, data):
    """napari counts hidden layers too when it puts neighbours into cells."""
    viewer.add_image(np.ones((3, 4, 5)))
    board = AttentionBoard(viewer, data, data.views)
    assert places(viewer, board.cells[::2]) == places(viewer, board.cells[1::2])
    assert len(set(places(viewer, board.cells))) == 3
    board.leave()


def test_maps_have_one_fixed_scale_however_bright_they_are(viewer, tmp_path):
    folder = write_maps(tmp_path / "maps", {"map": None}, {"scan": "other"})
    np.save(folder / "01-map.npy", np.full(GRID.shape, BRIGHT, dtype=np.float32))
    data = read_attention(folder)
    board = AttentionBoard(viewer, data, data.views)
    assert not board.cells[3].data.any(), "a view without a map shows its scan"
    assert {tuple(cell.contrast_limits) for cell in board.cells[1::2]} == {(0.0, 3.0)}
    assert max(cell.contrast_limits_range[1] for cell in board.cells[1::2]) == BRIGHT, "as far as anybody may raise it"
    assert "never stretched" in board.statement()
    assert {tuple(cell.contrast_limits) for cell in board.cells[::2]} == {board.window}
    board.leave()


def test_what_is_done_to_one_map_or_one_scan_is_done_to_all(board):
    heard = []
    board.changed.connect(lambda: heard.append(board.opacity))
    board.cells[3].opacity = 0.25
    assert [cell.opacity for cell in board.cells[1::2]] == [0.25] * 3
    assert [cell.opacity for cell in board.cells[::2]] == [1.0] * 3
    assert heard == [0.25]
    board.cells[5].contrast_limits = (0.0, 2.0)
    assert {tuple(cell.contrast_limits) for cell in board.cells[1::2]} == {(0.0, 2.0)}
    assert "0 to 2 (brightest) by hand" in board.statement()
    board.cells[2].contrast_limits = (1.0, 9.0)
    assert board.window == (1.0, 9.0)
    assert {tuple(cell.contrast_limits) for cell in board.cells[::2]} == {(1.0, 9.0)}
    board.cells[0].colormap = "viridis"
    assert {cell.colormap.name for cell in board.cells[::2]} == {"viridis"}
    assert {cell.colormap.name for cell in board.cells[1::2]} == {"inferno"}
    board.opacity = 0
    assert [cell.opacity for cell in board.cells[1::2]] == [0.0] * 3


@pytest.mark.parametrize("slicing", SLICINGS)
def test_a_slice_of_the_board_is_the_slice_that_the_network_saw(viewer, tmp_path, slicing):
    data = read_attention(write_maps(tmp_path / "maps", {"slicing": slicing}))
    board = AttentionBoard(viewer, data, data.views)
    told = []
    board.slice_changed.connect(told.append)
    board.go_to(4)
    assert told == [4]
    assert viewer.dims.current_step[0] == 4
    volume, its_map = board.cells[2:]
    stored = data.views[0].volume.image[0, 4, 0, 0]  # slice n of the file is n + 1 everywhere
    assert volume.data[viewer.dims.current_step[0], 0, 0] == stored
    assert its_map.data[viewer.dims.current_step[0], 0, 0] == pytest.approx(stored / 100)
    assert data.views[0].positions_mm[4] == GRID.positions_mm(slicing)[round(float(stored)) - 1]
    board.leave()


def test_hiding_either_hides_both_and_the_rest_closes_up(viewer, board, qtbot):
    board.cells[3].visible = False
    qtbot.waitUntil(lambda: viewer.canvas.grid.shape in ((1, 2), (2, 1)), timeout=2000)
    assert [cell.visible for cell in board.cells] == [True, True, False, False, True, True]
    board.cells[2].visible = True
    qtbot.waitUntil(lambda: len(set(places(viewer, board.cells))) == 3, timeout=2000)
    assert all(cell.visible for cell in board.cells)


def test_moving_and_deleting_keeps_scans_and_maps_together(viewer, board, qtbot):
    last = board.cells[4]
    viewer.layers.move(viewer.layers.index(last), 0)
    qtbot.waitUntil(lambda: roles_of(viewer.layers) == ["volume", "map"] * 3, timeout=2000)
    assert board.cells[0] is last
    viewer.layers.remove(board.cells[1])
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=2000)
    assert last not in viewer.layers
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not board.is_up, timeout=2000)


def test_leaving_brings_everything_back_as_it_was(viewer, data, qtbot):
    shown = viewer.add_image(np.ones((6, 8, 10)), name="shown")
    hidden = viewer.add_image(np.ones((6, 8, 10)), name="hidden", visible=False)
    viewer.dims.set_current_step(0, 4)
    grid = viewer.canvas.grid
    grid.shape, grid.stride, grid.spacing = (1, 2), 3, 0.1
    before = viewer.dims.current_step, viewer.scene.camera.zoom, tuple(viewer.scene.camera.center)
    board = AttentionBoard(viewer, data, data.views)
    assert not shown.visible
    assert viewer.canvas.grid.stride == 2
    board.go_to(1)
    late = viewer.add_image(np.ones((6, 8, 10)), name="late")
    assert not late.visible
    qtbot.wait(50)
    board.leave()
    assert [layer.name for layer in viewer.layers] == ["shown", "hidden", "late"]
    assert [layer.visible for layer in viewer.layers] == [True, False, True]
    assert not hidden.visible
    assert (grid.enabled, grid.shape, grid.stride, grid.spacing) == (False, (1, 2), 3, 0.1)
    assert (viewer.dims.current_step, viewer.scene.camera.zoom, tuple(viewer.scene.camera.center)) == before
    board.leave()  # harmless


def test_the_map_is_seen_over_its_scan_in_the_same_cell(make_napari_viewer_proxy, tmp_path, qtbot):
    """Pixels of a shown viewer: the plain cell is grey, the other is coloured."""
    folder = write_maps(tmp_path / "maps", {})
    np.save(folder / "00-volume.npy", np.full(GRID.shape, 0.5, dtype=np.float32))
    np.save(folder / "00-map.npy", np.full(GRID.shape, 1.5, dtype=np.float32))
    data = read_attention(folder)
    viewer = make_napari_viewer_proxy(show=True)
    board = AttentionBoard(viewer, data, data.views)
    board.window = (0.0, 1.0)
    qtbot.wait(200)
    picture = viewer.screenshot(canvas_only=True)[..., :3].astype(int)
    middle = picture.shape[0] // 2
    left, right = (picture[middle, int(picture.shape[1] * share)] for share in (0.25, 0.75))
    assert np.ptp(left) <= 2
    assert left[0] == pytest.approx(128, abs=3)
    board.opacity = 0
    qtbot.wait(100)
    plain = viewer.screenshot(canvas_only=True)[middle, int(picture.shape[1] * 0.75), :3].astype(int)
    assert np.ptp(plain) <= 2
    assert plain[0] == pytest.approx(128, abs=3)
    assert np.ptp(right) > 40, right
    board.leave()
