"""What the course of a job promises holds for other work than reconstructions, where lower may be better."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from line_work import LineConfig, LineWork, learn_line, line_job
from safetensors import safe_open
from small_jobs import names_of, small_config, weights
from worker_process import finetune_command, served

from napari_mritransfer.training import events
from napari_mritransfer.training.loop import JobFailed
from napari_mritransfer.training.metric import Metric
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.zoo.weights import read_safetensors


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


class Scripted(LineWork):
    """Validations as a test wants them; None stops."""

    script = ()

    def __init__(self, config, should_stop):
        super().__init__(config, should_stop)
        self.scores = iter(self.script)

    def score(self, autocast, should_stop):
        return next(self.scores)


def scripted(*scores):
    return type("Scripted", (Scripted,), {"script": scores})


def fails_with(match, run, config=None, **options):
    told = []
    with pytest.raises(JobFailed, match=match) as caught:
        learn_line(config or LineConfig(), told.append, run=run, **options)
    assert told[-1] == events.Failed(str(caught.value), told[-1].step)
    assert sum(isinstance(event, events.TERMINAL) for event in told) == 1


def test_the_lowest_error_is_the_best_and_the_start_says_so(run):
    told = []
    outcome = learn_line(LineConfig(epochs=10), told.append, run=run)
    assert names_of(told) == ["Started", *["EpochDone"] * 11, "Done"]
    started, epochs = told[0], [event for event in told if isinstance(event, events.EpochDone)]
    assert started.measures() == outcome.metric == Metric("MAE", "years", higher_is_better=False)
    assert (started.baseline_name, started.baseline) == ("mean predictor", outcome.baseline)
    assert outcome.best_score == min(event.score for event in epochs) < outcome.baseline
    assert outcome.first_score == epochs[0].score
    assert (told[-1].best_score, told[-1].last_score) == (outcome.best_score, epochs[-1].score)
    best = None
    for event in epochs:
        assert event.best == (best is None or event.score < best)
        best = event.score if event.best else best
    directory = RunDirectory(run, LineConfig)
    assert directory.config() == LineConfig(epochs=10)
    assert directory.curve() == [(event.step, event.score) for event in epochs]
    assert directory.metric() == outcome.metric
    assert [events.from_record(record) for record in directory.events()] == told
    metrics = directory.metrics()
    assert metrics["label"] == "age"
    assert (metrics["metric"], metrics["unit"], metrics["higher_is_better"]) == ("MAE", "years", False)
    assert (metrics["best_score"], metrics["baseline"]) == (outcome.best_score, outcome.baseline)
    assert directory.is_finished()
    with safe_open(run / "best.safetensors", "pt") as file:
        assert file.metadata() == {"step": str(outcome.best_step), "score": str(outcome.best_score)}


@pytest.mark.parametrize("strategy", ["ft", "lft"])
@pytest.mark.parametrize("after", [1, 4, 7, 11])
def test_stopped_anywhere_it_resumes_to_the_same_bits(run, tmp_path, strategy, after):
    """Dropout draws from torch's generator, whose state must come back too."""
    config, steps = LineConfig(strategy=strategy), itertools.count(1)
    stopping = []

    def on_event(event):
        if isinstance(event, events.StepDone) and next(steps) == after:
            stopping.append(event)

    stopped = learn_line(config, on_event, lambda: bool(stopping), run=run)
    assert (stopped.finished, stopped.step) == (False, after)
    torch.manual_seed(99)
    assert learn_line(config, run=run, resume=True).finished
    learn_line(config, run=tmp_path / "whole")
    assert weights(run) == weights(tmp_path / "whole")
    curves = [RunDirectory(folder).curve() for folder in (run, tmp_path / "whole")]
    assert curves[0] == curves[1]


def test_dropout_matters_in_the_test_above(tmp_path):
    for name, dropout in (("with", 0.2), ("without", 0.0)):
        learn_line(LineConfig(dropout=dropout), run=tmp_path / name)
    assert weights(tmp_path / "with")[1] != weights(tmp_path / "without")[1]


