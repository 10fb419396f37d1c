"""Training on a cohort is a job like any other: it learns, stops, resumes to the same bits, and fails in a sentence."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.networks import nets
from small_cohorts import config_for, write_cohort

from napari_mritransfer.cohort.model import open_cohort_model
from napari_mritransfer.cohort.splits import read_split
from napari_mritransfer.cohort.work import train
from napari_mritransfer.training.events import TERMINAL, Done, EpochDone, Failed, Started, StepDone, Stopped
from napari_mritransfer.training.loop import JobFailed
from napari_mritransfer.training.rundir import BEST, LAST
from napari_mritransfer.zoo.weights import read_safetensors

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def aged(table, tmp_path_factory):
    """A network that knows age, and what its training told."""
    told = []
    run = tmp_path_factory.mktemp("runs") / "age"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(config_for(table, epochs=45, learning_rate=0.006), told.append, run=run)
    torch.set_num_threads(threads)
    return run, told


def weights(path):
    return read_safetensors(path)[0]


def test_it_learns_and_says_so(aged, table):
    run, told = aged
    started, done = told[0], told[-1]
    assert isinstance(started, Started)
    assert isinstance(done, Done)
    assert [type(event) in TERMINAL for event in told].count(True) == 1
    assert started.measures().label == "MAE (years)"
    assert started.baseline_name == "mean of the training scans"
    assert "The scans are simulated." in started.sampling[0]
    assert done.best_score < 0.5 * started.baseline, "the ball is plain to see"
    assert done.best_score == min(event.score for event in told if isinstance(event, EpochDone))
    outcome = json.loads((run / "metrics.json").read_text())
    assert outcome["finished"]
    assert outcome["label"]["name"] == "age"
    assert outcome["simulated"]


def test_a_run_is_a_model_that_knows_its_label_and_where_it_looks(aged):
    model = open_cohort_model(str(aged[0]))
    assert (model.label.name, model.label.unit, model.label.task) == ("age", "years", "regression")
    assert 55 < model.label.mean < 75
    assert model.facts.simulated
    assert "MAE" in model.facts.expected_error
    assert len(model.facts.mean_attention) == model.network.n_slices
    assert np.mean(model.facts.mean_attention) == pytest.approx(1)
    assert not model.network.training


def test_nobody_is_on_two_sides(aged, table):
    split = read_split(aged[0] / "split.json")
    assert len({*split.train, *split.validation, *split.test}) == 20
    assert not {*split.train} & {*split.validation}


def test_the_same_seed_gives_the_same_bits_and_another_one_others(table, tmp_path):
    for name, seed in {"one": 0, "again": 0, "other": 1}.items():
        train(config_for(table, epochs=2, seed=seed), run=tmp_path / name)
    one, again, other = (weights(tmp_path / name / LAST) for name in ("one", "again", "other"))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["regressor.1.weight"], other["regressor.1.weight"])


@pytest.mark.parametrize("strategy", ["scratch", "lft"])
def test_a_stop_loses_nothing_and_resuming_ends_on_the_same_bits(strategy, aged, table, tmp_path):
    model = {} if strategy == "scratch" else {"model": str(aged[0]), "strategy": strategy}
    config = config_for(table, epochs=3, augmentation="shift-mirror", **model)
    train(config, run=tmp_path / "whole")
    steps = []

    def count(event):
        if isinstance(event, StepDone):
            steps.append(event.step)

    outcome = train(config, count, lambda: len(steps) >= 4, run=tmp_path / "parts")
    assert not outcome.finished
    assert (tmp_path / "parts" / BEST).is_file()
    told = []
    assert train(config, told.append, run=tmp_path / "parts", resume=True).finished
    assert told[0].step == 4
    one, two = weights(tmp_path / "whole" / LAST), weights(tmp_path / "parts" / LAST)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_stop_while_loading_is_a_stop(table, tmp_path):
    told = []
    outcome = train(config_for(table), told.append, lambda: True, run=tmp_path / "run")
    assert not outcome.finished
    assert isinstance(told[-1], Stopped)


@pytest.mark.parametrize("strategy", ["frozen-encoder", "lft"])
def test_what_is_frozen_stays_the_same_bits(strategy, aged, table, tmp_path):
    """Of LFT, what is stored is merged, so the kernels must be multiples of those that they were."""
    train(config_for(table, model=str(aged[0]), strategy=strategy, epochs=2), run=tmp_path / "run")
    before, after = weights(aged[0] / BEST), weights(tmp_path / "run" / LAST)
    kernels = [name for name in before if name.startswith("encoder_2d.encoder_2d.") and name.endswith("weight")]
    assert len(kernels) == 2
    for name in kernels:
        if strategy == "frozen-encoder":
            assert torch.equal(before[name], after[name])
        else:
            scales = after[name] / before[name]
            torch.testing.assert_close(scales, scales[..., :1, :1].expand_as(scales), rtol=1e-4, atol=1e-5)
            assert not torch.equal(before[name], after[name])
    assert not torch.equal(before["regressor.1.weight"], after["regressor.1.weight"])


@pytest.mark.parametrize("strategy", ["lft", "frozen-encoder", "ft", "pretrained"])
def test_before_the_first_step_it_predicts_as_it_did(strategy, aged, table, tmp_path):
    """The same label and the same people: epoch 0 is the best of the network's own training."""
    told = []
    train(config_for(table, model=str(aged[0]), strategy=strategy, epochs=1), told.append, run=tmp_path / "run")
    first = next(event for event in told if isinstance(event, EpochDone))
    assert first.score == pytest.approx(aged[1][-1].best_score, rel=1e-5)


