"""The queue of jobs and its states, without a viewer and without a worker."""

import math
from pathlib import Path

import pytest
from fake_request import FakeRequest

from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import Checkpointed, Done, EpochDone, Failed, Started, StepDone, Stopped
from napari_mritransfer.widgets.requests import CRASHED
from napari_mritransfer.widgets.tuning import Run, RunState, Tuning

SOON = 5_000


def run_of(strategy="lft", **changes):
    return Run(Path(f"runs/{strategy}"), FinetuneConfig("base", ("a.nii",), ("b.nii",), strategy=strategy, **changes))


def started(strategy="lft", step=0):
    return Started(strategy, 22, 151, 250, step, "cpu", 25.0)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def tuning(qapp, sent):
    def request(command, title):
        sent.append(FakeRequest(command, title))
        return sent[-1]

    return Tuning(request)


def test_strategies_run_one_after_the_other(tuning, sent):
    states = []
    tuning.changed.connect(lambda: states.append(tuning.state))
    first, second = run_of("ft"), run_of("lft")
    tuning.start([first, second])
    assert (tuning.state, tuning.current, len(sent)) == (RunState.RUNNING, first, 1)
    assert sent[0].command["command"] == "finetune"
    assert sent[0].command["run"] == str(first.folder)
    assert sent[0].command["config"]["strategy"] == "ft"
    assert sent[0].command["resume"] is False
    sent[0].ended.emit(Done(250, 200, 31.0, 30.9, 9.0))
    assert (tuning.state, tuning.current, len(sent)) == (RunState.RUNNING, second, 2)
    sent[1].ended.emit(Done(250, 250, 32.0, 32.0, 9.0))
    assert (tuning.state, tuning.current) == (RunState.DONE, None)
    assert first.ended.best_score == 31.0
    assert set(states) == {RunState.RUNNING, RunState.DONE}


def test_events_are_written_down_and_passed_on(tuning, sent):
    run, told = run_of(), []
    tuning.told.connect(lambda which, event: told.append((which, event)))
    tuning.start([run])
    events = [
        started(), EpochDone(0, 0, None, 29.0, True, 0.5), StepDone(1, 0.3, 1.0), StepDone(2, 0.2, 2.0),
        EpochDone(1, 2, 0.25, 30.0, True, 2.5),
    ]  # fmt: skip
    for event in events:
        sent[0].told.emit(event)
    assert told == [(run, event) for event in events]
    assert run.losses == [(1, 0.3), (2, 0.2)]
    assert run.curve == [(0, 29.0), (2, 30.0)]
    assert run.seconds_left == pytest.approx(2.5 / 2 * 248)
    assert sent[0].shown == (2, 250)


def test_a_failure_is_told_and_does_not_keep_the_others_from_running(tuning, sent):
    tuning.start([run_of("ft"), run_of("lft")])
    sent[0].ended.emit(Failed("The loss became nan at step 3; choose a learning rate below 0.001.", 3))
    assert tuning.state is RunState.RUNNING
    sent[1].ended.emit(Done(250, 250, 32.0, 32.0, 9.0))
    assert tuning.state is RunState.FAILED
    assert tuning.message.startswith("Full fine-tuning (FT): The loss became nan")


def test_the_same_failure_of_several_strategies_is_told_once(tuning, sent):
    tuning.start([run_of("ft"), run_of("lft")])
    for number in (0, 1):
        sent[number].ended.emit(Failed("The file is gone.", 0))
    assert tuning.message == "Full fine-tuning (FT), Linear fine-tuning (LFT): The file is gone."


def test_after_a_failure_the_next_start_works(tuning, sent):
    tuning.start([run_of()])
    sent[0].ended.emit(Failed("Memory ran out.", 0))
    tuning.start([run_of()])
    assert tuning.state is RunState.RUNNING
    sent[1].ended.emit(Done(250, 250, 32.0, 32.0, 9.0))
    assert tuning.state is RunState.DONE
    assert "Memory" not in tuning.message


def test_stop_forgets_what_waits(tuning, sent):
    tuning.start([run_of("ft"), run_of("lft")])
    tuning.stop()
    assert (tuning.state, sent[0].was_stopped) == (RunState.STOPPING, True)
    sent[0].ended.emit(Stopped(7, 5, 30.0))
    assert (tuning.state, len(sent)) == (RunState.DONE, 1)
    assert "step 7" in tuning.message


def test_a_worker_that_does_not_stop_within_a_second_is_ended(tuning, sent, qtbot):
    run = run_of()
    tuning.start([run])
    for event in (started(), EpochDone(0, 0, None, 29.0, True, 0.5), Checkpointed(0), StepDone(1, 0.3, 1.0)):
        sent[0].told.emit(event)
    tuning.stop()
    qtbot.waitUntil(lambda: sent[0].was_killed, timeout=2_000)
    sent[0].has_crashed = True
    sent[0].ended.emit(Failed(CRASHED, 0))
    assert tuning.state is RunState.DONE, "the last checkpoint is the result, and nothing has failed"
    assert run.ended == Stopped(0, 0, 29.0), "it goes on from the last checkpoint"


def test_the_best_of_a_run_that_was_ended_is_the_lowest_error(tuning, sent):
    run = run_of()
    tuning.start([run])
    start = Started("lft", 22, 151, 250, 0, "cpu", 9.0, metric="MAE", unit="years", higher_is_better=False)
    for event in (start, EpochDone(0, 0, None, 7.0, True, 0.5), EpochDone(1, 25, 0.1, 5.0, True, 1.0)):
        sent[0].told.emit(event)
    sent[0].told.emit(EpochDone(2, 50, 0.1, 6.0, False, 1.5))
    tuning.stop()
    sent[0].has_crashed = True
    sent[0].ended.emit(Failed(CRASHED, 0))
    assert run.ended == Stopped(0, 25, 5.0)


def test_a_crash_ends_the_queue(tuning, sent):
    waiting = run_of("lft")
    tuning.start([run_of("ft"), waiting])
    sent[0].has_crashed = True
    sent[0].ended.emit(Failed(CRASHED, 0))
    assert (tuning.state, len(sent)) == (RunState.FAILED, 1)
    assert CRASHED in tuning.message
    assert isinstance(waiting.ended, Stopped)


def test_one_job_at_a_time(tuning):
    tuning.start([run_of()])
    with pytest.raises(RuntimeError, match="stop it first"):
        tuning.start([run_of()])


def test_stop_without_a_job_does_nothing(tuning):
    tuning.stop()
    assert tuning.state is RunState.IDLE


def test_a_resumed_run_forgets_what_it_will_tell_again(qapp):
    run = run_of()
    run.losses, run.curve = [(1, 0.3), (5, 0.2), (9, 0.1)], [(0, 29.0), (5, 30.0), (9, 31.0)]
    run.take(started(step=5))
    assert (run.losses, run.curve) == ([(1, 0.3), (5, 0.2)], [(0, 29.0), (5, 30.0)])
    run.take(EpochDone(1, 5, 0.2, 30.0, True, 1.0))
    assert run.curve == [(0, 29.0), (5, 30.0)]
    assert run.seconds_left is None or math.isfinite(run.seconds_left)
