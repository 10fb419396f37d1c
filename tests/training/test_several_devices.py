import threading
import time

import pytest
import torch
from small_jobs import names_of, small_config
from worker_process import Worker

from napari_mritransfer.training import events, replicas
from napari_mritransfer.training.fabric import Place
from napari_mritransfer.training.loop import JobFailed, finetune
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.zoo.weights import read_safetensors


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
@pytest.mark.parametrize("devices", [1, 2, 3])
def test_every_example_has_one_device(batch, devices):
    parts = [range(batch)[Place(rank, devices).share(batch)] for rank in range(devices)]
    assert [i for part in parts for i in part] == list(range(batch))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_two_devices_learn_what_one_learns(tmp_path):
    """In a worker: two processes share batches of three, stop together, resume together, and leave room for others."""
    config = small_config(tmp_path, strategy="ft", batch=3, learning_rate=0.01, epochs=3)
    both = small_config(tmp_path, strategy="ft", batch=3, learning_rate=0.01, epochs=3, devices=2)
    with Worker() as worker:
        worker.finetune(both, tmp_path / "two", "1")
        assert worker.hear()["event"] == "Ready"
        worker.hear_until("StepDone")
        asked_at = time.monotonic()
        worker.say({"command": "stop"})
        assert worker.job()[-1]["event"] in ("Stopped", "Done")
        assert time.monotonic() - asked_at < 20  # not after all epochs; how soon is for benchmarks to say
        worker.finetune(config, tmp_path / "one", "2")
        assert names_of(worker.job())[-1] == "Done"
        if RunDirectory(tmp_path / "two").metrics()["finished"] is False:
            worker.finetune(both, tmp_path / "two", "3", resume=True)
            assert worker.job()[-1]["event"] == "Done"
        assert worker.leave() == 0
        assert worker.process.stderr.read() == ""
    recorded = RunDirectory(tmp_path / "two").events()
    assert [event["step"] for event in recorded if event["event"] == "StepDone"] == list(range(1, 10))
    one, two = (read_safetensors(tmp_path / name / "last.safetensors")[0] for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-4, rtol=1e-3)
    last_psnr = [RunDirectory(tmp_path / name).curve()[-1][1] for name in ("one", "two")]
    assert last_psnr[0] == pytest.approx(last_psnr[1], abs=0.01)


def test_a_device_that_is_lost_is_a_failure_and_not_a_hang(tmp_path, monkeypatch):
    """The helper is killed in the middle of the job; the run can be resumed, here with one device fewer to lose."""
    helpers, told = [], []
    real = replicas.subprocess.Popen

    def remembered(*args, **options):
        process = real(*args, **options)
        if replicas.HELPER in args[0]:  # libraries start processes too, to ask what machine this is
            helpers.append(process)
        return process

    monkeypatch.setattr(replicas.subprocess, "Popen", remembered)

    def on_event(event):
        told.append(event)
        if isinstance(event, events.StepDone) and event.step == 4:
            helpers[0].kill()

    config = small_config(tmp_path, devices=2, epochs=500)
    ended = threading.Event()
    with pytest.raises(JobFailed, match="Another device's process ended unexpectedly"):
        finetune(config, on_event, ended.is_set, run=tmp_path / "run")
    assert isinstance(told[-1], events.Failed)
    assert all(helper.poll() is not None for helper in helpers)


def test_a_helper_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(replicas, "HELPER", "napari_mritransfer.training.no_such_module")
    with pytest.raises(JobFailed, match="Another device's process ended"):
        finetune(small_config(tmp_path, devices=2), run=tmp_path / "run")
