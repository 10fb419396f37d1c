"""The "Compare reconstructions" dock: what it asks the worker for, and what it shows of the answer."""

import json
from pathlib import Path
from threading import Event

import pytest
from docks import board_up, measurement, opened_dock, show, write_run
from fake_boards import write_fake_board
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.client import Progress, Result
from napari_mritransfer.training.events import Failed, Stopped
from napari_mritransfer.widgets.board_data import read_board
from napari_mritransfer.widgets.compare_dock import CompareDock
from napari_mritransfer.widgets.compare_inputs import CompareInputs
from napari_mritransfer.widgets.session import Session, session_of
from napari_mritransfer.zoo.card import DEFAULT_MODEL


def test_without_a_measurement_the_dock_says_what_to_do_first(dock):
    assert dock.about.text() == "Undersample a scan first (Load scan)."
    assert not dock.build.isEnabled()
    assert dock.board.isHidden()


def test_the_worker_gets_exactly_what_was_chosen(dock, root, scan, orders, qtbot):
    ft = write_run(root / "runs" / "2026-01-01_ft", strategy="ft")
    lft = write_run(root / "runs" / "2026-01-02_lft", strategy="lft")
    dock.session.add_measurement(measurement(scan))
    dock.session.tuning.changed.emit()
    assert dock.methods.runs == (str(lft), str(ft))  # newest first
    dock.methods.tick("reference", "zero-filled", "pretrained", str(ft))
    dock.build.click()
    (request,) = orders
    out = request.command.pop("out")
    assert Path(out).parent == root / "comparisons"
    assert request.command == {
        "command": "compare",
        "scan": str(scan),
        "methods": ["zero-filled", "pretrained", str(ft)],
        "merge_seeds": False,
        "model": DEFAULT_MODEL,
        "sampling": Sampling(SamplingPattern(rate=0.25), phase_encode="x").as_record(),
        "peak": "volume",
        "device": "cpu",
    }
    assert not dock.build.isEnabled()
    request.ended.emit(Stopped(0, 0, None))


def test_pretrained_is_the_chosen_network_also_beside_runs_that_began_elsewhere(tmp_path, scan):
    run = str(write_run(tmp_path / "run", model="another-model"))
    chosen = CompareInputs(measurement(scan), ("pretrained", run), model=DEFAULT_MODEL).command(tmp_path / "out")
    assert chosen["methods"] == [DEFAULT_MODEL, run]
    left_open = CompareInputs(measurement(scan), ("pretrained", run)).command(tmp_path / "out")
    assert left_open["methods"] == ["pretrained", run]


def test_the_board_comes_up_with_the_result_and_its_verdict(dock, scan, orders, tmp_path, qtbot):
    dock.session.add_measurement(measurement(scan))
    dock.methods.tick("zero-filled", "pretrained")
    dock.build.click()
    orders[0].told.emit(Progress("lft: slice 3 of 16", 3, 48))
    assert (dock.bar.value(), dock.bar.maximum(), dock.status.text()) == (3, 48, "lft: slice 3 of 16")
    orders[0].ended.emit(Result({"out": str(write_fake_board(tmp_path / "out", scan))}))
    board = board_up(dock, qtbot)
    assert len(board.cells) == 3  # the reference was not ticked
    assert dock.board.verdict.text() == "lft is best."
    assert "magnitude image" in dock.board.warnings.text()
    assert dock.build.isEnabled()
    dock.board.leave.click()
    assert dock.session.board is None
    dock.board.leave.click()  # shows it again, without the worker
    assert dock.session.board is not None
    assert len(orders) == 1
    dock.board.leave.click()


def test_a_failure_is_told_in_its_own_words_and_the_next_try_works(dock, scan, orders):
    dock.session.add_measurement(measurement(scan))
    dock.build.click()
    orders[0].ended.emit(Failed("Memory ran out; choose the CPU.", 0))
    assert dock.status.text() == "Memory ran out; choose the CPU."
    assert dock.status.styleSheet()
    dock.build.click()
    assert len(orders) == 2
    assert not dock.status.styleSheet()
    orders[1].ended.emit(Stopped(0, 0, None))


def test_stop_is_passed_on_once_and_answered(dock, scan, orders):
    dock.session.add_measurement(measurement(scan))
    dock.build.click()
    dock.stop.click()
    assert orders[0].was_stopped
    assert not dock.stop.isEnabled()
    orders[0].ended.emit(Stopped(0, 0, None))
    assert dock.status.text() == "Stopped; nothing was changed."
    assert dock.build.isEnabled()


def test_nothing_but_the_reference_ticked_is_refused_in_a_sentence(dock, scan, orders):
    dock.session.add_measurement(measurement(scan))
    dock.methods.tick("reference")
    dock.build.click()
    assert dock.status.text().startswith("Nothing is ticked")
    assert not orders


def test_runs_of_this_session_are_ticked_when_they_appear_and_ticks_stay(dock, root, scan):
    old = write_run(root / "runs" / "2026-01-01_lft", strategy="lft")
    unusable = write_run(root / "runs" / "2026-01-02_lft", psnr=None)
    dock.session.tuning.changed.emit()
    assert dock.methods.runs == (str(old),)
    assert str(unusable) not in dock.methods.runs
    assert dock.methods.ticked == ("reference", "zero-filled", "pretrained")
    dock.methods.tick("zero-filled", str(old))
    elsewhere = write_run(root.parent / "elsewhere" / "run", strategy="ft", finished=False)
    dock.methods.add_run(elsewhere)
    dock.session.tuning.changed.emit()
    assert dock.methods.ticked == ("zero-filled", str(elsewhere), str(old))
    first_run = dock.methods.count() - 2
    assert "unfinished" in dock.methods.item(first_run).text()
    assert "31.20 dB" in dock.methods.item(first_run + 1).text()


