import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.training.config import BadConfig, FinetuneConfig, Loss, Optimiser
from napari_mritransfer.transfer.catalogue import CATALOGUE

PATHS = ("a/sub-01_T2w.nii.gz", "b.nii")


@st.composite
def configs(draw):
    optimiser = draw(st.sampled_from(Optimiser))
    return FinetuneConfig(
        model=draw(st.text(min_size=1)),
        train=tuple(draw(st.lists(st.text(), min_size=1, max_size=3))),
        validation=tuple(draw(st.lists(st.text(), min_size=1, max_size=3))),
        strategy=draw(st.sampled_from([row.name for row in CATALOGUE])),
        strategy_options=draw(st.dictionaries(st.text(), st.booleans() | st.text() | st.integers(), max_size=2)),
        slices=draw(st.integers(1, 99) | st.lists(st.integers(0, 99), min_size=1).map(tuple)),
        pattern=SamplingPattern(draw(st.sampled_from(MaskKind)), draw(st.floats(0.01, 1)), seed=draw(st.integers(0))),
        phase_encode=draw(st.sampled_from(["y", "x", None])),
        snr_db=draw(st.none() | st.floats(-20, 80)),
        loss=draw(st.sampled_from(Loss)),
        optimiser=optimiser,
        learning_rate=draw(st.none() | st.floats(1e-9, 9)),
        weight_decay=0.0 if optimiser is Optimiser.ADAM else draw(st.floats(0, 10)),
        epochs=draw(st.integers(1, 999)),
        precision=draw(st.sampled_from(["auto", "float32", "bfloat16"])),
        seed=draw(st.integers(0, 2**64)),
    )


@given(config=configs())
def test_a_config_comes_back_from_json_as_it_was(config):
    text = config.as_json()
    assert FinetuneConfig.from_json(text) == config
    assert FinetuneConfig.from_json(text).as_json() == text


def test_a_short_hand_written_config_takes_the_defaults():
    config = FinetuneConfig.from_json('{"model": "m", "train": ["a.nii"], "validation": ["b.nii"]}')
    assert config == FinetuneConfig("m", ("a.nii",), ("b.nii",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"strategy": "loras"}, "no strategy called 'loras'; choose one of: pretrained, scratch, ft, lft"),
        ({"train": ()}, "at least one training scan"),
        ({"validation": ()}, "one validation scan"),
        ({"slices": 0}, "'slices' is 0; give a whole number of at least 1"),
        ({"slices": ()}, "No training slice is chosen"),
        ({"slices": (1, -1)}, "'slices' is -1"),
        ({"slices": 2.5}, "'slices' is 2.5"),
        ({"validation_slices": 0}, "'validation_slices' is 0"),
        ({"epochs": 0}, "'epochs' is 0"),
        ({"epochs": 1.5}, "'epochs' is 1.5"),
        ({"batch": True}, "'batch' is True"),
        ({"devices": 0}, "'devices' is 0"),
        ({"devices": 8}, "A batch of 4 cannot be shared by 8 devices"),
        ({"strip_rows": -1}, "'strip_rows' is -1"),
        ({"strip_rows": 6, "loss": Loss.L1_SSIM}, "SSIM looks at 7x7 voxels"),
        ({"patience": -1}, "'patience' is -1"),
        ({"seed": -1}, "'seed' is -1"),
        ({"learning_rate": 0.0}, "The learning rate 0 cannot work; try 0.0"),
        ({"learning_rate": math.nan}, "The learning rate nan cannot work"),
        ({"weight_decay": 0.1}, "choose the optimiser 'adamw'"),
        ({"weight_decay": math.nan, "optimiser": Optimiser.SGD}, "The weight decay is nan"),
        ({"snr_db": math.inf}, "The SNR is not a number"),
        ({"snr_db": 1e9}, "The SNR is not a number from -300 to 300"),
        ({"precision": "float16"}, "no 'precision' called 'float16'; choose one of: auto, float32, bfloat16"),
        ({"phase_encode": "z"}, "no 'phase_encode' called 'z'"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_in_one_sentence(changes, sentence):
    with pytest.raises(BadConfig) as caught:
        FinetuneConfig(**({"model": "m", "train": PATHS, "validation": PATHS} | changes))
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "3", "{", '"text"', "{}", '{"model": "m"}',
        '{"model": "m", "train": "a.nii", "validation": ["b"]}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "momentum": 1}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "loss": "l3"}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "epochs": "4"}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "pattern": {"kind": "spiral"}}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "pattern": {"density": 1}}',
        '{"model": "m", "train": ["a"], "validation": ["b"], "pattern": 3}',
    ],
)  # fmt: skip
def test_what_is_no_config_is_refused(text):
    with pytest.raises(BadConfig):
        FinetuneConfig.from_json(text)


def test_the_learning_rate_is_the_strategys_unless_chosen():
    rates = {row.name: FinetuneConfig("m", PATHS, PATHS, row.name).rate_of_learning for row in CATALOGUE}
    assert rates == {row.name: row.learning_rate or 0 for row in CATALOGUE}
    assert FinetuneConfig("m", PATHS, PATHS, "ft", learning_rate=0.5).rate_of_learning == 0.5
    assert FinetuneConfig("m", PATHS, PATHS, "pretrained").steps == 0
    assert FinetuneConfig("m", PATHS, PATHS, "ft", epochs=3, steps_per_epoch=7).steps == 21


def test_json_is_plain(tmp_path):
    record = json.loads(FinetuneConfig("m", PATHS, PATHS).as_json())
    assert record["train"] == list(PATHS)
    assert (record["loss"], record["optimiser"], record["pattern"]["kind"]) == ("l1", "adam", "random")
