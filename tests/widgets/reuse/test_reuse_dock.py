"""What the "Cohort" dock shows while the worker works, with a worker that answers when the test says so."""

import json
from pathlib import Path

import pytest
from fake_reuse import config_for, write_look, write_reuse, write_unfinished
from qtpy.QtWidgets import QFileDialog

from napari_mritransfer.cohort.reuse.look import CHECKS
from napari_mritransfer.cohort.reuse.record import CONFIG, FITS, RESULTS
from napari_mritransfer.training.client import Progress, Result
from napari_mritransfer.training.events import Failed, Stopped
from napari_mritransfer.widgets.requests import CRASHED
from napari_mritransfer.widgets.reuse_dock import CohortDock
from napari_mritransfer.widgets.session import Session, session_of

SOON = 10_000


def looked_at(dock, orders, table, settled, **changes):
    dock.check.click()
    out = write_look(Path(orders[-1].command["out"]), table, **changes)
    orders[-1].ended.emit(Result({"out": str(out)}))
    settled(dock)


def begun(dock, orders, table, fits=0):
    """Run, and let the worker write down some fits."""
    dock.run.click()
    out = Path(orders[-1].command["out"])
    return write_unfinished(out, config_for(table), fits=fits)


def test_a_look_shows_everybody_and_names_all_that_is_wrong(filled, orders, table, settled):
    filled.check.click()
    orders[0].told.emit(Progress("Looking at sub-04", 3, 12))
    assert (filled.bar.value(), filled.bar.maximum(), filled.status.text()) == (3, 12, "Looking at sub-04")
    orders[0].ended.emit(Result({"out": str(write_look(Path(orders[0].command["out"]), table))}))
    settled(filled)
    subjects = filled.subjects
    assert subjects.summary.text() == "10 of 12 scans can be used. age: 50 to 72, mean 61.0, sd 7."
    assert subjects.scans.count() == 12, "nobody is lost"
    texts = [subjects.scans.item(place).text() for place in range(12)]
    assert texts[0] == "sub-01\n50"
    assert texts[2] == "sub-03\n54\nleft out"
    assert texts[4] == "sub-05\nno label\nleft out"
    problems = [subjects.problems.item(place).text() for place in range(subjects.problems.count())]
    assert problems[0] == "line 4: sub-03: sub-03.nii.gz is not there; check the path in the table."
    assert len(problems) == 3
    assert not subjects.scans.item(0).icon().isNull()
    subjects.problems.setCurrentRow(1)
    assert subjects.chosen.subject == "sub-05"
    assert "nothing in column 'age'" in subjects.sentence.text()
    assert not subjects.picture.isHidden(), "of what is wrong"
    assert subjects.picture.pixmap().width() <= subjects.scans.width()
    assert "large.png" in subjects.picture.toolTip()
    subjects.scans.setCurrentRow(2)
    assert subjects.picture.isHidden()
    assert not subjects.show_scan.isEnabled(), "there is no file"
    assert filled.check.text() == "Check scans"
    filled.table.choose("sex")
    assert "again" in filled.check.text()


def test_a_scan_of_the_list_opens_in_the_viewer(viewer, filled, orders, table, settled):
    looked_at(filled, orders, table, settled)
    filled.subjects.scans.setCurrentRow(6)
    filled.subjects.show_scan.click()
    settled(filled)
    assert [layer.name for layer in viewer.layers] == ["sub-07"]
    assert viewer.layers[0].data.max() == 707


def test_a_cohort_that_cannot_be_used_is_told_before_anything_runs(filled, orders, table, settled):
    looked_at(filled, orders, table, settled, may_run=False)
    assert filled.status.text().startswith("Nothing can be run before the first problem is solved")
    assert filled.subjects.problems.item(0).text().startswith("Everybody has 60")


