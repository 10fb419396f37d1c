import json
import os
import sys
import time

import pytest
from small_jobs import small_config

from napari_mritransfer.training.client import Progress, Result, WorkerClient, WorkerEnded, is_terminal
from napari_mritransfer.training.events import Done, Failed, Started, Stopped

ECHO = r"""
import json, sys
from napari_mritransfer.training.worker import serve
from napari_mritransfer.io.errors import BadInput
def echo(command, tell, should_stop):
    tell({"event": "Progress", "text": "half", "done": 1, "total": 2})
    return {"said": command["say"]}
def refuse(command, tell, should_stop):
    raise BadInput("That scan is upside down; turn it.")
def wait(command, tell, should_stop):
    import time
    from napari_mritransfer.recon.network import ReconstructionStopped
    tell({"event": "Progress", "text": "waiting", "done": 0, "total": 1})
    while not should_stop():
        time.sleep(0.01)
    raise ReconstructionStopped
def devour(command, tell, should_stop):
    raise MemoryError
serve(tasks={"echo": echo, "refuse": refuse, "wait": wait, "devour": devour})
"""


TELL_WAITING = r"""
import os
from napari_mritransfer.training.worker import serve
names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
serve(tasks={"look": lambda command, tell, should_stop: {name: os.environ.get(name, "") for name in names}})
"""


@pytest.fixture(scope="module")
def client():
    client = WorkerClient((sys.executable, "-W", "error", "-c", ECHO))
    yield client
    client.close(5)
    assert client.pid is None


def heard(order):
    """All answers up to the last, bounded."""
    answers = []
    deadline = time.monotonic() + 60
    while not order.has_ended:
        assert time.monotonic() < deadline
        if (answer := order.next(0.2)) is not None:
            answers.append(answer)
    return answers


def finetune(config, run):
    return {"command": "finetune", "config": json.loads(config.as_json()), "run": str(run)}


@pytest.mark.parametrize("wish", [None, "ACTIVE"])
def test_threads_of_the_worker_soon_sleep_unless_the_user_wants_them_to_spin(monkeypatch, wish):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if wish:
        monkeypatch.setenv("OMP_WAIT_POLICY", wish)
    client = WorkerClient((sys.executable, "-c", TELL_WAITING))
    (answer,) = heard(client.order({"command": "look"}))
    client.close(5)
    expected = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": ""}
    assert answer == Result(expected if wish else {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "5000"})


def test_a_task_tells_its_progress_and_ends_with_its_result(client):
    assert heard(client.order({"command": "echo", "say": "µ"})) == [Progress("half", 1, 2), Result({"said": "µ"})]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ({"command": "refuse"}, "That scan is upside down; turn it."),
        ({"command": "echo"}, "That broke"),
        ({"command": "devour"}, "Memory ran out"),
        ({"command": "dance"}, "There is no command 'dance'."),
    ],
)
def test_a_task_that_cannot_be_done_says_why_and_the_next_one_works(client, command, reason):
    (failed,) = [answer for answer in heard(client.order(command)) if is_terminal(answer)]
    assert isinstance(failed, Failed)
    assert failed.reason.startswith(reason)
    assert heard(client.order({"command": "echo", "say": 1}))[-1] == Result({"said": 1})


def test_a_task_does_not_wait_for_a_job_nor_a_job_for_a_task(client, tmp_path):
    waiting = client.order({"command": "wait"})
    assert waiting.next(60) == Progress("waiting", 0, 1)
    job = client.order(finetune(small_config(tmp_path, epochs=500), tmp_path / "run"))
    while not isinstance(job.next(60), Started):
        pass
    behind = client.order({"command": "echo", "say": 2})
    assert behind.next(0.3) is None, "tasks wait for each other"
    waiting.stop()
    assert heard(waiting) == [Stopped(0, 0, None)]
    assert heard(behind)[-1] == Result({"said": 2})
    assert not job.has_ended
    job.stop()
    assert isinstance(heard(job)[-1], Stopped)


def test_a_killed_worker_ends_its_orders_and_is_replaced(client, tmp_path):
    config = small_config(tmp_path, epochs=500)
    order = client.order(finetune(config, tmp_path / "run"))
    while not isinstance(order.next(60), Started):
        pass
    before = client.pid
    os.kill(before, 9)
    with pytest.raises(WorkerEnded):
        heard(order)
    assert order.has_ended
    assert heard(client.order({"command": "echo", "say": 3}))[-1] == Result({"said": 3})
    assert client.pid not in (None, before)


def test_kill_ends_a_job_at_once(client, tmp_path):
    order = client.order(finetune(small_config(tmp_path, epochs=500), tmp_path / "run"))
    while not isinstance(order.next(60), Started):
        pass
    order.end_process()
    with pytest.raises(WorkerEnded):
        heard(order)
    assert client.pid is None


def test_closing_while_a_job_runs_keeps_what_it_learned(tmp_path):
    client = WorkerClient((sys.executable, "-c", ECHO))
    order = client.order(finetune(small_config(tmp_path, epochs=500), tmp_path / "run"))
    while not isinstance(order.next(60), Started):
        pass
    pid = client.pid
    client.close(10)
    assert not os.path.exists(f"/proc/{pid}")
    assert (tmp_path / "run" / "last.safetensors").is_file()
    client.close()


def test_a_worker_that_cannot_start_ends_its_orders():
    client = WorkerClient((sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(WorkerEnded):
        heard(client.order({"command": "echo"}))
    client.close()


def test_a_job_through_the_shipped_command(tmp_path):
    client = WorkerClient()
    try:
        answers = heard(client.order(finetune(small_config(tmp_path), tmp_path / "run")))
        assert isinstance(answers[-1], Done)
        assert sum(map(is_terminal, answers)) == 1
    finally:
        client.close(5)
