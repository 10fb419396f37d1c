"""The whole way with a real worker: check, run, stop, go on, a crash in between, and the map behind a point."""

import os
import signal

import pytest
from small_cohorts import write_cohort
from small_reuse import write_network
from worker_session import is_gone, prefer

from napari_mritransfer.cohort.reuse.record import read_reuse
from napari_mritransfer.widgets.requests import CRASHED
from napari_mritransfer.widgets.reuse_dock import CohortDock

SOON = 90_000


@pytest.fixture
def real(viewer, tmp_path, monkeypatch, qtbot):
    """The dock with a small cohort and a small network; whatever is kept lies in the test's own folder."""
    prefer(monkeypatch, tmp_path / "kept")
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path / "models"))
    table = write_cohort(tmp_path / "cohort", subjects=15)
    table.write_text(table.read_text() + "sub-99\t60\thealthy\tA\n")  # who has no image
    dock = CohortDock(viewer)
    viewer.window.add_dock_widget(dock, name="Cohort", area="right")
    dock.open_table(table, "age")
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    dock.networks.choose(str(write_network(tmp_path / "network.safetensors")))
    return dock


def over(dock):
    return lambda: not dock.reusing.is_busy


def test_from_a_table_to_the_map_of_one_subject(viewer, real, tmp_path, qtbot):
    real.check.click()
    qtbot.waitUntil(over(real), timeout=SOON)
    looked = real.reusing.looked
    assert looked is not None, real.status.text()
    assert [row.subject for row in looked.rows if not row.usable] == ["sub-99"]
    assert all(row.thumbnail.is_file() for row in looked.rows if row.usable)
    real.methods.tick("features-ridge", "full")
    real.settings.folds.setValue(3)
    real.run.click()
    qtbot.waitUntil(lambda: real.reusing.done.get("full", 0) > 0 or not real.reusing.is_busy, timeout=SOON)
    if real.reusing.is_busy:  # fast machines are done before anybody can stop them
        real.stop.click()
        qtbot.waitUntil(over(real), timeout=SOON)
    if real.reusing.may_go_on:
        real.go_on.click()
        qtbot.waitUntil(over(real), timeout=SOON)
    qtbot.waitUntil(lambda: real.reusing.data is not None and not real.reusing.is_busy, timeout=SOON)
    record = read_reuse(real.reusing.folder)
    assert [one.method for one in record.results] == ["baseline", "features-ridge", "full"]
    line = next(one for one in real.reusing.data.lines_of(record.results[2]))
    real.showing.show_scan(real.reusing.data, line, may_ask=True)
    qtbot.waitUntil(lambda: not real.showing.is_busy, timeout=SOON)
    assert real.showing.shown is not None, real.showing.message
    assert real.showing.shown.map is not None, real.showing.message
    assert real.showing.board is not None
    real.showing.leave()


def test_after_a_crash_of_the_worker_it_goes_on(real, qtbot):
    real.methods.tick("features-ridge", "full", "scratch")
    real.settings.folds.setValue(3)
    real.run.click()
    qtbot.waitUntil(lambda: sum(real.reusing.done.values()) > 0 or not real.reusing.is_busy, timeout=SOON)
    client = real.session.client
    pid = client.pid
    os.kill(pid, signal.SIGKILL)
    qtbot.waitUntil(over(real), timeout=SOON)
    assert is_gone(pid)
    if real.reusing.data is None:
        assert real.status.text() == CRASHED
        real.go_on.click()
        qtbot.waitUntil(lambda: real.reusing.data is not None and not real.reusing.is_busy, timeout=SOON)
    assert len(read_reuse(real.reusing.folder).results) == 4
