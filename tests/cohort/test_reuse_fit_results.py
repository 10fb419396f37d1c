"""What one fit leaves behind, and how fits become the results of a method."""

import json

import numpy as np
import pytest

from napari_mritransfer.cohort.reuse import fit_result
from napari_mritransfer.cohort.reuse.fit_result import FitResult


def result(method="full", size=0, repeat=0, fold=0, rows=(0, 1), **more):
    values = more.pop("values", np.array([60.0 + row + 100 * repeat for row in rows]))
    return FitResult(method, size, repeat, fold, "", tuple(rows), values, **more)


def test_a_fit_is_read_as_it_was_written():
    whole = FitResult(
        "features-gp", 20, 2, 1, "Oslo", (4, 2), np.array([[0.1, 0.9], [1 / 3, 2 / 3]]), None,
        np.array([[1.0, -1e-17], [0.0, 2.5]]), 16, 1234, 0.125, {"C": 0.01, "kernel": "rbf"}, ("Said.",),
    )  # fmt: skip
    again = FitResult.from_json(whole.as_json())
    for name in ("values", "gradients"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), strict=True)
    for name in ("method", "size", "repeat", "fold", "site", "rows", "corrected", "learned_from", "trainable"):
        assert getattr(again, name) == getattr(whole, name)
    assert (again.seconds, again.chosen, again.said) == (whole.seconds, whole.chosen, whole.said)
    corrected = FitResult.from_json(result(corrected=np.array([1 / 3, 2.0])).as_json()).corrected
    np.testing.assert_array_equal(corrected, [1 / 3, 2.0])


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("values"),
        lambda record: record.update(values=[float("nan"), 1.0]),
        lambda record: record.update(values=[1.0]),
        lambda record: record.update(rows="ab"),
    ],
)
def test_a_damaged_fit_is_none(damage):
    record = json.loads(result().as_json())
    damage(record)
    with pytest.raises((ValueError, KeyError, TypeError)):
        FitResult.from_json(json.dumps(record))


def test_half_a_file_is_none():
    with pytest.raises(ValueError, match="Expecting"):
        FitResult.from_json(result().as_json()[:40])


def test_fits_are_joined_whatever_order_they_come_in():
    parts = [result(repeat=repeat, fold=fold, rows=rows, seconds=0.5)
             for repeat in range(2) for fold, rows in enumerate([(3, 0), (1, 2)])]  # fmt: skip
    other = result("classical", rows=(0, 1, 2, 3))
    true = np.array([50.0, 60.0, 70.0, 80.0])
    first, second = fit_result.tested([*reversed(parts), other], true, ["p", "p", "q", "r"])
    assert (first.method, second.method, first.seconds) == ("full", "classical", 2.0)
    np.testing.assert_array_equal(first.rows, [3, 0, 1, 2, 3, 0, 1, 2])
    np.testing.assert_array_equal(first.true, [80, 50, 60, 70, 80, 50, 60, 70])
    np.testing.assert_array_equal(first.values, [63, 60, 61, 62, 163, 160, 161, 162])
    np.testing.assert_array_equal(first.repeats, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(first.folds, [0, 0, 1, 1, 0, 0, 1, 1])
    assert first.groups == ("r", "p", "p", "q", "r", "p", "p", "q")
    assert len(set(zip(first.models, first.repeats, first.folds, strict=True))) == len(set(first.models)) == 4


def test_sizes_are_results_of_their_own_and_half_a_correction_is_none():
    parts = [result(fold=0, corrected=np.zeros(2)), result(fold=1, rows=(2, 3)), result(size=2, corrected=np.ones(2))]
    large, small = fit_result.tested(parts, np.arange(4.0), list("pqrs"))
    assert (large.size, large.corrected) == (0, None)
    np.testing.assert_array_equal(small.corrected, [1, 1])
