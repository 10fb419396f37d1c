"""What a prediction means, in words and as a number."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.cohort.label import Label

AGE = Label.of_numbers("age", [50, 60, 70, 80])
DISEASE = Label("disease", "binary", classes=("healthy", "diseased"))
SITES = Label("site", "classes", classes=("A", "B", "C"))


def test_numbers_are_standardised_by_the_scans_they_come_from():
    assert (AGE.mean, AGE.unit, AGE.outputs) == (65, "years", 1)
    np.testing.assert_allclose(AGE.values(np.array([[0.0], [1.0]])), [65, 65 + np.std([50, 60, 70, 80])])
    assert Label.of_numbers("score", [3, 3, 3]).std == 1, "nothing to divide by"


def test_chances_sum_to_one_and_speak_for_the_second_class():
    chances = DISEASE.values(np.array([[0.0], [2.0], [-800.0]]))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    np.testing.assert_allclose(chances[:, 1], [0.5, 1 / (1 + np.exp(-2)), 0], atol=1e-12)
    assert DISEASE.number(chances[1]) == pytest.approx(chances[1, 1])
    assert DISEASE.number_name == "chance of 'diseased'"


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=3))
def test_several_classes_are_a_distribution(logits):
    chances = SITES.values(np.array([logits]))
    assert chances.shape == (1, 3)
    assert chances.sum() == pytest.approx(1)
    assert chances[0, np.argmax(logits)] == chances.max()


def test_people_read_units_and_percentages():
    assert AGE.text(63.24) == "63.2 years"
    assert Label("score").text(2.0) == "2.0"
    assert DISEASE.text(np.array([0.13, 0.87])) == "diseased, 87 %"
    assert AGE.difference_text(-1.44) == "-1.4 years"
    assert DISEASE.difference_text(0.123) == "+12 percentage points"
    assert AGE.difference_text(-0.04) == "+0.0 years"
    assert DISEASE.difference_text(-0.001) == "+0 percentage points"


@pytest.mark.parametrize("label", [AGE, DISEASE, SITES], ids=lambda label: label.name)
def test_labels_survive_being_written_down(label):
    assert Label.from_record(json.loads(json.dumps(label.as_record()))) == label


@pytest.mark.parametrize(
    "record",
    [
        {"name": "x", "task": "guess"},
        {"name": "x", "task": "binary", "classes": ["only"]},
        {"name": "x", "task": "regression", "classes": ["a", "b"]},
        {"name": "x", "std": 0},
        {"name": "x", "mean": float("nan")},
    ],
)
def test_what_a_stranger_writes_is_checked(record):
    with pytest.raises(ValueError, match="is no label"):
        Label.from_record(record)