def test_another_label_gets_a_new_head_and_keeps_the_encoder(aged, table, tmp_path):
    told = []
    config = config_for(table, "disease", model=str(aged[0]), strategy="frozen-encoder", epochs=4)
    train(config, told.append, run=tmp_path / "run")
    assert "predicted 'age' before" in " ".join(told[0].warnings)
    model = open_cohort_model(str(tmp_path / "run"))
    assert model.label.classes == ("diseased", "healthy") or model.label.classes == ("healthy", "diseased")
    assert told[0].measures().label == "Log loss"
    assert told[-1].best_score < told[0].baseline


def test_several_classes_and_volumes_cut_along_another_axis(table, tmp_path):
    config = config_for(table, "site", epochs=2)
    config = replace(config, network={**config.network, "slicing": "axial", "pooling": "max", "positions": "off"})
    train(config, run=tmp_path / "run")
    model = open_cohort_model(str(tmp_path / "run"))
    assert (model.network.outputs, model.network.slicing, len(model.facts.mean_attention)) == (3, "axial", 14)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": "height"}, "no column 'height'"),
        ({"table": "nowhere.tsv"}, "does not exist"),
        ({"model": "nobody"}, "no model called 'nobody'"),
        ({"split": "nowhere.json"}, "cannot be read"),
        ({"network": {"encoder": "conv5", "widths": [4, 4, 4, 4, 4]}}, "use fewer blocks"),
        ({"network": {"encoder": "vgg"}}, "no encoder called 'vgg'"),
        ({"folds": 50}, "50 folds need"),
    ],
)
def test_what_cannot_work_fails_in_a_sentence(changes, complaint, table, tmp_path):
    told = []
    with pytest.raises(JobFailed, match=complaint):
        train(replace(config_for(table), **changes), told.append, run=tmp_path / "run")
    assert isinstance(told[-1], Failed)


def test_a_cross_validation_tests_everybody_once(table, tmp_path):
    tested = []
    for fold in range(4):
        config = config_for(table, folds=4, fold=fold, epochs=1, steps_per_epoch=1)
        train(config, run=tmp_path / f"fold{fold}")
        tested += read_split(tmp_path / f"fold{fold}" / "split.json").test
    assert sorted(tested) == sorted({*tested})
    assert len(tested) == 20


def test_weights_for_photographs_are_where_a_resnet_begins(table, tmp_path):
    torch.manual_seed(3)
    photographs = nets.resnet18(spatial_dims=2, n_input_channels=3, conv1_t_stride=2, bias_downsample=False)
    torch.save(photographs.state_dict(), tmp_path / "photographs.pth")
    config = config_for(
        table, network={"encoder": "resnet18", "slicing": "axial", "code": 8}, strategy="frozen-encoder",
        encoder_weights=str(tmp_path / "photographs.pth"), epochs=1, steps_per_epoch=1,
    )  # fmt: skip
    train(config, run=tmp_path / "run")
    kept, own = weights(tmp_path / "run" / LAST), photographs.state_dict()
    for name in ("conv1.weight", "layer4.1.conv2.weight", "bn1.running_mean"):
        assert torch.equal(kept[f"encoder_2d.encoder_2d.{name}"], own[name])


def test_a_resumed_run_keeps_its_split_whatever_became_of_the_table(tmp_path):
    """Who was learned from may not be judged on or tested afterwards."""
    table = write_cohort(tmp_path / "cohort")
    steps = []
    config = config_for(table, epochs=2)
    train(config, lambda event: steps.append(event), lambda: len(steps) >= 6, run=tmp_path / "run")
    before = read_split(tmp_path / "run" / "split.json")
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows[2:])]) + "\n")
    told = []
    assert train(config, told.append, run=tmp_path / "run", resume=True).finished
    after = read_split(tmp_path / "run" / "split.json")
    assert {*after.train} == {*before.train}
    assert {*after.test} == {*before.test}
    assert "have no usable scan any more" in " ".join(told[0].warnings)


def test_a_new_head_that_cannot_learn_is_refused(aged, table, tmp_path):
    config = config_for(table, "disease", model=str(aged[0]), strategy="pretrained", epochs=1)
    with pytest.raises(JobFailed, match="nothing learns with 'pretrained'"):
        train(config, run=tmp_path / "run")


def test_capitals_make_no_other_label(aged, table, tmp_path):
    train(config_for(table, "AGE", model=str(aged[0]), strategy="pretrained"), run=tmp_path / "run")
    assert open_cohort_model(str(tmp_path / "run")).label == open_cohort_model(str(aged[0])).label


def test_it_is_said_if_a_network_has_learned_from_those_who_test_it(aged, table, tmp_path):
    told = []
    config = config_for(table, "disease", model=str(aged[0]), strategy="ft", epochs=1, steps_per_epoch=1)
    train(replace(config, split_seed=3), told.append, run=tmp_path / "other")
    assert "has seen" in " ".join(told[0].warnings)
    told.clear()
    train(replace(config, split=str(aged[0] / "split.json")), told.append, run=tmp_path / "same")
    assert "has seen" not in " ".join(told[0].warnings)
