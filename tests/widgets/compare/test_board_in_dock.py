"""The board as the dock drives it: slices, errors, export, layers as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from docks import board_up, measurement, opened_dock, show
from fake_boards import LEVELS, write_fake_board
from heads import write_tiny_base
from qtpy.QtCore import QPointF, Qt
from qtpy.QtWidgets import QFileDialog

from napari_mritransfer.io import load
from napari_mritransfer.training.client import Result
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.compare_inputs import CompareInputs
from napari_mritransfer.widgets.layers import KEY, scan_layers


def test_the_line_follows_the_slice_and_clicking_the_plot_jumps(viewer, dock, scan, tmp_path, qtbot):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    plot = dock.board.plot
    viewer.dims.set_current_step(0, 2)
    assert plot.line.value() == 2
    click(plot, 4.3)
    assert board.slice_index == 4
    assert viewer.dims.current_step[0] == 4
    plot.line.setValue(1.2)
    plot.line.sigDragged.emit(plot.line)
    assert board.slice_index == 1
    assert plot.line.value() == 1  # a slice, not a place between two
    board.leave()


def click(plot, x):
    """As pyqtgraph tells of a click, at slice `x`."""
    view = plot.plot.getViewBox()
    plot.canvas.resize(280, 190)
    plot.plot.layout.activate()
    (_left, _right), (low, high) = view.viewRange()

    class Click:
        def button(self):
            return Qt.MouseButton.LeftButton

        def scenePos(self):  # Qt's name
            return view.mapViewToScene(QPointF(x, (low + high) / 2))

    plot.plot.scene().sigMouseClicked.emit(Click())


def test_the_worst_slice_is_that_of_the_best_method_unless_another_is_chosen(dock, scan, tmp_path, qtbot):
    folder = write_fake_board(tmp_path / "board", scan)
    record = json.loads((folder / "board.json").read_text())
    record["methods"][0]["slice_psnr"] = [None, 9.0, 30.0, 30.0, 30.0, 30.0]
    (folder / "board.json").write_text(json.dumps(record))
    board = show(dock, folder, scan, qtbot)
    assert dock.board.plot.method.currentText() == "lft"
    dock.board.plot.worst.click()
    assert board.slice_index == 4
    dock.board.plot.choice.setCurrentIndex(1)  # SSIM
    dock.board.plot.worst.click()
    assert board.slice_index == 2
    dock.board.plot.choice.setCurrentIndex(0)
    dock.board.plot.method.setCurrentIndex(0)
    dock.board.plot.worst.click()
    assert board.slice_index == 1
    board.leave()


def test_gamma_and_colours_of_one_image_are_those_of_all(dock, scan, tmp_path, qtbot):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    board.show_errors(5.0)
    images, errors = board.cells[:4], board.cells[4:]
    colours = errors[0].colormap.name
    images[2].gamma = 0.5
    images[1].colormap = "viridis"
    assert [cell.gamma for cell in images] == [0.5] * 4
    assert {cell.colormap.name for cell in images} == {"viridis"}
    assert [cell.gamma for cell in errors] == [1.0] * 4
    assert {cell.colormap.name for cell in errors} == {colours}
    errors[3].gamma = 2.0
    assert [cell.gamma for cell in errors] == [2.0] * 4
    assert [cell.gamma for cell in images] == [0.5] * 4
    board.leave()


def test_error_maps_come_and_go_with_their_box(dock, scan, tmp_path, qtbot):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    panel = dock.board
    panel.errors.click()
    assert board.magnification == board.data.automatic_magnification()
    panel.magnification.setCurrentIndex(panel.magnification.findData(20.0))
    assert board.magnification == 20
    assert "Errors × 20" in panel.statement.text()
    board.cells[0].contrast_limits = (0.0, 0.5)
    assert "0.00 to 0.50" in panel.statement.text()
    dock.viewer.layers.remove(board.cells[-1])  # one error map: the row goes, and the box knows
    qtbot.waitUntil(lambda: not panel.errors.isChecked(), timeout=2000)
    board.leave()


def test_without_a_reference_the_dock_says_so_and_offers_no_numbers(viewer, dock, scan, tmp_path, orders, qtbot):
    dock.session.add_measurement(measurement(scan, has_reference=False))
    assert "no fully sampled reference" in dock.about.text()
    dock.build.click()
    orders[0].ended.emit(Result({"out": str(write_fake_board(tmp_path / "out", scan, has_reference=False))}))
    board = board_up(dock, qtbot)
    assert len(board.cells) == len(LEVELS)
    assert not dock.board.errors.isEnabled()
    assert dock.board.plot.isHidden()
    assert not dock.board.numbers.isHidden()
    assert dock.board.export.isEnabled()
    board.leave()


def test_the_export_is_of_what_is_on_screen(dock, scan, tmp_path, orders, qtbot, monkeypatch):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    board.go_to(3)
    board.window = (0.1, 0.8)
    board.show_errors(5.0)
    chosen = tmp_path / "chosen"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(chosen))
    dock.board.export.click()
    assert orders[0].command == {
        "command": "export", "board": str(tmp_path / "board"), "to": str(chosen), "slice": 3, "black": 50.0,
        "white": 400.0, "methods": ["zero-filled", "pretrained", "lft"], "magnification": 5.0,
    }  # fmt: skip
    orders[0].ended.emit(Result({"files": ["metrics.csv", "comparison.png"]}))
    assert dock.status.text() == f"Exported 2 files to {chosen}."
    board.leave()


def test_hidden_methods_are_not_exported_and_the_others_in_their_order(dock, scan, tmp_path, orders, qtbot):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    _, zero_filled, pretrained, lft = board.cells
    pretrained.visible = False
    dock.viewer.layers.move(dock.viewer.layers.index(lft), 0)
    dock.export_to(tmp_path / "to")
    assert orders[0].command["methods"] == ["lft", "zero-filled"]
    orders[0].ended.emit(Result({"files": []}))
    zero_filled.visible = lft.visible = False
    dock.export_to(tmp_path / "to")
    assert "All methods on the board are hidden" in dock.status.text()
    assert len(orders) == 1
    board.leave()


def test_an_export_to_a_folder_that_cannot_be_read_asks_for_another(dock, scan, tmp_path, orders, qtbot, monkeypatch):
    def locked(_folder):
        raise PermissionError(13, "Permission denied")

    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", locked)
        dock.export_to(tmp_path)
    assert dock.status.text() == (
        f"{tmp_path} cannot be read (Permission denied); choose another folder to export to."
    )
    assert not orders
    board.leave()


@pytest.mark.parametrize("frames", [1, 2])
def test_the_dock_says_which_slice_is_looked_at_as_the_slider_counts(dock, scan, tmp_path, qtbot, frames):
    board = show(dock, write_fake_board(tmp_path / "board", scan, frames=frames), scan, qtbot)
    axis = dock.board.plot.plot.getAxis("bottom")
    board.go_to(6 * (frames - 1) + 2)
    said = {1: "Slice 2 (of 0 to 5)", 2: "Slice 2 (of 0 to 5), frame 1 (of 0 to 1)"}[frames]
    assert dock.board.place.text() == said
    assert not dock.board.place.isHidden()
    assert axis.labelText == {1: "Slice", 2: "Slice (all frames)"}[frames]
    board.leave()
    assert dock.board.place.isHidden()


def test_an_export_into_a_folder_with_other_things_gets_its_own_folder(dock, scan, tmp_path, orders, qtbot):
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    dock.export_to(tmp_path)
    assert orders[0].command["to"] == str(tmp_path / "head-comparison")
    orders[0].ended.emit(Failed("The disk is full.", 0))
    assert dock.status.text() == "The disk is full."
    board.leave()


def test_layers_are_compared_as_they_are_with_the_scan_as_reference(viewer, dock, scan, qtbot):
    head = load(scan)
    for name, kind, level in (("zf", "zero-filled", 0.8), ("truth", "scan", 1.0)):
        ((voxels, settings, _),) = scan_layers(head.with_image(head.image * np.float32(level)), name=name, kind=kind)
        viewer.add_image(voxels, **settings)
    dock.choose_layers(list(viewer.layers))
    board = board_up(dock, qtbot)
    assert board.data.reference_name == "truth"
    assert [method.name for method in board.data.methods] == ["zf"]
    assert not dock.board.export.isEnabled()
    dock.choose_layers(board.cells)
    assert "cells of the board" in dock.status.text()
    board.leave()
    viewer.add_image(np.ones((3, 20, 20)), name="small")
    dock.choose_layers([viewer.layers[1], viewer.layers[2]])
    qtbot.waitUntil(lambda: "same size" in dock.status.text(), timeout=10_000)
    dock.choose_layers([viewer.layers[1]])
    qtbot.waitUntil(lambda: "at least two" in dock.status.text(), timeout=10_000)


def test_closing_with_the_board_up_breaks_nothing(make_napari_viewer_proxy, root, orders, scan, tmp_path, qtbot):
    viewer = make_napari_viewer_proxy()
    dock = opened_dock(viewer)
    board = show(dock, write_fake_board(tmp_path / "board", scan), scan, qtbot)
    board.show_errors(5.0)
    viewer.close()
    qtbot.wait(200)


def test_real_methods_come_back_from_the_worker_and_are_exported(viewer, root, scan, tmp_path, qtbot):
    """The whole way, with a real worker: compare, look, export."""
    base = str(write_tiny_base(tmp_path / "tiny.safetensors"))
    dock = opened_dock(viewer)
    dock.session.add_measurement(measurement(scan))
    dock.methods.tick("reference", "zero-filled")
    inputs = dock.inputs()
    dock.comparing.start(CompareInputs(inputs.measurement, (*inputs.ticked, base), device="cpu"))
    qtbot.waitUntil(lambda: not dock.comparing.is_busy, timeout=60_000)
    assert dock.status.text() == ""
    board = dock.session.board
    assert [cell.metadata[KEY]["method"] for cell in board.cells] == ["reference", "zero-filled", "tiny"]
    np.testing.assert_allclose(board.cells[0].data.max() * board.data.white, load(scan).image.max(), rtol=0.1)
    assert board.data.methods[0].psnr > 10
    board.go_to(2)
    dock.export_to(tmp_path / "export")
    qtbot.waitUntil(lambda: "Exported" in dock.status.text(), timeout=60_000)
    written = {path.name for path in (tmp_path / "export").iterdir()}
    assert {"comparison.png", "metrics.csv", "report.html", "zero-filled.nii.gz", "tiny.nii.gz"} <= written
    np.testing.assert_allclose(load(tmp_path / "export" / "tiny.nii.gz").affine, load(scan).affine)
    dock.session.close()
