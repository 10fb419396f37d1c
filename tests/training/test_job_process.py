import time

import pytest
from small_jobs import names_of, small_config
from worker_process import NOISY, Worker, finetune_command, served

from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.rundir import RunDirectory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inputs")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("finetun", "not a JSON object with a 'command'"),
        ("[1, 2]", "not a JSON object"),
        ('"stop"', "not a JSON object"),
        ("{}", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"command": "explode", "id": "4"}', "no command 'explode'"),
        ('{"command": ["stop"]}', "not a JSON object with a 'command'"),
    ],
    ids=range(8),
)
def test_a_line_that_is_no_command_is_refused(line, reason):
    ready, refused = served("", line)
    assert ready["event"] == "Ready"
    assert refused["event"] == "Refused"
    assert reason in refused["reason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"config": None}, "is a JSON object"),
        ({"config": {}}, "not a fine-tuning configuration"),
        ({"run": None}, "names no run directory"),
        ({"run": ""}, "names no run directory"),
        ({"resume": True}, "holds no run to resume"),
    ],
)
def test_a_job_that_cannot_start_fails_once_and_the_next_one_works(folder, tmp_path, changes, reason):
    config = small_config(folder, epochs=1)
    bad = finetune_command(config, tmp_path / "a", "1") | changes
    _, failed, *good = served(bad, finetune_command(config, tmp_path / "b", "2"))
    assert (failed["id"], failed["event"], failed["step"]) == ("1", "Failed", 0)
    assert reason in failed["reason"]
    assert {event["id"] for event in good} == {"2"}
    assert names_of(good) == ["Started", "EpochDone", "EpochDone", "Done"]


def test_a_stop_that_comes_late_does_not_end_the_next_job(folder, tmp_path):
    config, stop = small_config(folder, epochs=1), {"command": "stop"}
    jobs = [finetune_command(config, tmp_path / name, name) for name in "ab"]
    heard = served(stop, jobs[0], stop, jobs[1])
    assert [event["id"] for event in heard if event["event"] == "Done"] == ["a", "b"]


def test_a_worker_that_breaks_inside_tells_so_and_lives_on(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_mritransfer.training.loop.finetune", lambda *args, **options: {}["surprise"])
    _, failed = served(finetune_command(small_config(folder), tmp_path / "a", "1"))
    assert failed["reason"] == "The job broke (KeyError: 'surprise'); start it again."


def test_the_life_of_a_worker(folder, tmp_path):
    """One process: good, stopped, resumed, dropped from the queue, bad, good again; then its input ends in a job."""
    short, long = small_config(folder, epochs=1), small_config(folder, epochs=2000)
    with Worker(NOISY) as worker:
        assert worker.hear()["event"] == "Ready"
        worker.finetune(short, tmp_path / "short", "1")
        assert names_of(worker.job()) == ["Started", "EpochDone", "EpochDone", "Done"]

        worker.finetune(long, tmp_path / "long", "2")
        worker.hear_until("StepDone")
        asked_at = time.monotonic()
        worker.say({"command": "stop"})
        heard = worker.job()
        assert time.monotonic() - asked_at < 1
        assert heard[-1]["event"] == "Stopped"
        open_model(str(tmp_path / "long"))

        worker.finetune(long, tmp_path / "long", "3", resume=True)
        worker.finetune(long, tmp_path / "never", "4")
        worker.finetune(short, tmp_path / "torn", "5")
        worker.say(b"\xff\xfe\n")  # not even text
        assert worker.hear_until("Refused")[-1]["event"] == "Refused"
        worker.say({"command": "stop", "id": "4"})
        worker.say({"command": "stop", "id": "3"})
        resumed = worker.job()[-1]
        assert (resumed["id"], resumed["event"]) == ("3", "Stopped")
        assert resumed["step"] >= heard[-1]["step"]
        dropped = worker.job()
        assert (dropped[-1]["id"], dropped[-1]["event"]) == ("4", "Stopped")
        assert not (tmp_path / "never").exists()
        assert worker.job()[-1]["id"] == "5"

        worker.finetune(short, tmp_path / "short", "6")
        failed = worker.job()
        assert "already holds a run" in failed[-1]["reason"]
        assert len(failed) == 1

        worker.finetune(long, tmp_path / "last", "7")
        worker.hear_until("EpochDone")
        asked_at = time.monotonic()
        assert worker.leave() == 0
        assert time.monotonic() - asked_at < 3
        assert worker.job()[-1]["event"] == "Stopped"
        open_model(str(tmp_path / "last"))
        assert worker.hear() is None
        noise = worker.process.stderr.read().splitlines()
        assert set(noise) == {"a library prints", "and so does its C code"}


def test_a_worker_whose_viewer_was_killed_ends_quietly(folder, tmp_path):
    """Nobody reads any more, although the input is still open."""
    with Worker() as worker:
        worker.finetune(small_config(folder, epochs=2000), tmp_path / "run", "1")
        worker.hear_until("EpochDone")
        worker.stop_listening()
        deadline = time.monotonic() + 10
        while RunDirectory(tmp_path / "run").metrics() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert RunDirectory(tmp_path / "run").metrics()["finished"] is False
        assert worker.leave() == 0
        assert worker.process.stderr.read() == ""
