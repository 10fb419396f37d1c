"""The "Fine-tune" dock with a real worker process: stop, crash, out of memory, closing, two viewers."""

import gc
import os
import sys
import time

import pytest
from heads import write_head, write_tiny_base
from worker_session import is_gone, prefer

from napari_mritransfer.training import client as client_module
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.widgets.commands import opened as dock_of
from napari_mritransfer.widgets.tuning import RunState

SOON = 60_000
OUT_OF_MEMORY = r"""
import napari_mritransfer.training.reconstruction as work
from napari_mritransfer.training.worker import serve
from pathlib import Path
real, broken = work.load_target, Path(__import__("sys").argv[1])
def greedy(*arguments, **options):
    if broken.exists():
        raise MemoryError
    return real(*arguments, **options)
work.load_target = greedy
serve()
"""
DEAF = r"""
import time
import napari_mritransfer.training.course as course
from napari_mritransfer.training.worker import serve
real = course.Course._take_step
def slow(self):
    if self.progress.step == 3:
        time.sleep(60)  # a library that does not come back
    return real(self)
course.Course._take_step = slow
serve()
"""


@pytest.fixture(autouse=True)
def preferred(tmp_path, monkeypatch):
    return prefer(monkeypatch, tmp_path / "kept")


@pytest.fixture
def heads(tmp_path):
    return [write_head(tmp_path / f"sub-0{n}" / "t2.nii.gz", seed=n) for n in (1, 2)]


@pytest.fixture
def base(tmp_path):
    return write_tiny_base(tmp_path / "base.safetensors")


@pytest.fixture
def fill_in(heads, base):
    """Open the scans and the dock, and ask for a job that takes a second, or for ever."""

    def fill(viewer, *strategies, epochs=2, steps=3):
        viewer.open([str(path) for path in heads], plugin="napari-mritransfer")
        dock = dock_of(viewer, "Fine-tune")
        dock.model.add(base)
        dock.choose_scans([viewer.layers[0]], viewer.layers[1])
        dock.scans.count.setValue(2)
        dock.strategies.tick(*(strategies or ("lft",)))
        dock.advanced.epochs.value, dock.advanced.steps_per_epoch.value = epochs, steps
        dock.advanced.batch.value = 2
        return dock

    return fill


@pytest.fixture
def runs_until(qtbot):
    """Waits for a state, or for so many steps."""

    def wait(dock, *states, steps=0):
        def there():
            run = dock.tuning.current
            if states:
                return dock.tuning.state in states
            assert dock.tuning.state is not RunState.FAILED, dock.tuning.message
            return run is not None and run.step >= steps

        qtbot.waitUntil(there, timeout=SOON)

    return wait


def finished(dock):
    return [
        dock.runs.list.topLevelItem(row).text(0).split(",")[0] for row in range(dock.runs.list.topLevelItemCount())
    ]


