"""p-values that mean what they say, and labels that are dealt out without parting who belongs together."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from cohorts_in_memory import ages, cohort, cohorts, config, patients
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.permutation import dealt_anew, p_value, with_permuted_labels
from napari_mritransfer.cohort.reuse.plan import kept_together, outer_folds
from napari_mritransfer.cohort.reuse.scores import quick_score

SEEDS = st.integers(0, 2**31)


@given(
    observed=st.integers(0, 20), chance=st.lists(st.integers(0, 20), max_size=30), higher=st.booleans(),
)  # fmt: skip
def test_p_counts_those_that_do_as_well_and_the_observed_one(observed, chance, higher):
    as_good = sum((one >= observed) if higher else (one <= observed) for one in chance)
    found = p_value(observed / 7, [one / 7 for one in chance], higher_is_better=higher)
    assert found == pytest.approx((as_good + 1) / (len(chance) + 1))
    assert 0 < found <= 1


def test_the_same_errors_summed_in_another_order_are_as_good():
    assert p_value(0.1 + 0.2 + 0.3, [0.3 + 0.2 + 0.1], higher_is_better=True) == 1
    assert p_value(0.3 + 0.2 + 0.1, [0.1 + 0.2 + 0.3], higher_is_better=False) == 1


@given(sizes=st.lists(st.integers(1, 3), min_size=1, max_size=12), seed=SEEDS)
def test_groups_exchange_labels_whole_and_in_order_with_groups_of_their_size(sizes, seed):
    rng = np.random.default_rng(seed)
    groups = rng.permutation([f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]).tolist()
    found = dealt_anew(groups, rng)
    assert sorted(found.tolist()) == list(range(len(groups)))
    members = {name: [row for row, own in enumerate(groups) if own == name] for name in groups}
    for own in members.values():
        source = found[own].tolist()
        assert source == members[groups[source[0]]]


def test_every_order_of_the_labels_is_as_likely_as_any_other():
    rng = np.random.default_rng(0)
    orders = Counter(tuple(dealt_anew(list("abcc"), rng).tolist()) for _ in range(1000))
    assert set(orders) == {(0, 1, 2, 3), (1, 0, 2, 3)}
    orders = Counter(tuple(dealt_anew(list("abc"), rng).tolist()) for _ in range(6000))
    assert len(orders) == 6
    assert max(abs(count - 1000) for count in orders.values()) < 150


@settings(max_examples=40)
@given(checked=cohorts(), seed=SEEDS)
def test_a_permuted_cohort_is_the_same_but_for_whose_labels_are_whose(checked, seed):
    found = with_permuted_labels(checked, np.random.default_rng(seed))
    assert dataclasses.replace(found, labels=checked.labels) == checked
    assert Counter(found.labels.values()) == Counter(checked.labels.values())
    together = kept_together(checked)
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(together):
        rows.setdefault(name, []).append(row)
    had, has = (Counter(tuple(one.labels[one.scans[row]] for row in own) for own in rows.values())
                for one in (checked, found))  # fmt: skip
    assert had == has


def test_visits_of_somebody_stay_in_order():
    checked = cohort([60.0, 61.0, 70.0, 71.0, 80.0, 81.0], subjects=list("ppqqrr"))
    found = [with_permuted_labels(checked, np.random.default_rng(seed)).labels for seed in range(20)]
    sequences = {tuple(one[scan] for scan in checked.scans) for one in found}
    assert len(sequences) > 3
    assert all(b == a + 1 for one in sequences for a, b in zip(one[::2], one[1::2], strict=True))


def score_of(checked, parts, learn, x):
    """Of one method on these folds."""
    label = Label("age") if not checked.classes else Label("sick", "binary", classes=checked.classes)
    own = [checked.labels[scan] for scan in checked.scans]
    y = np.array([label.classes.index(one) if label.classes else one for one in own], dtype=float)
    results = []
    for part in parts:
        train, test = list(part.train), list(part.test)
        values = learn(x[train], y[train], x[test])
        values = np.column_stack([1 - values, values]) if label.classes else values
        results.append(FitResult("ridge", 0, 0, part.number, "", part.test, values))
    return quick_score(y, results, label)


def p_values(make, learn, *, studies, informative=False, keep_folds=False):
    """Of studies whose features say nothing about the label, or something."""
    found, asked = [], config(folds=5)
    for seed in range(studies):
        checked, rng = make(20, seed=seed), np.random.default_rng((seed, 1))
        x = rng.standard_normal((20, 4))
        if informative:
            x[:, 0] += [checked.labels[scan] / 5 for scan in checked.scans]
        parts = outer_folds(checked, asked)
        chance = []
        for _ in range(19):
            permuted = with_permuted_labels(checked, rng)
            chance.append(score_of(permuted, parts if keep_folds else outer_folds(permuted, asked), learn, x))
        found.append(p_value(score_of(checked, parts, learn, x), chance, higher_is_better=bool(checked.classes)))
    return np.array(found)


def halves(count, seed):
    return patients(count, 0.5, seed)


def ridge(x, y, new):
    centre, level = x.mean(axis=0), y.mean()
    deviations = x - centre
    slopes = np.linalg.solve(deviations.T @ deviations + 10 * np.eye(x.shape[1]), deviations.T @ (y - level))
    return level + (new - centre) @ slopes


def mean(x, y, new):
    return np.full(len(new), y.mean())


@pytest.mark.parametrize(("make", "learn"), [(ages, mean), (ages, ridge), (halves, ridge)])
def test_where_there_is_nothing_to_find_p_is_as_often_small_as_it_says(make, learn):
    found = p_values(make, learn, studies=40)
    assert (found <= 0.1).mean() <= 0.25
    assert 0.35 < found.mean() < 0.75


def test_with_the_folds_of_the_true_labels_the_mean_would_be_called_significant():
    """Why permuted labels get folds of their own: the folds know the labels, and p would say that the method does."""
    found = p_values(ages, mean, studies=20, keep_folds=True)
    assert (found <= 0.1).mean() > 0.6


def test_what_is_there_is_found():
    assert (p_values(ages, ridge, studies=10, informative=True) <= 0.1).all()