def test_a_run_that_was_killed_can_be_compared_with_what_it_learned(dock, root):
    killed = write_run(root / "runs" / "2026-01-01_10-00-00_lft")
    (killed / "metrics.json").unlink()
    dock.session.tuning.changed.emit()
    assert dock.methods.runs == (str(killed),)
    assert "nan" not in dock.methods.item(3).text()
    elsewhere = write_run(root.parent / "elsewhere" / "run")
    (elsewhere / "metrics.json").unlink()
    dock.methods.add_run(elsewhere)
    assert str(elsewhere) in dock.methods.ticked


def test_an_outcome_without_a_model_cannot_be_ticked(dock, root):
    emptied = write_run(root / "runs" / "2026-01-01_lft")
    (emptied / "best.safetensors").unlink()
    dock.session.tuning.changed.emit()
    assert dock.methods.runs == ()
    with pytest.raises(BadInput, match="no run with a model"):
        dock.methods.add_run(emptied)


def test_a_worker_that_cannot_start_is_told_and_the_next_try_works(dock, scan, orders, monkeypatch):
    def no_memory(*_):
        raise OSError(12, "Cannot allocate memory")

    dock.session.add_measurement(measurement(scan))
    with monkeypatch.context() as patched:
        patched.setattr(Session, "request", no_memory)
        dock.build.click()
    assert dock.status.text().startswith("The worker process cannot be started (Cannot allocate memory)")
    assert dock.build.isEnabled()
    dock.build.click()
    assert len(orders) == 1
    orders[0].ended.emit(Stopped(0, 0, None))


def test_stop_while_the_board_opens_drops_it(dock, scan, tmp_path, monkeypatch, qtbot):
    may_go_on, has_read = Event(), Event()

    def slow(*where):
        may_go_on.wait(10)
        try:
            return read_board(*where)
        finally:
            has_read.set()

    monkeypatch.setattr("napari_mritransfer.widgets.comparing.read_board", slow)
    dock.show_folder(write_fake_board(tmp_path / "board", scan), scan)
    dock.stop.click()
    assert dock.status.text() == "Stopped; nothing was changed."
    assert dock.build.isEnabled() == (dock.measurement.count() > 0)
    may_go_on.set()
    assert has_read.wait(10)
    qtbot.wait(300)  # what the thread found would have arrived
    assert dock.session.board is None
    assert dock.comparing.data is None
    assert dock.status.text() == "Stopped; nothing was changed."


def test_a_board_that_cannot_be_built_does_not_keep_the_dock_waiting(dock, scan, tmp_path, monkeypatch, qtbot):
    def broken(*_arguments, **_settings):
        raise RuntimeError("no canvas")

    monkeypatch.setattr("napari_mritransfer.widgets.comparing.Board", broken)
    with qtbot.capture_exceptions() as raised:
        dock.show_folder(write_fake_board(tmp_path / "board", scan), scan)
        qtbot.waitUntil(lambda: not dock.comparing.is_busy, timeout=10_000)
    assert dock.status.text() == "The board cannot be shown: no canvas."
    assert [str(error) for _, error, _ in raised] == ["no canvas"]


def test_names_are_shown_as_they_are(dock, scan, tmp_path, qtbot):
    folder = write_fake_board(tmp_path / "board", scan)
    record = json.loads((folder / "board.json").read_text())
    record["verdict"], record["warnings"] = "<b>lft</b> is best.", ["<i>head</i> is small."]
    (folder / "board.json").write_text(json.dumps(record))
    board = show(dock, folder, scan, qtbot)
    panel = dock.board
    for label in (dock.about, dock.status, panel.verdict, panel.warnings, panel.convention, panel.statement):
        assert label.textFormat() == Qt.TextFormat.PlainText
    board.leave()


def test_a_folder_without_a_run_is_refused_in_a_sentence(dock, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dock.add_run.click()
    assert "holds no run" in dock.status.text()


def test_a_broken_folder_is_told_in_a_sentence(dock, scan, tmp_path, qtbot):
    dock.show_folder(tmp_path / "nothing", scan)
    qtbot.waitUntil(lambda: "no complete comparison" in dock.status.text(), timeout=10_000)
    assert dock.session.board is None


def test_a_dock_that_was_closed_and_opened_again_knows_everything(viewer, dock, scan, tmp_path, orders, qtbot):
    dock.session.add_measurement(measurement(scan))
    dock.build.click()
    viewer.window.remove_dock_widget(dock)
    dock.deleteLater()
    qtbot.wait(50)
    orders[0].told.emit(Progress("lft: slice 3 of 16", 3, 48))
    again = opened_dock(viewer)
    assert again.bar.value() == 3
    assert not again.build.isEnabled()
    orders[0].ended.emit(Result({"out": str(write_fake_board(tmp_path / "out", scan))}))
    board = board_up(again, qtbot)
    viewer.window.remove_dock_widget(again)
    again.deleteLater()
    qtbot.wait(50)
    board.go_to(5)  # nobody watches
    board.cells[0].contrast_limits = (0.0, 0.5)
    third = opened_dock(viewer)
    assert third.board.plot.line.value() == 5
    assert "0.50" in third.board.statement.text()
    third.board.plot.worst.click()
    assert board.slice_index == 4
    third.board.leave.click()
    assert session_of(viewer).board is None


def test_the_dock_opens_from_the_plugin_menu(viewer, root, orders):
    _, dock = viewer.window.add_plugin_dock_widget("napari-mritransfer", "Compare reconstructions")
    assert isinstance(dock, CompareDock)
    assert dock.session is session_of(viewer)