@pytest.mark.usefixtures("warm_worker")
class TestWithAWarmWorker:
    def test_two_strategies_from_start_to_finish(self, viewer, fill_in, runs_until, preferred):
        dock = fill_in(viewer, "ft", "lft")
        dock.start.click()
        runs_until(dock, RunState.DONE, RunState.FAILED)
        assert dock.tuning.state is RunState.DONE, dock.tuning.message
        assert sorted(finished(dock)) == ["FT", "LFT"]
        assert [len(run.losses) for run in dock.tuning.runs] == [6, 6]
        assert [len(run.curve) for run in dock.tuning.runs] == [3, 3]
        assert dock.preview.planes.shape == (3, 48, 40)
        assert not dock.preview.isHidden()
        for run in dock.tuning.runs:
            assert RunDirectory(run.folder).is_finished()
            assert run.folder.parent == preferred.run_folder / "runs"

    def test_stop_works_within_a_second_and_resume_goes_on(self, viewer, fill_in, runs_until):
        dock = fill_in(viewer, "ft", "lft", epochs=2, steps=400)
        dock.start.click()
        runs_until(dock, steps=5)
        asked = time.monotonic()
        dock.stop.click()
        runs_until(dock, RunState.DONE)
        assert time.monotonic() - asked < 2
        (run, waiting) = dock.tuning.runs
        assert 5 <= run.step < 800
        assert not waiting.folder.exists(), "what had not begun leaves no trace"
        dock.runs.select(run.folder)
        assert dock.runs.resume.isEnabled()
        dock.runs.resume.click()
        assert not dock.runs.resume.isEnabled()
        runs_until(dock, RunState.DONE, RunState.FAILED)
        assert dock.tuning.state is RunState.DONE, dock.tuning.message
        assert dock.tuning.runs[0].ended.step == 800
        assert RunDirectory(run.folder).is_finished()

    def test_a_killed_worker_is_told_and_the_next_run_works(self, viewer, fill_in, runs_until, warm_worker):
        dock = fill_in(viewer, epochs=500)
        dock.start.click()
        runs_until(dock, steps=5)
        os.kill(warm_worker.pid, 9)
        runs_until(dock, RunState.FAILED)
        assert "ended unexpectedly" in dock.status.text()
        dock.advanced.epochs.value = 2
        dock.start.click()
        runs_until(dock, RunState.DONE)

    def test_what_was_killed_can_be_resumed(self, viewer, fill_in, runs_until, warm_worker):
        dock = fill_in(viewer, epochs=2, steps=400)
        dock.start.click()
        runs_until(dock, steps=5)
        os.kill(warm_worker.pid, 9)
        runs_until(dock, RunState.FAILED)
        dock.runs.select(dock.tuning.runs[0].folder)
        dock.runs.resume.click()
        runs_until(dock, RunState.DONE)
        assert dock.tuning.runs[0].ended.step == 800

    def test_layers_may_be_renamed_and_deleted_while_a_job_runs(self, viewer, fill_in, runs_until):
        dock = fill_in(viewer, epochs=2, steps=100)
        dock.start.click()
        runs_until(dock, steps=2)
        viewer.layers[1].name = "something else"
        viewer.layers.clear()
        runs_until(dock, RunState.DONE)

    def test_the_dock_may_be_closed_and_opened_again_while_a_job_runs(self, viewer, fill_in, runs_until, qtbot):
        dock = fill_in(viewer, epochs=500)
        tuning = dock.tuning
        dock.start.click()
        runs_until(dock, steps=5)
        viewer.window.remove_dock_widget(dock)
        dock.deleteLater()
        del dock
        gc.collect()
        before = tuning.current.step
        qtbot.waitUntil(lambda: tuning.current.step > before, timeout=SOON)
        again = dock_of(viewer, "Fine-tune")
        assert again.tuning is tuning
        assert (again.start.isEnabled(), again.stop.isEnabled()) == (False, True)
        qtbot.waitUntil(lambda: bool(again.plot.loss.listDataItems()), timeout=SOON)
        again.stop.click()
        runs_until(again, RunState.DONE)

    def test_an_error_in_a_slot_does_not_end_the_job(self, viewer, fill_in, runs_until, monkeypatch, qtbot):
        dock = fill_in(viewer)

        def broken(*_):
            raise ValueError("a bug in the preview")

        monkeypatch.setattr(dock.preview, "show_file", broken)
        with qtbot.capture_exceptions() as caught:
            dock.start.click()
            runs_until(dock, RunState.DONE)
        assert any("a bug in the preview" in str(error[1]) for error in caught)
        assert dock.start.isEnabled()

    def test_a_new_session_lists_and_shows_earlier_runs(self, make_napari_viewer_proxy, fill_in, runs_until, qtbot):
        first = make_napari_viewer_proxy()
        dock = fill_in(first)
        dock.start.click()
        runs_until(dock, RunState.DONE)
        folder = dock.tuning.runs[0].folder
        first.close()
        later = dock_of(make_napari_viewer_proxy(), "Fine-tune")
        assert finished(later) == ["LFT"]
        later.runs.select(folder)
        assert not later.runs.resume.isEnabled(), "it is finished"
        later.runs.show_curves.click()
        qtbot.waitUntil(lambda: len(later.plot.loss.listDataItems()) == 1, timeout=SOON)
        assert later.preview.planes is not None
        later.runs.as_base.click()
        assert later.model.model == str(folder)
        qtbot.waitUntil(lambda: "lft" in later.model.parameters, timeout=SOON)

    def test_the_time_needed_is_said_before_the_start(self, viewer, fill_in, qtbot):
        dock = fill_in(viewer, "ft", "lft")
        dock.estimate.ask(dock.inputs().configs())
        qtbot.waitUntil(lambda: "about" in dock.estimate.text(), timeout=SOON)

    def test_a_file_that_is_no_model_says_so(self, viewer, fill_in, qtbot, tmp_path):
        dock = fill_in(viewer)
        (tmp_path / "no.safetensors").write_bytes(b"not weights")
        dock.model.add(tmp_path / "no.safetensors")
        qtbot.waitUntil(lambda: "not a whole safetensors file" in dock.model.card.text(), timeout=SOON)
        dock.start.click()
        qtbot.waitUntil(lambda: dock.tuning.state is RunState.FAILED, timeout=SOON)
        assert "not a whole safetensors file" in dock.status.text()


