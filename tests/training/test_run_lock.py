import subprocess
import sys

import pytest
from small_jobs import small_config

from napari_mritransfer.io.lock import InUse, locked
from napari_mritransfer.training.loop import JobFailed, finetune
from napari_mritransfer.training.rundir import RunDirectory

HOLD = """
import sys
from pathlib import Path
from napari_mritransfer.io.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """A run directory that another process works on."""
    (tmp_path / "run").mkdir()
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        yield other
        other.kill()


def test_a_run_has_one_worker_at_a_time(held, tmp_path):
    with pytest.raises(InUse, match="in use by another process"), locked(tmp_path / "run"):
        pass
    config = small_config(tmp_path)
    with pytest.raises(JobFailed, match="in use by another process"):
        finetune(config, run=tmp_path / "run")
    assert RunDirectory(tmp_path / "run").events() == [], "its events are those of the other process"


def test_a_process_that_was_killed_holds_nothing(held, tmp_path):
    held.kill()
    held.wait()
    assert finetune(small_config(tmp_path), run=tmp_path / "run").finished


def test_nothing_of_it_stays(tmp_path):
    with locked(tmp_path):
        pass
    assert not any(tmp_path.iterdir())
