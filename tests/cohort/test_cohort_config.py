"""The settings of a training: refused before anything is read, and written down whole."""

import math
from dataclasses import replace

import pytest

from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.training.config import BadConfig, FinetuneConfig, Optimiser

USUAL = CohortConfig("participants.tsv", "age")


def test_settings_come_back_as_they_were_written():
    config = replace(
        USUAL, model="runs/a", strategy="lft", strategy_options={"granularity": "filter"}, group="head",
        preparation=Preparation(3.0, "percentile", "air", "centre"), optimiser=Optimiser.ADAMW, folds=5, fold=4,
    )  # fmt: skip
    assert CohortConfig.from_json(config.as_json()) == config


def test_the_published_training_is_the_default():
    assert (USUAL.batch, USUAL.epochs, USUAL.weight_decay, USUAL.augmentation) == (8, 100, 1e-4, "none")
    assert USUAL.preparation == Preparation(2.0, "z-score", "none", "world")


def test_steps_follow_from_epochs_and_strategy():
    assert replace(USUAL, epochs=3, steps_per_epoch=5).steps == 15
    assert replace(USUAL, model="runs/a", strategy="pretrained", epochs=3, steps_per_epoch=5).steps == 0


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": ""}, "name of the column to predict"),
        ({"strategy": "ft"}, "name one with the model"),
        ({"encoder_weights": "imagenet-resnet18"}, "'scratch' draws all weights anew"),
        ({"encoder_weights": "imagenet-resnet18", "strategy": "pretrained"}, "nothing learns"),
        ({"encoder_weights": "imagenet-resnet18", "strategy": "ft", "model": "runs/a"}, "has its encoder"),
        ({"strategy": "magic"}, "no strategy called 'magic'"),
        ({"task": "guess"}, "no 'task' called 'guess'"),
        ({"augmentation": "noise"}, "no 'augmentation' called 'noise'"),
        ({"epochs": 0}, "'epochs' is 0"),
        ({"batch": True}, "'batch' is True"),
        ({"devices": 2}, "one device"),
        ({"folds": 1}, "at least 2"),
        ({"folds": 3, "fold": 3}, "Fold 3 of 3"),
        ({"test": 0.6, "validation": 0.5}, "leave some of the subjects"),
        ({"test": math.nan}, "leave some of the subjects"),
        ({"validation": 0.0}, "leave some of the subjects"),
        ({"learning_rate": 0.0}, "cannot work"),
        ({"weight_decay": -1.0}, "at least 0"),
        ({"network": {"encoder": "resnet18", "imagenet_statistics": True}}, "use the normalisation 'percentile'"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(changes, complaint):
    with pytest.raises(BadConfig, match=complaint):
        replace(USUAL, **changes)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "cohort"}', '{"kind": "cohort", "table": "a", "label": "b", "c": 1}'],
)
def test_what_is_no_such_configuration_is_refused(text):
    with pytest.raises(BadConfig):
        CohortConfig.from_json(text)


def test_the_configuration_of_a_reconstruction_is_not_taken_for_one():
    with pytest.raises(BadConfig):
        CohortConfig.from_json(FinetuneConfig("m", ("a",), ("b",)).as_json())
    with pytest.raises(BadConfig):
        FinetuneConfig.from_json(USUAL.as_json())