def test_out_of_memory_is_told_and_the_next_run_works(viewer, fill_in, runs_until, tmp_path, monkeypatch):
    switch = tmp_path / "greedy"
    switch.touch()
    command = (sys.executable, "-c", OUT_OF_MEMORY, str(switch))
    monkeypatch.setattr(client_module.WorkerClient.__init__, "__defaults__", (command,))
    dock = fill_in(viewer)
    dock.start.click()
    runs_until(dock, RunState.FAILED)
    assert "Memory ran out; lower the batch" in dock.status.text()
    pid = dock.session.client.pid
    switch.unlink()
    dock.start.click()
    runs_until(dock, RunState.DONE)
    assert dock.session.client.pid == pid


def test_a_worker_that_does_not_stop_is_ended_and_its_checkpoint_kept(viewer, fill_in, runs_until, monkeypatch):
    monkeypatch.setattr(client_module.WorkerClient.__init__, "__defaults__", ((sys.executable, "-c", DEAF),))
    dock = fill_in(viewer, epochs=5)
    dock.start.click()
    runs_until(dock, steps=3)
    asked = time.monotonic()
    dock.stop.click()
    runs_until(dock, RunState.DONE)
    assert time.monotonic() - asked < 3
    assert (dock.tuning.runs[0].folder / "best.safetensors").is_file()
    assert "Stopped at step 3" in dock.status.text()


def test_closing_the_window_leaves_no_process(make_napari_viewer_proxy, fill_in, runs_until, qtbot):
    viewer = make_napari_viewer_proxy()
    dock = fill_in(viewer, epochs=500)
    dock.start.click()
    runs_until(dock, steps=5)
    pid, folder = dock.session.client.pid, dock.tuning.runs[0].folder
    del dock
    viewer.close()
    qtbot.waitUntil(lambda: is_gone(pid, 0.1), timeout=5_000)
    assert RunDirectory(folder).config().epochs == 500, "what was begun can be resumed"


def test_two_viewers_work_side_by_side(make_napari_viewer_proxy, fill_in, runs_until, qtbot):
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    docks = [fill_in(viewer, epochs=500) for viewer in (first, second)]
    for dock in docks:
        dock.start.click()
    for dock in docks:
        runs_until(dock, steps=3)
    pids = [dock.session.client.pid for dock in docks]
    assert len(set(pids)) == 2
    first.close()
    qtbot.waitUntil(lambda: is_gone(pids[0], 0.1), timeout=5_000)
    before = docks[1].tuning.current.step
    qtbot.waitUntil(lambda: docks[1].tuning.current.step > before, timeout=SOON)
    docks[1].stop.click()
    runs_until(docks[1], RunState.DONE)


def test_closing_one_viewer_leaves_the_others_job_alone(make_napari_viewer_proxy, fill_in, runs_until, qtbot):
    """napari ends all threads that were started while the closing window was in front."""
    first, second = make_napari_viewer_proxy(), make_napari_viewer_proxy()
    dock = fill_in(first, "ft", "lft", epochs=2, steps=150)
    dock.start.click()
    runs_until(dock, steps=2)
    second.close()
    runs_until(dock, RunState.DONE, RunState.FAILED)
    assert dock.tuning.state is RunState.DONE, dock.tuning.message
    assert [run.step for run in dock.tuning.runs] == [300, 300]


def test_a_worker_that_cannot_be_started_is_told_and_nothing_is_stuck(viewer, fill_in, runs_until, monkeypatch):
    monkeypatch.setattr(client_module.WorkerClient.__init__, "__defaults__", (("no-such-program-here",),))
    dock = fill_in(viewer)
    dock.start.click()
    runs_until(dock, RunState.FAILED)
    assert "cannot be started" in dock.status.text()
    assert dock.start.isEnabled()
