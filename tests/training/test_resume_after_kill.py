"""`kill -9` at any moment: real processes, and files compared byte for byte."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from small_jobs import names_of, small_config, weights

from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.config import Optimiser
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.training.rundir import RunDirectory

# a job that kills itself: at the start of the n-th call of a function that writes, or right after it
KILLED_JOB = """
import os, signal, sys
from pathlib import Path
from napari_mritransfer.training import loop
from napari_mritransfer.training.config import FinetuneConfig

run, config, moments = Path(sys.argv[1]), Path(sys.argv[2]).read_text(), sys.argv[3:]
replace, written = os.replace, []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def counted(source, target):
    name = Path(target).name
    written.append(name)
    moment = f"{name}:{written.count(name)}"
    if moment == wanted and when == "before":
        die()
    replace(source, target)
    if moment == wanted and when == "after":
        die()

os.replace = counted
for number, moment in enumerate(moments):
    if os.fork() == 0:  # one import of torch for all of them
        wanted, _, when = moment.partition(" ")
        steps = 0
        def on_event(event):
            global steps
            steps += type(event).__name__ == "StepDone"
            if wanted == f"step:{steps}":
                die()
        loop.finetune(FinetuneConfig.from_json(config), on_event, run=run / str(number))
        os._exit(3)  # it should have been killed
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""
MOMENTS = [
    "config.json:1 before",  # nothing is there yet
    "config.json:1 after",
    "best.safetensors:1 after",  # before the first state
    "state.safetensors:1 before",
    "state.safetensors:1 after",
    "step:2 ",  # in the middle of the first epoch
    "step:5 ",
    "best.safetensors:3 after",  # a new best is written, its state is not
    "state.safetensors:2 before",
    "state.safetensors:2 after",
    "last.safetensors:1 before",
    "last.safetensors:1 after",
    "metrics.json:1 after",  # all is written, only the state is still there
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_every_moment_of_a_killed_job_resumes_to_the_same_bytes(tmp_path):
    config = small_config(tmp_path, strategy="ft", optimiser=Optimiser.ADAM, learning_rate=0.01, snr_db=30.0)
    (tmp_path / "config.json").write_text(config.as_json())
    script = tmp_path / "killed_job.py"
    script.write_text(KILLED_JOB)
    outcome = subprocess.run(
        [sys.executable, script, tmp_path, tmp_path / "config.json", *MOMENTS],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert outcome.stdout.split() == [str(-signal.SIGKILL)] * len(MOMENTS), outcome.stderr
    finetune(config, run=tmp_path / "uninterrupted")
    assert RunDirectory(tmp_path / "uninterrupted").metrics()["best_step"] > 0
    for number, moment in enumerate(MOMENTS):
        run = tmp_path / str(number)
        for name in run.glob("[bl]*.safetensors"):
            open_model(str(name))  # usable as it was left
        result = finetune(config, run=run, resume=(run / "config.json").exists())
        assert result.finished, moment
        assert weights(run) == weights(tmp_path / "uninterrupted"), moment
        assert RunDirectory(run).curve() == RunDirectory(tmp_path / "uninterrupted").curve(), moment
        steps = [e["step"] for e in RunDirectory(run).events() if e["event"] == "StepDone"]
        assert steps == [1, 2, 3, 4, 5, 6], moment
        assert names_of(RunDirectory(run).events())[-1] == "Done", moment
        assert not (run / "state.safetensors").exists(), moment


def test_the_command_line_resumes_what_was_killed_from_outside(tmp_path):
    small = small_config(tmp_path)
    run, command = tmp_path / "run", [sys.executable, "-m", "napari_mritransfer", "finetune", "--json"]
    options = [
        "--model", small.model, "--train", *small.train, "--val", *small.validation, "--slices", "3", "--epochs", "40",
        "--steps-per-epoch", "3", "--batch", "2", "--rate", "0.35", "--acs", "0.1", "--device", "cpu",
    ]  # fmt: skip
    process = subprocess.Popen([*command, *options, "--out", run], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(RunDirectory(run).events()) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.communicate()[0] == b""
    steps = [event.get("step", 0) for event in RunDirectory(run).events()]
    assert 0 < max(steps) < 120

    outcome = subprocess.run([*command, "--out", run, "--resume"], capture_output=True, text=True, timeout=120)
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["finished"] is True
    assert "Traceback" not in outcome.stderr
    assert "Automatic Mixed Precision" not in outcome.stderr
    finetune(RunDirectory(run).config(), run=tmp_path / "uninterrupted")
    assert weights(run) == weights(tmp_path / "uninterrupted")
