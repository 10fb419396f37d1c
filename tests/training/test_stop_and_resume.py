import itertools
import json
import re
import time
from dataclasses import replace

import pytest
from heads import write_tiny_base
from small_jobs import fails, names_of, small_config, weights

import napari_mritransfer.training.course as course_module
import napari_mritransfer.training.reconstruction as work_module
from napari_mritransfer.training import events
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.config import BadConfig, Optimiser
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.training.metric import PSNR
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.zoo.weights import read_safetensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


class StopAfter:
    """A user who presses Stop when something has happened."""

    def __init__(self, kind, times=1):
        self.kind, self.left = kind, times
        self.told = []

    def on_event(self, event):
        self.told.append(event)
        self.left -= isinstance(event, self.kind)

    def should_stop(self):
        return self.left <= 0


def test_stop_between_steps_keeps_what_was_learned(folder, run, tmp_path):
    user = StopAfter(events.StepDone, 4)
    config = small_config(folder)
    result = finetune(config, user.on_event, user.should_stop, run=run)
    assert isinstance(user.told[-1], events.Stopped)
    assert (result.finished, result.step) == (False, 4)
    assert open_model(str(run), which="last.safetensors").sha256 != open_model(config.model).sha256
    assert RunDirectory(run).metrics()["finished"] is False

    resumed = finetune(config, run=run, resume=True)
    assert resumed.finished
    finetune(config, run=tmp_path / "uninterrupted")
    assert weights(run) == weights(tmp_path / "uninterrupted")
    curves = [RunDirectory(each).curve() for each in (run, tmp_path / "uninterrupted")]
    assert curves[0] == curves[1]
    losses = [[e["loss"] for e in RunDirectory(each).events() if e["event"] == "EpochDone"]
              for each in (run, tmp_path / "uninterrupted")]  # fmt: skip
    assert losses[0] == losses[1]