def test_progress_is_told_for_every_method(filled, orders, table, monkeypatch):
    monkeypatch.setattr("napari_mritransfer.widgets.reusing._COUNT_EVERY_S", 0)
    filled.methods.tick("features-ridge", "classical", "full")
    filled.settings.folds.setValue(4)
    out = begun(filled, orders, table, fits=3)
    orders[0].told.emit(Progress("Features, ridge: fold 4 of 4", 7, 16))
    notes = {name: filled.methods._notes[name].text() for name in ("features-ridge", "classical", "full", "lft")}
    assert notes == {"features-ridge": "3 of 4", "classical": "0 of 4", "full": "0 of 4", "lft": "slow"}
    (out / FITS / "features-ridge_n0_r0_f3.json").write_text("{}")
    orders[0].told.emit(Progress("Classical: fold 1 of 4", 8, 16))
    assert filled.methods._notes["features-ridge"].text() == "4 of 4"
    assert (filled.bar.value(), filled.bar.maximum()) == (8, 16)
    orders[0].ended.emit(Stopped(0, 0, None))


def test_stop_keeps_what_was_done_and_go_on_continues_there(filled, orders, table, settled):
    filled.settings.folds.setValue(4)
    assert not filled.go_on.isEnabled()
    out = begun(filled, orders, table, fits=3)
    assert not filled.go_on.isEnabled()
    filled.stop.click()
    assert orders[0].was_stopped
    assert not filled.stop.isEnabled()
    orders[0].ended.emit(Stopped(0, 0, None))
    assert filled.status.text() == "Stopped; what was done is kept, and “Go on” continues there."
    assert filled.methods._notes["features-ridge"].text() == "3 of 4"
    filled.settings.seed.setValue(9)  # of another re-use
    filled.go_on.click()
    assert orders[1].command["out"] == str(out)
    assert orders[1].command["config"] == json.loads((out / CONFIG).read_text())
    write_reuse(out, table)
    orders[1].ended.emit(Result({"out": str(out)}))
    settled(filled)
    assert not filled.go_on.isEnabled()
    assert filled.reusing.data.record.folder == out
    assert not filled.panel.isHidden()


def test_after_a_crash_go_on_and_run_both_work(filled, orders, table):
    out = begun(filled, orders, table, fits=1)
    orders[0].has_crashed = True
    orders[0].ended.emit(Failed(CRASHED, 0))
    assert filled.status.text() == CRASHED
    assert filled.status.styleSheet()
    filled.go_on.click()
    assert orders[1].command["out"] == str(out)
    orders[1].ended.emit(Failed("Memory ran out.", 0))
    filled.run.click()
    assert orders[2].command["out"] != str(out)
    assert not filled.status.styleSheet()
    orders[2].ended.emit(Stopped(0, 0, None))


def test_problems_that_stop_a_run_are_shown_though_nobody_looked(filled, orders, table):
    out = begun(filled, orders, table)
    write_look(out, table, may_run=False)
    orders[0].ended.emit(Failed("Nothing can be learned: everybody has 60 in column 'age'.", 0))
    assert filled.status.text().startswith("Nothing can be learned")
    assert filled.subjects.problems.item(0).text().startswith("Everybody has 60")
    assert filled.subjects.scans.count() == 12


def test_damaged_checks_break_nothing(filled, orders, table):
    out = begun(filled, orders, table)
    (out / CHECKS).write_text("{")
    orders[0].ended.emit(Failed("Nothing can be learned.", 0))
    assert filled.status.text() == "Nothing can be learned."
    assert filled.subjects.isHidden()


def test_an_unfinished_folder_is_taken_up(dock, orders, table, tmp_path, monkeypatch, qtbot):
    config = config_for(table, site="site", seed=4, sizes=(5,), methods=("features-gp",))
    folder = write_unfinished(tmp_path / "stopped", config)
    write_look(folder, table)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    dock.open.click()
    assert dock.status.text() == "This re-use is not finished: 3 fits are done. “Go on” continues it."
    assert dock.subjects.scans.count() == 12
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    assert dock.inputs().config() == config, "the form is as it was"
    dock.go_on.click()
    assert orders[0].command["out"] == str(folder)
    orders[0].ended.emit(Stopped(0, 0, None))