def test_stopped_while_it_loads_again_the_lowest_error_is_told(run):
    told = []
    work = scripted(7.0, 5.0, 6.0, None)
    learn_line(LineConfig(), run=run, make_work=work)
    outcome = learn_line(LineConfig(), told.append, lambda: True, run=run, resume=True)
    assert told == [events.Stopped(12, 4, 5.0)]
    assert (outcome.best_score, outcome.first_score, outcome.last_score) == (5.0, 7.0, 6.0)
    assert outcome.metric == LineWork.metric


def test_stopped_before_anything_is_known(run):
    outcome = learn_line(LineConfig(), should_stop=lambda: True, run=run)
    assert outcome.metric == Metric("score")
    assert json.loads(json.dumps(outcome.as_record(), allow_nan=False))["best_score"] is None


def test_patience_counts_from_the_lowest_error(run):
    outcome = learn_line(LineConfig(epochs=9, patience=2), run=run, make_work=scripted(9.0, 5.0, 5.0, 6.0, 1.0))
    assert (outcome.finished, outcome.step, outcome.best_step, outcome.best_score) == (True, 12, 4, 5.0)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_an_error_that_is_not_a_number_is_a_failure(run, score):
    fails_with("The validation after step 4 is not a number", run, make_work=scripted(5.0, score))
    assert (run / "best.safetensors").is_file()


def test_a_validation_that_was_stopped_is_done_again(run):
    told = []
    stopped = learn_line(LineConfig(), told.append, run=run, make_work=scripted(5.0, None))
    assert (stopped.finished, told[-1]) == (False, events.Stopped(4, 0, 5.0))
    assert learn_line(LineConfig(), run=run, resume=True, make_work=scripted(4.0, 3.0, 2.0)).best_score == 2.0


def test_the_work_knows_what_to_do_when_memory_runs_out(run):
    def greedy(*_):
        raise MemoryError

    fails_with("^Memory ran out; take fewer numbers.$", run, make_work=greedy)


def test_several_devices_are_refused_where_nobody_can_help(run):
    fails_with("works on one device only; 2 were asked for, choose 1", run, LineConfig(devices=2))


def test_two_devices_learn_what_one_learns(tmp_path, monkeypatch):
    """The second process is told where to find the work."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    config = LineConfig(dropout=0.0)
    one = learn_line(config, run=tmp_path / "one")
    two = learn_line(replace(config, devices=2), run=tmp_path / "two", work_in="line_work:work_in")
    assert two.last_score == pytest.approx(one.last_score, abs=1e-3)
    states = [read_safetensors(tmp_path / name / "last.safetensors")[0] for name in ("one", "two")]
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, atol=1e-4, rtol=1e-4)


def test_the_worker_takes_other_jobs_beside_fine_tuning(run, tmp_path):
    def lazy(command, on_event, should_stop):
        """Forgets to tell how it ended."""

    other = {"command": "line", "id": "1", "config": json.loads(LineConfig().as_json()), "run": str(run)}
    commands = [
        other,
        other | {"id": "2"},
        other | {"id": "3", "run": ""},
        {"command": "lazy", "id": "4"},
        finetune_command(small_config(tmp_path, epochs=1), tmp_path / "finetuned", "5"),
    ]
    ready, *told = served(*commands, jobs={"line": line_job, "lazy": lazy})
    assert ready["event"] == "Ready"
    by_order = {number: [event for event in told if event["id"] == number] for number in "12345"}
    assert names_of(by_order["1"]) == ["Started", *["EpochDone"] * 4, "Done"]
    assert by_order["1"][0]["metric"] == "MAE"
    assert [event["event"] for number in "234" for event in by_order[number]] == ["Failed"] * 3
    reasons = [by_order[number][0]["reason"] for number in "234"]
    assert "already holds a run" in reasons[0]
    assert "names no run directory" in reasons[1]
    assert reasons[2] == "The job broke (RuntimeError: it ended without an outcome); start it again."
    assert names_of(by_order["5"])[-1] == "Done"
    assert by_order["5"][0]["metric"] == "PSNR"
