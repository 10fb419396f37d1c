"""Differences between two methods, person by person, and what drawing the people again makes of them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from told_results import dealt, told

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.comparison import compare, compare_all

SEEDS = st.integers(0, 2**31)
AGE = Label("age", unit="years")
THREE = Label("stage", "classes", classes=("none", "mild", "severe"))


def two_methods(rng, *, label=AGE, n=30, folds=4, repeats=2, groups=()):
    """Predictions of two methods on the same folds, and the truth."""
    fold_of = dealt(n, folds, repeats, rng)
    if label.classes:
        true = rng.permutation(np.arange(n) % 3).astype(float)
        values = rng.dirichlet((1, 1, 1), (2, repeats, n)) + 0.3 * np.eye(3)[true.astype(int)]
        values /= values.sum(axis=-1, keepdims=True)
    else:
        true = rng.uniform(45, 85, n)
        values = true + rng.normal(0, 6, (2, repeats, n))
    return [told(fold_of, list(own), true, groups, method=name) for own, name in zip(values, ("a", "b"), strict=True)]


def score(found, label, chosen):
    """By scikit-learn, of some of the predictions."""
    true = found.true[chosen]
    if label.classes:
        return metrics.balanced_accuracy_score(true, found.values[chosen].argmax(axis=1))
    return metrics.mean_absolute_error(true, found.values[chosen])


@settings(max_examples=20)
@given(seed=SEEDS, label=st.sampled_from([AGE, THREE]), few=st.booleans())
def test_difference_and_interval_are_those_of_drawing_people_one_by_one(seed, label, few):
    rng = np.random.default_rng(seed)
    groups = [f"group-{row % 9}" for row in range(30)] if few else [f"sub-{row}" for row in range(30)]
    first, second = two_methods(rng, label=label, groups=groups)
    found = compare(first, second, label, seed=3, n_boot=60)
    everybody = np.arange(len(first.true))
    expected = score(first, label, everybody) - score(second, label, everybody)
    np.testing.assert_allclose(found.difference, expected, atol=1e-12)
    names = np.unique(groups)
    draws = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), 60)
    own = np.array(first.groups)
    differences = []
    for counts in draws:
        drawn = np.repeat(names, counts)
        chosen = np.concatenate([np.flatnonzero(own == name) for name in drawn])
        differences.append(score(first, label, chosen) - score(second, label, chosen))
    np.testing.assert_allclose(found.interval, np.percentile(differences, (2.5, 97.5)), atol=1e-12)


def test_the_other_way_round_is_the_negative():
    first, second = two_methods(np.random.default_rng(0))
    one, other = (compare(*pair, AGE, seed=0, n_boot=200) for pair in ((first, second), (second, first)))
    assert (one.first, one.second, other.first) == ("a", "b", "b")
    np.testing.assert_allclose(one.difference, -other.difference)
    np.testing.assert_allclose(one.interval, [-other.interval[1], -other.interval[0]])
    assert compare(first, first, AGE, seed=0).interval == (0, 0)


def test_what_is_hard_for_both_does_not_blur_the_difference():
    """Errors that methods share cancel: the interval is far narrower than those of the methods would suggest."""
    rng = np.random.default_rng(1)
    true, shared = rng.uniform(45, 85, 60), rng.normal(0, 10, 60)
    folds = dealt(60, 5, 1, rng)
    a, b = (told(folds, [true + by * shared], true, method=name) for by, name in ((1.0, "a"), (1.1, "b")))
    found = compare(a, b, AGE, seed=0)
    assert found.interval[1] < 0
    assert found.interval[1] - found.interval[0] < 0.5
    assert np.abs(shared).mean() * 0.1 == pytest.approx(-found.difference)


def test_intervals_of_equal_methods_hold_zero_as_often_as_they_say():
    inside = 0
    for seed in range(120):
        first, second = two_methods(np.random.default_rng(seed), n=60, repeats=1)
        low, high = compare(first, second, AGE, seed=seed, n_boot=200).interval
        inside += low <= 0 <= high
    assert 0.88 <= inside / 120 <= 0.99


def test_repeats_are_no_new_people():
    rng = np.random.default_rng(2)
    true, folds = rng.uniform(45, 85, 30), dealt(30, 5, 1, rng)
    values = true + rng.normal(0, 6, (2, 30))
    once, often = (
        compare(
            *(told(np.repeat(folds, count, axis=0), [own] * count, true, method=name)
              for own, name in zip(values, "ab", strict=True)),
            AGE, seed=0,
        )
        for count in (1, 4)
    )  # fmt: skip
    np.testing.assert_allclose(once.interval, often.interval)


def test_methods_tested_on_other_folds_are_not_compared():
    rng = np.random.default_rng(3)
    true, folds = rng.uniform(45, 85, 20), dealt(20, 4, 1, rng)
    first = told(folds, [true], true, method="a")
    others = (
        told(np.roll(folds, 1, axis=1), [true], true, method="b"),
        told(folds[:, :16], [true], true, method="b"),
        told(np.repeat(folds, 2, axis=0), [true, true], true, method="b"),
        told(folds, [true], true, method="b", size=8),
    )
    for second in others:
        with pytest.raises(ValueError, match=re.escape("'a' and 'b' were not tested on the same folds.")):
            compare(first, second, AGE, seed=0)


def test_every_pair_of_one_size_is_compared_and_written_down():
    rng = np.random.default_rng(4)
    true, folds = rng.uniform(45, 85, 20), dealt(20, 4, 1, rng)
    found = [
        told(folds, [true + rng.normal(0, 5, 20)], true, method=method, size=size)
        for method in ("baseline", "full", "scratch") for size in (0, 8)
    ]  # fmt: skip
    pairs = compare_all(found, AGE, seed=0, n_boot=20)
    assert [(one.first, one.second, one.size) for one in pairs] == [
        ("baseline", "full", 0), ("baseline", "scratch", 0), ("baseline", "full", 8), ("baseline", "scratch", 8),
        ("full", "scratch", 0), ("full", "scratch", 8),
    ]  # fmt: skip
    assert json.loads(json.dumps(pairs[0].as_record(), allow_nan=False))["first"] == "baseline"


def test_one_family_has_a_difference_and_no_interval():
    rng = np.random.default_rng(5)
    found = compare(*two_methods(rng, groups=["all"] * 30), AGE, seed=0)
    assert found.interval is None
    assert np.isfinite(found.difference)