def test_a_finished_folder_is_shown_and_its_form_filled_in(dock, orders, table, tmp_path, settled, qtbot):
    folder = write_reuse(tmp_path / "done", table, methods=("features-ridge", "direct"))
    dock.show_folder(folder)
    settled(dock)
    assert dock.reusing.data.record.folder == folder
    assert not dock.go_on.isEnabled()
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    assert dock.methods.ticked == ("direct", "features-ridge")
    assert not orders


def test_results_of_a_table_that_is_gone_are_shown_all_the_same(dock, table, tmp_path, settled):
    folder = write_reuse(tmp_path / "done", table)
    table.unlink()
    dock.show_folder(folder)
    settled(dock)
    assert not dock.panel.isHidden()
    assert dock.table.path is None
    assert not dock.run.isEnabled()


@pytest.mark.parametrize("damage", ["no folder", "config", "results", "predictions"])
def test_a_broken_folder_is_told_and_the_last_results_stay(dock, table, tmp_path, settled, damage):
    dock.show_folder(write_reuse(tmp_path / "good", table))
    settled(dock)
    good = dock.reusing.data
    folder = tmp_path / "bad"
    if damage != "no folder":
        write_reuse(folder, table)
        name = {"config": CONFIG, "results": RESULTS, "predictions": "predictions.csv"}[damage]
        (folder / name).write_text("{", encoding="utf-8")
    dock.show_folder(folder)
    settled(dock)
    assert dock.status.text()
    assert dock.status.styleSheet()
    assert dock.reusing.data is good
    assert not dock.panel.isHidden()


def test_a_worker_that_cannot_start_is_told(filled, orders, monkeypatch):
    def no_memory(*_):
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr(Session, "request", no_memory)
        filled.run.click()
    assert filled.status.text().startswith("The worker process cannot be started (Cannot allocate memory)")
    filled.run.click()
    assert len(orders) == 1
    orders[0].ended.emit(Stopped(0, 0, None))


def test_a_dock_that_was_closed_and_opened_again_knows_everything(viewer, filled, orders, table, settled, qtbot):
    looked_at(filled, orders, table, settled)
    out = begun(filled, orders, table, fits=2)
    viewer.window.remove_dock_widget(filled)
    filled.deleteLater()
    qtbot.wait(50)
    orders[1].told.emit(Progress("Features, ridge: fold 3 of 5", 2, 10))
    again = CohortDock(viewer)
    viewer.window.add_dock_widget(again, name="Cohort")
    assert again.bar.value() == 2
    assert not again.run.isEnabled()
    assert again.subjects.scans.count() == 12
    qtbot.waitUntil(lambda: again.table.path == table, timeout=SOON)
    orders[1].ended.emit(Result({"out": str(write_reuse(out, table))}))
    settled(again)
    assert again.panel.table.topLevelItemCount() == 3


def test_closing_the_window_while_methods_run_breaks_nothing(
    make_napari_viewer_proxy, root, orders, table, tmp_path, qtbot
):
    viewer = make_napari_viewer_proxy()
    dock = CohortDock(viewer)
    viewer.window.add_dock_widget(dock, name="Cohort")
    dock.open_table(table)
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    out = begun(dock, orders, table, fits=1)
    showing, session = dock.showing, dock.session
    dock.open_table(table)  # a thread is on its way too
    viewer.close()
    session.close()
    write_reuse(out, table)
    orders[0].ended.emit(Result({"out": str(out)}))
    qtbot.wait(200)
    assert showing.board is None


def test_both_themes_are_taken(viewer, filled, orders, table, tmp_path, settled):
    looked_at(filled, orders, table, settled)
    filled.show_folder(write_reuse(tmp_path / "done", table))
    settled(filled)
    for theme in ("light", "dark"):
        viewer.theme = theme
        for plot in (filled.panel.plot, filled.table.histogram):
            lightness = plot.canvas.backgroundBrush().color().lightness()
            assert (lightness > 128) == (theme == "light")
        text = filled.subjects.scans.item(0).foreground().color().lightness()
        assert (text < 128) == (theme == "light")


def test_the_dock_opens_from_the_plugin_menu(viewer, root, orders):
    _, dock = viewer.window.add_plugin_dock_widget("napari-mritransfer", "Cohort")
    assert isinstance(dock, CohortDock)
    assert dock.session is session_of(viewer)
