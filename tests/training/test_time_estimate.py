import pytest
from small_jobs import small_config

from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.training import estimate as module
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.device import devices
from napari_mritransfer.training.estimate import estimate


def test_an_estimate_is_made_of_steps_and_validations(tmp_path):
    short = estimate(small_config(tmp_path))
    assert short.seconds_per_step > 0
    assert short.seconds_per_validation > 0
    assert short.seconds >= short.seconds_per_step * 6 + short.seconds_per_validation * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.safetensors", "sub-01", "sub-02"]


def test_a_job_that_trains_nothing_is_one_validation(tmp_path):
    nothing = estimate(small_config(tmp_path, strategy="pretrained"))
    assert nothing.seconds_per_step == 0
    assert nothing.seconds < 60


def test_more_steps_take_longer(tmp_path):
    few = estimate(small_config(tmp_path))
    many = estimate(small_config(tmp_path, epochs=1000))
    assert many.seconds > 5 * few.seconds


def test_a_job_that_cannot_start_has_no_estimate(tmp_path):
    with pytest.raises(BadConfig, match="there is no slice 99"):
        estimate(small_config(tmp_path, slices=(99,)))


def test_estimating_can_be_stopped(tmp_path):
    with pytest.raises(ReconstructionStopped):
        estimate(small_config(tmp_path), lambda: True)


def test_the_cpu_is_always_there():
    last = devices()[-1]
    assert last["name"] == "cpu"
    assert "cores" in last["label"]


def test_the_short_job_takes_as_many_steps_as_are_counted(tmp_path, monkeypatch):
    taken = []
    real = module.finetune

    def watched(config, on_event, should_stop, *, run):
        taken.append(real(config, on_event, should_stop, run=run).step)

    monkeypatch.setattr(module, "finetune", watched)
    estimate(small_config(tmp_path))
    assert taken == [4]
