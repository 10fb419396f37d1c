"""What the "Slice attention" dock shows, with a worker that answers when the test says so."""

import pytest
from fake_maps import GRID, write_maps
from qtpy.QtCore import QPointF, Qt

from napari_mritransfer.cohort.grid import SLICINGS
from napari_mritransfer.training.client import Progress, Result
from napari_mritransfer.training.events import Failed, Stopped
from napari_mritransfer.widgets.attention_dock import AttentionDock
from napari_mritransfer.widgets.requests import CRASHED
from napari_mritransfer.widgets.session import Session, session_of

SOON = 10_000


def board_up(dock, qtbot):
    qtbot.waitUntil(lambda: dock.attending.board is not None and not dock.attending.is_busy, timeout=SOON)
    return dock.attending.board


def show(dock, folder, qtbot):
    dock.show_folder(folder)
    return board_up(dock, qtbot)


def click(plot, x):
    """At slice `x` of the bars."""
    plot.canvas.resize(280, 200)
    plot.plot.layout.activate()

    class Click:
        def button(self):
            return Qt.MouseButton.LeftButton

        def pos(self):
            return plot.box.mapFromView(QPointF(x, 0.5))

        def accept(self):
            pass

    plot.box.mouseClickEvent(Click())


def test_what_was_predicted_is_said_with_its_spread_its_error_and_what_to_believe(dock, layer, orders, tmp_path, qtbot):
    dock.run.click()
    orders[0].told.emit(Progress("head: slice 3 of 13", 3, 13))
    assert (dock.bar.value(), dock.bar.maximum(), dock.status.text()) == (3, 13, "head: slice 3 of 13")
    truth = {"changed": [True] * GRID.shape[0], "share_on_changed": 0.42, "by_chance": 0.2}
    folder = write_maps(tmp_path / "maps", truth, {"scan": "lft"}, simulated=True)
    orders[0].ended.emit(Result({"out": str(folder)}))
    board_up(dock, qtbot)
    panel = dock.panel
    assert panel.prediction.text() == "age: 63.2 years (sd 1.1 over 30 dropout draws)"
    assert "Error to expect: MAE 3.2 years in validation." in panel.facts.text()
    assert "spread like 9 of 13 slices" in panel.facts.text()
    assert "42% of it lies on the slices that the simulation changed, which are 20% of all." in panel.facts.text()
    assert panel.sentence.text().startswith("• Dropping the 5 most attended slices")
    assert "not registered" in panel.warnings.text()
    assert panel.said.text() == "Resampled to 14 mm."
    assert panel.simulated.text().startswith("SIMULATED")
    assert not panel.simulated.isHidden()
    rows = [panel.views.topLevelItem(row) for row in range(2)]
    texts = [[row.text(column) for column in range(3)] for row in rows]
    assert texts == [["head", "63.2 years", ""], ["lft", "64.2 years", "+1.0 years"]]
    panel.views.setCurrentItem(rows[1])
    assert panel.prediction.text().endswith("+1.0 years compared with head")
    assert dock.attending.selected == 1
    dock.attending.leave()


def test_contributions_and_unknown_errors_are_called_so(dock, tmp_path, qtbot):
    view = {"kind": "contribution", "expected_error": "", "spread_text": "", "sentence": ""}
    show(dock, write_maps(tmp_path / "maps", view, simulated=False, warnings=[]), qtbot)
    panel = dock.panel
    assert panel.prediction.text() == "age: 63.2 years"
    assert panel.facts.text().startswith("What error to expect is unknown. Its contribution (of pooling without")
    assert all(label.isHidden() for label in (panel.simulated, panel.sentence, panel.warnings, panel.views))
    dock.attending.leave()


@pytest.mark.parametrize("slicing", SLICINGS)
def test_bars_and_viewer_follow_each_other_along_every_axis(viewer, dock, tmp_path, qtbot, slicing):
    board = show(dock, write_maps(tmp_path / "maps", {"slicing": slicing}), qtbot)
    view = dock.attending.view
    click(dock.panel.plot, 4.2)
    assert viewer.dims.current_step[0] == 4
    stored = float(board.cells[2].data[4, 0, 0]) - 1  # slice n of the file is n + 1 everywhere
    assert view.positions_mm[4] == GRID.positions_mm(slicing)[round(stored)]
    assert dock.panel.plot.line.value() == 4
    viewer.dims.set_current_step(0, 9)
    assert dock.panel.plot.line.value() == 9
    assert dock.panel.place.text() == view.place(9)
    dock.attending.leave()


def test_a_view_that_cuts_the_scan_otherwise_gets_a_board_of_its_own(dock, tmp_path, qtbot):
    other = {"name": "cut otherwise", "model": "sim-disease", "slicing": "coronal"}
    board = show(dock, write_maps(tmp_path / "maps", {}, {"name": "b", "model": "b"}, other), qtbot)
    assert len(board.cells) == 6  # the plain scan and two views
    dock.attending.select(1)
    assert dock.attending.board is board
    assert dock.panel.place.text() == dock.attending.view.place(board.slice_index)
    dock.attending.select(2)
    again = dock.attending.board
    assert again is not board
    assert not board.is_up
    assert again.slicing == "coronal"
    assert len(again.cells) == 4
    dock.attending.leave()