@pytest.mark.parametrize("at", [0, 3, 6])
def test_stop_during_any_validation_leaves_a_model_and_the_same_end(folder, run, tmp_path, monkeypatch, at):
    """Also before anything was learned, and after the last step."""
    passes, real = itertools.count(), work_module.reconstruct

    def stopped_half_way(*args, should_stop, **options):
        assert not should_stop()
        return real(*args, should_stop=lambda: next(passes) == 2 * at // 3 + 1, **options)

    monkeypatch.setattr(work_module, "reconstruct", stopped_half_way)
    config, told = small_config(folder, validation_slices=4), []  # two passes of two slices
    result = finetune(config, told.append, run=run)
    monkeypatch.undo()
    assert (result.finished, result.step) == (False, at)
    assert isinstance(told[-1], events.Stopped)
    assert json.loads(json.dumps(result.as_record(), allow_nan=False))["step"] == at
    open_model(str(run))
    open_model(str(run), which="last.safetensors")

    finetune(config, run=run, resume=True)
    finetune(config, run=tmp_path / "uninterrupted")
    assert weights(run) == weights(tmp_path / "uninterrupted")
    assert RunDirectory(run).curve() == RunDirectory(tmp_path / "uninterrupted").curve()


def test_stop_while_loading(folder, run):
    told = []
    result = finetune(small_config(folder), told.append, lambda: True, run=run)
    assert told == [events.Stopped(0, 0, None)]
    assert not result.finished
    assert finetune(small_config(folder), run=run, resume=True).finished


def test_stop_while_loading_a_run_again_tells_how_far_it_was(folder, run):
    config, user, told = small_config(folder), StopAfter(events.EpochDone, 2), []
    finetune(config, user.on_event, user.should_stop, run=run)
    result = finetune(config, told.append, lambda: True, run=run, resume=True)
    best = next(event for event in reversed(user.told) if isinstance(event, events.EpochDone) and event.best)
    assert told == [events.Stopped(3, best.step, best.score)]
    assert (result.step, result.best_psnr) == (3, best.score)
    assert finetune(config, run=run, resume=True).finished


def test_a_run_is_not_overwritten(folder, run):
    config = small_config(folder)
    finetune(config, run=run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    _, error = fails(config, run, "already holds a run; resume it with --resume or choose another folder")
    assert isinstance(error.__cause__, BadConfig)
    fails(config, run, "is finished already; there is nothing to resume", resume=True)
    fails(replace(config, seed=9), run, "was started with other settings", resume=True)
    assert before == {path.name: path.read_bytes() for path in run.iterdir()}


def test_there_must_be_something_to_resume(folder, run, tmp_path):
    fails(small_config(folder), run, "holds no run to resume; start a new one", resume=True)
    assert not run.exists()


def test_a_state_that_is_not_this_jobs_is_refused(folder, run, tmp_path):
    base = tmp_path / "base.safetensors"
    write_tiny_base(base)
    config = small_config(folder, model=str(base))
    user = StopAfter(events.StepDone, 4)
    finetune(config, user.on_event, user.should_stop, run=run)
    state = (run / "state.safetensors").read_bytes()
    write_tiny_base(base, seed=1)
    fails(config, run, "The model has changed since this run was interrupted", resume=True)
    write_tiny_base(base)
    (run / "state.safetensors").write_bytes(state[:-10])
    fails(config, run, "not a whole safetensors file", resume=True)
    (run / "state.safetensors").write_bytes((run / "best.safetensors").read_bytes())
    fails(config, run, "is not the state of this job", resume=True)
    (run / "state.safetensors").write_bytes(state)
    assert finetune(config, run=run, resume=True).finished


@pytest.mark.parametrize("optimiser", Optimiser)
def test_resumed_optimisers_remember(folder, tmp_path, optimiser):
    """Weights of full fine-tuning lie channels-last in memory, and so must what the optimiser remembers of them."""
    config = small_config(folder, strategy="ft", optimiser=optimiser, learning_rate=1e-2, epochs=3)
    user = StopAfter(events.StepDone, 4)
    finetune(config, user.on_event, user.should_stop, run=tmp_path / "a")
    finetune(config, run=tmp_path / "a", resume=True)
    finetune(config, run=tmp_path / "b")
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_state_is_written_between_validations_when_epochs_are_long(folder, run, monkeypatch):
    monkeypatch.setattr(course_module, "_STATE_EVERY_S", 0.0)
    told = []
    finetune(small_config(folder), told.append, run=run)
    assert {event.step for event in told if isinstance(event, events.Checkpointed)} == set(range(7))


def test_a_best_model_newer_than_the_state_is_taken_back(folder, run, tmp_path):
    """Killed between writing a new best and the state: both then tell the story up to the state."""
    config = small_config(folder)
    user = StopAfter(events.StepDone, 1)
    finetune(config, user.on_event, user.should_stop, run=run)
    best = (run / "best.safetensors").read_bytes()
    (run / "best.safetensors").write_bytes((run / "last.safetensors").read_bytes())
    user = StopAfter(events.StepDone, 1)
    finetune(config, user.on_event, user.should_stop, run=run, resume=True)
    assert (run / "best.safetensors").read_bytes() == best


def test_a_run_of_an_earlier_release_goes_on(folder, run, tmp_path):
    """Its scores were PSNRs and were called so, in its state and in its events."""
    config = small_config(folder)
    user = StopAfter(events.StepDone, 4)
    finetune(config, user.on_event, user.should_stop, run=run)
    tensors, metadata = read_safetensors(run / "state.safetensors")
    progress = json.loads(metadata["progress"])
    progress["best_psnr"] = progress.pop("best_score")
    state = serialised(tensors, metadata | {"progress": json.dumps(progress)})
    (run / "state.safetensors").write_bytes(state)
    old = (run / "events.jsonl").read_text().replace("best_score", "best_psnr").replace('"score"', '"psnr"')
    old = re.sub(r', "metric".*?(?=})', "", old.replace('"baseline"', '"zero_filled_psnr"'))
    (run / "events.jsonl").write_text(old)
    assert "score" not in old
    assert "metric" not in old

    recorded = RunDirectory(run)
    assert recorded.curve() == [(e.step, e.score) for e in user.told if isinstance(e, events.EpochDone)]
    assert recorded.metric() == PSNR
    finetune(config, run=run, resume=True)
    finetune(config, run=tmp_path / "uninterrupted")
    assert weights(run) == weights(tmp_path / "uninterrupted")
    assert RunDirectory(run).curve() == RunDirectory(tmp_path / "uninterrupted").curve()


def test_the_line_that_was_being_written_is_forgotten(folder, run):
    config = small_config(folder)
    user = StopAfter(events.StepDone, 4)
    finetune(config, user.on_event, user.should_stop, run=run)
    with (run / "events.jsonl").open("a") as stream:
        stream.write('{"event": "StepDone", "step": 5, "lo')
    finetune(config, run=run, resume=True)
    recorded = RunDirectory(run).events()
    assert [e["step"] for e in recorded if e["event"] == "StepDone"] == [1, 2, 3, 4, 5, 6]
    assert names_of(recorded) == ["Started", "EpochDone", "EpochDone", "Started", "EpochDone", "Done"]


def test_stopping_takes_less_than_a_second(folder, run):
    asked_at = None

    def on_event(event):
        nonlocal asked_at
        if isinstance(event, events.StepDone) and event.step == 5:
            asked_at = time.perf_counter()

    finetune(small_config(folder, epochs=999), on_event, lambda: asked_at is not None, run=run)
    assert time.perf_counter() - asked_at < 1
