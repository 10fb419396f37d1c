import itertools
import json
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_jobs import fails, names_of, small_config, weights, write_air

import napari_mritransfer.training.course as course_module
import napari_mritransfer.training.reconstruction as work_module
from napari_mritransfer.physics.masks import NEEDS_3D, MaskKind, SamplingPattern
from napari_mritransfer.training import events
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.config import Loss, Optimiser
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.training.rundir import PREVIEW, RunDirectory
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.zoo.card import model_cards
from napari_mritransfer.zoo.weights import read_safetensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


@pytest.mark.parametrize("strategy", [row.name for row in CATALOGUE if row.name != "norm"])
def test_a_job_tells_its_course_and_leaves_a_run(folder, run, strategy):
    config, told = small_config(folder, strategy=strategy), []
    result = finetune(config, told.append, run=run)
    steps = 6 if config.steps else 0
    assert names_of(told) == ["Started", *["EpochDone"] * (3 if steps else 1), "Done"]
    assert [event.step for event in told if isinstance(event, events.StepDone)] == list(range(1, steps + 1))
    epochs = [event for event in told if isinstance(event, events.EpochDone)]
    assert [event.epoch for event in epochs] == list(range(len(epochs)))
    assert epochs[0].loss is None
    losses = [event.loss for event in told if isinstance(event, events.StepDone)]
    means = [sum(losses[i : i + 3]) / 3 for i in range(0, steps, 3)]
    assert [event.loss for event in epochs[1:]] == pytest.approx(means)
    assert result.finished
    assert (result.step, result.best_psnr) == (steps, max(event.score for event in epochs))
    assert (result.pretrained_psnr, result.last_psnr) == (epochs[0].score, epochs[-1].score)
    assert result.zero_filled_psnr == told[0].baseline
    assert {path.name for path in run.iterdir()} == {
        "config.json", "environment.json", "events.jsonl", "metrics.json", "preview.npy",
        "best.safetensors", "last.safetensors",
    }  # fmt: skip
    directory = RunDirectory(run)
    assert directory.config() == config
    assert [events.from_record(record) for record in directory.events()] == told
    assert directory.curve() == [(event.step, event.score) for event in epochs]
    metrics = directory.metrics()
    assert metrics["finished"] is True
    assert (metrics["best_psnr"], metrics["best_step"]) == (result.best_psnr, result.best_step)
    assert "peak = maximum" in metrics["convention"]
    assert {"torch", "python"} <= json.loads((run / "environment.json").read_text()).keys()


def test_a_job_on_masks_over_the_plane_says_what_they_need_and_reconstructs_better(folder, run):
    """Whole slices in k-space along both axes, on a simulated phase."""
    pattern = SamplingPattern(MaskKind.POISSON_DISC, 0.35, 0.1)
    config, told = small_config(folder, pattern=pattern, strategy="ft", smooth_phase=True, epochs=4), []
    result = finetune(config, told.append, run=run)
    assert NEEDS_3D in told[0].warnings
    assert "with a smooth phase that is simulated too" in told[0].sampling[0]
    assert result.best_psnr > result.pretrained_psnr
    assert RunDirectory(run).config() == config


def test_a_strategy_that_finds_nothing_to_learn_says_so_before_the_first_step(folder, run):
    told, _ = fails(small_config(folder, strategy="norm"), run, "no normalisation layers with parameters")
    assert names_of(told) == ["Failed"]


def test_a_run_with_adapters_reconstructs_and_is_no_base_of_another(folder, run, tmp_path):
    finetune(small_config(folder, strategy="conv-adapter"), run=run)
    fails(small_config(folder, strategy="ft", model=str(run)), tmp_path / "next", "carries adapters")


def test_a_strong_penalty_keeps_the_weights_where_they_were(folder, tmp_path):
    moved = {}
    for strength in (0.0, 1000.0):
        run = tmp_path / f"{strength:g}"
        config = small_config(
            folder, strategy="l2-sp", strategy_options={"strength": strength}, optimiser=Optimiser.SGD,
            learning_rate=1e-4, epochs=3,
        )  # fmt: skip
        finetune(config, run=run)
        tensors, _ = read_safetensors(run / "last.safetensors")
        moved[strength] = sum(tensor.square().sum().item() for tensor in tensors.values())
    assert 0 < moved[1000.0] < 0.9 * moved[0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": Loss.MSE},
        {"loss": Loss.L1_SSIM},
        {"optimiser": Optimiser.SGD, "weight_decay": 0.01},
        {"optimiser": Optimiser.ADAMW, "weight_decay": 0.01},
        {"phase_encode": "x", "snr_db": 25.0},
        {"strip_rows": 0, "crop_to_support": False},
        {"precision": "bfloat16"},
        {"strategy_options": {"granularity": "filter"}},
    ],
    ids=str,
)
def test_every_setting_works(folder, run, changes):
    result = finetune(small_config(folder, **changes), run=run)
    assert result.finished
    assert math.isfinite(result.last_psnr)


def test_learning_learns(folder, run):
    result = finetune(small_config(folder, strategy="ft", epochs=4, steps_per_epoch=25, learning_rate=3e-3), run=run)
    assert result.best_psnr > result.pretrained_psnr + 0.5
    assert result.best_psnr > result.zero_filled_psnr