def test_the_maps_fade_and_go_with_the_slider_and_the_box(dock, tmp_path, qtbot):
    board = show(dock, write_maps(tmp_path / "maps"), qtbot)
    dock.panel.opacity.setValue(80)
    assert board.opacity == 0.8
    dock.panel.has_map.click()
    assert board.opacity == 0
    assert dock.panel.opacity.value() == 80
    dock.panel.has_map.click()
    assert board.opacity == 0.8
    board.cells[3].opacity = 0.3  # in napari's own controls
    assert dock.panel.opacity.value() == 30
    assert "never stretched" in dock.panel.statement.text()
    dock.panel.leave.click()
    dock.panel.leave.click()
    assert dock.attending.board.opacity == 0.3
    dock.attending.leave()


def test_stop_is_passed_on_once_and_answered(dock, layer, orders):
    dock.run.click()
    dock.stop.click()
    assert orders[0].was_stopped
    assert not dock.stop.isEnabled()
    orders[0].ended.emit(Stopped(0, 0, None))
    assert dock.status.text() == "Stopped; nothing was changed."
    assert dock.run.isEnabled()


def test_after_a_crash_the_next_try_works_and_the_last_maps_are_still_there(dock, layer, orders, tmp_path, qtbot):
    show(dock, write_maps(tmp_path / "maps"), qtbot)
    dock.run.click()
    orders[0].has_crashed = True
    orders[0].ended.emit(Failed(CRASHED, 0))
    assert dock.status.text() == CRASHED
    assert dock.status.styleSheet()
    assert dock.attending.board.is_up
    dock.run.click()
    assert len(orders) == 2
    assert not dock.status.styleSheet()
    orders[1].ended.emit(Failed("The network wants 91 slices, not 90.", 0))
    assert dock.status.text() == "The network wants 91 slices, not 90."
    dock.attending.leave()


def test_a_worker_that_cannot_start_is_told(dock, layer, orders, monkeypatch):
    def no_memory(*_):
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr(Session, "request", no_memory)
        dock.run.click()
    assert dock.status.text().startswith("The worker process cannot be started (Cannot allocate memory)")
    dock.run.click()
    assert len(orders) == 1
    orders[0].ended.emit(Stopped(0, 0, None))


def test_a_broken_folder_is_told_and_the_last_maps_stay(dock, tmp_path, qtbot):
    board = show(dock, write_maps(tmp_path / "maps"), qtbot)
    dock.show_folder(tmp_path / "nothing")
    qtbot.waitUntil(lambda: "holds no complete attention maps" in dock.status.text(), timeout=SOON)
    assert dock.attending.board is board
    dock.attending.leave()


def test_a_dock_that_was_closed_and_opened_again_knows_everything(viewer, dock, layer, tmp_path, orders, qtbot):
    dock.run.click()
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    qtbot.wait(50)
    orders[0].told.emit(Progress("head: slice 3 of 13", 3, 13))
    again = AttentionDock(viewer)
    viewer.window.add_dock_widget(again, name="Slice attention")
    assert again.bar.value() == 3
    assert not again.run.isEnabled()
    orders[0].ended.emit(Result({"out": str(write_maps(tmp_path / "maps", {}, {"scan": "lft"}))}))
    board = board_up(again, qtbot)
    again.attending.select(1)
    viewer.window.remove_dock_widget(again)
    again.deleteLater()
    qtbot.wait(50)
    board.go_to(5)  # nobody watches
    third = AttentionDock(viewer)
    viewer.window.add_dock_widget(third, name="Slice attention")
    assert third.panel.plot.line.value() == 5
    assert third.panel.prediction.text().startswith("age: 64.2 years")
    third.panel.leave.click()
    assert session_of(viewer).board is None
    assert viewer.layers == [layer]


def test_closing_the_window_while_a_network_looks_breaks_nothing(
    make_napari_viewer_proxy, root, orders, head, tmp_path, qtbot
):
    viewer = make_napari_viewer_proxy()
    dock = AttentionDock(viewer)
    viewer.window.add_dock_widget(dock, name="Slice attention")
    show(dock, write_maps(tmp_path / "maps"), qtbot)
    attending, session = dock.attending, dock.session
    dock.source.choose_files(head)
    dock.run.click()
    viewer.close()
    session.close()
    orders[0].ended.emit(Result({"out": str(tmp_path / "maps")}))
    qtbot.wait(200)
    assert attending.board is None


def test_the_dock_opens_from_the_plugin_menu(viewer, root, orders):
    _, dock = viewer.window.add_plugin_dock_widget("napari-mritransfer", "Slice attention")
    assert isinstance(dock, AttentionDock)
    assert dock.session is session_of(viewer)