def test_same_seed_same_bytes_other_seed_other_weights(folder, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        torch.manual_seed(len(name))
        torch.randn(ord(name))
        finetune(small_config(folder, strategy="scratch", seed=seed), run=tmp_path / name)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a")[1] != weights(tmp_path / "c")[1]


def test_no_transfer_can_win_and_patience_ends_it(folder, run):
    config, told = small_config(folder, learning_rate=9.0, epochs=9, patience=2), []
    result = finetune(config, told.append, run=run)
    assert result.finished
    assert (result.best_step, result.best_psnr) == (0, result.pretrained_psnr)
    assert result.step == 6  # two epochs without improvement
    assert result.last_psnr < result.best_psnr
    assert [event.best for event in told if isinstance(event, events.EpochDone)] == [True, False, False]
    best = open_model(str(run)).network.state_dict()
    last = open_model(str(run), which="last.safetensors").network.state_dict()
    base = open_model(config.model).network.state_dict()
    assert all(torch.equal(best[name], base[name]) for name in base)
    assert not all(torch.equal(last[name], base[name]) for name in base)


def test_a_loss_that_explodes_is_a_failure_that_keeps_the_best(folder, run, monkeypatch):
    calls, real = itertools.count(), work_module.loss_value

    def explosive(*images):
        return real(*images) * (math.inf if next(calls) == 4 else 1)

    monkeypatch.setattr(work_module, "loss_value", explosive)
    told, error = fails(small_config(folder), run, r"The loss became inf at step 5; choose a learning rate below 0.003")
    assert told[-1].step == 4
    assert isinstance(error.__cause__, course_module.NonFinite)
    assert RunDirectory(run).events()[-1]["event"] == "Failed"
    open_model(str(run))
    monkeypatch.undo()
    assert finetune(small_config(folder), run=run, resume=True).finished  # from the last good state


def test_a_validation_that_is_not_a_number_is_a_failure(folder, run, monkeypatch):
    calls, real = itertools.count(), work_module.reconstruct

    def poisoned(*args, **options):
        return real(*args, **options) * (math.nan if next(calls) == 1 else 1)

    monkeypatch.setattr(work_module, "reconstruct", poisoned)
    fails(small_config(folder), run, "The validation after step 3 is not a number")
    open_model(str(run))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_says_what_to_lower(folder, run, monkeypatch, error):
    calls, real = itertools.count(), work_module.loss_value

    def starved(*images):
        if next(calls) == 3:
            raise error
        return real(*images)

    monkeypatch.setattr(work_module, "loss_value", starved)
    fails(small_config(folder), run, r"Memory ran out; lower the batch \(now 2\)")
    open_model(str(run))


def test_a_full_disk_and_the_unforeseen_are_failures_too(folder, run, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device", "state.safetensors")

    monkeypatch.setattr(course_module, "save_state", full)
    fails(small_config(folder), run, r"No space left on device: state.safetensors; check")
    monkeypatch.setattr(course_module, "save_state", lambda *args, **options: {}["surprise"])
    fails(small_config(folder), tmp_path / "other", r"The job broke \(KeyError: 'surprise'\)")
    open_model(str(tmp_path / "other"))


def test_input_that_cannot_be_used_is_a_failure_with_the_readers_sentence(folder, run, tmp_path):
    config = small_config(folder)
    torn = tmp_path / "torn.nii"
    with open(config.train[0], "rb") as whole:
        torn.write_bytes(whole.read(2000))
    air = write_air(tmp_path / "air.nii")
    for changes, sentence in (
        ({"train": (str(tmp_path / "none.nii"),)}, "none.nii"),
        ({"train": (str(torn),)}, "torn.nii"),
        ({"train": (air,)}, "No training slice shows any tissue"),
        ({"validation": (air,)}, "No slice is left to validate on"),
        ({"model": "no-such-model"}, "no model called"),
        ({"model": str(torn)}, "not a whole safetensors file"),
        ({"strategy_options": {"rank": 4}}, "has no option rank"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
        ({"device": "quantum"}, "not the name of a device"),
        ({"pattern": SamplingPattern(rate=0.05, acs=0.2)}, "exceeds the sampling rate"),
    ):
        told, error = fails(replace(config, **changes), run, sentence)
        assert isinstance(error.__cause__, ValueError)
        assert told[-1].step == 0
    assert finetune(config, run=run).finished  # a folder without a model is not lost to a typing error
    assert names_of(RunDirectory(run).events())[0] == "Started"


def test_warnings_are_told_at_the_start(folder, run):
    config = small_config(folder)
    told = []
    model = model_cards()[0].name
    finetune(replace(config, model=model, validation=config.train, slices=7, epochs=1, steps_per_epoch=1,
                     pattern=SamplingPattern(rate=0.9, acs=0.1)), told.append, run=run)  # fmt: skip
    text = " ".join(told[0].warnings)
    assert "same subject" in text
    assert "was trained at" in text
    assert "phase-encode lines" in text


def test_nothing_is_printed_and_nobody_is_warned(folder, run, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finetune(small_config(folder, precision="bfloat16"), run=run)
    assert capfd.readouterr() == ("", "")


def test_the_preview_shows_reference_zero_filled_and_reconstruction(folder, run):
    finetune(small_config(folder), run=run)
    planes = np.load(run / PREVIEW, allow_pickle=False)
    assert planes.dtype == np.float32
    assert planes.shape == (3, 48, 40)
    reference, zero_filled, reconstruction = planes
    assert np.isfinite(planes).all()
    assert 0 < np.abs(zero_filled - reference).mean() < reference.mean()
    assert not np.array_equal(reconstruction, zero_filled)
