"""Scores of repeated cross-validations, each against what it is by hand or by scikit-learn."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.linear_model import LinearRegression
from told_results import dealt, told

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse import fit_result
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.scores import main_metric, quick_score, scores_of

SEEDS = st.integers(0, 2**31)
AGE = Label("age", unit="years")
SICK = Label("sick", "binary", classes=("healthy", "diseased"))
THREE = Label("stage", "classes", classes=("none", "mild", "severe"))


def scores(found, label=AGE, n_boot=0, seed=0):
    return scores_of(found, label, seed=seed, n_boot=n_boot)


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(10, 40), folds=st.integers(2, 5), repeats=st.integers(1, 3))
def test_errors_are_the_mean_over_repeats_of_those_of_scikit_learn(seed, n, folds, repeats):
    rng = np.random.default_rng(seed)
    true = rng.uniform(45, 85, n)
    values = [true + rng.normal(1, 6, n) for _ in range(repeats)]
    found = scores(told(dealt(n, folds, repeats, rng), values, true))
    np.testing.assert_allclose(found["mae"], np.mean([metrics.mean_absolute_error(true, one) for one in values]))
    np.testing.assert_allclose(found["r2"], np.mean([metrics.r2_score(true, one) for one in values]))
    np.testing.assert_allclose(found["bias"], np.mean(values) - true.mean())
    errors = np.concatenate(values) - np.tile(true, repeats)
    np.testing.assert_allclose(found["error_slope"], np.polyfit(np.tile(true, repeats), errors, 1)[0], atol=1e-12)
    assert (found["n"], found["n_groups"], found["corrected"]) == (repeats * n, n, None)


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(10, 40), folds=st.integers(2, 4), repeats=st.integers(1, 3))
def test_the_line_through_true_over_predicted_leaves_every_model_its_level(seed, n, folds, repeats):
    """The same slope as least squares with one more column for each model."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(45, 85, n)
    fold_of = dealt(n, folds, repeats, rng)
    values = [0.4 * true + 30 + rng.normal(0, 4, n) + 5 * fold for fold in fold_of]
    x, y = np.concatenate(values), np.tile(true, repeats)
    models = (fold_of + folds * np.arange(repeats)[:, None]).ravel()
    levels = (models[:, None] == np.unique(models)).astype(float)
    found = scores(told(fold_of, values, true))
    slope = LinearRegression(fit_intercept=False).fit(np.column_stack([levels, x]), y).coef_[-1]
    np.testing.assert_allclose(found["calibration_slope"], slope, rtol=1e-6)
    np.testing.assert_allclose(found["calibration_intercept"], y.mean() - slope * x.mean(), rtol=1e-6)
    about = [one - LinearRegression(fit_intercept=False).fit(levels, one).predict(levels) for one in (x, y)]
    np.testing.assert_allclose(found["correlation"], np.corrcoef(*about)[0, 1], rtol=1e-6)


def test_with_one_model_slope_and_correlation_are_the_usual_ones():
    rng = np.random.default_rng(1)
    true = rng.uniform(45, 85, 30)
    guess = 0.5 * true + 30 + rng.normal(0, 3, 30)
    found = scores(told(np.zeros((1, 30), dtype=np.intp), [guess], true))
    slope, intercept = np.polyfit(guess, true, 1)
    np.testing.assert_allclose([found["calibration_slope"], found["calibration_intercept"]], [slope, intercept])
    np.testing.assert_allclose(found["correlation"], np.corrcoef(guess, true)[0, 1])


@settings(max_examples=30)
@given(seed=SEEDS, n=st.integers(12, 40), folds=st.integers(2, 4), repeats=st.integers(1, 3), three=st.booleans())
def test_classes_are_scored_over_repeats_and_ranked_within_models(seed, n, folds, repeats, three):
    """Ties count half; of three classes each is told from the rest, and the mean is taken."""
    rng = np.random.default_rng(seed)
    label = THREE if three else SICK
    k = len(label.classes)
    true = rng.permutation(np.arange(n) % k).astype(float)
    raw = np.ceil(4 * rng.uniform(0.05, 1, (repeats, n, k)) + 2 * np.eye(k)[true.astype(int)])
    chances = raw / raw.sum(axis=2, keepdims=True)
    fold_of = dealt(n, folds, repeats, rng)
    found = scores(told(fold_of, list(chances), true), label)
    guess = chances.argmax(axis=2)
    np.testing.assert_allclose(found["accuracy"], np.mean([metrics.accuracy_score(true, one) for one in guess]))
    balanced = np.mean([metrics.balanced_accuracy_score(true, one) for one in guess])
    np.testing.assert_allclose(found["balanced_accuracy"], balanced)
    loss = np.mean([metrics.log_loss(true, one, labels=range(k)) for one in chances])
    np.testing.assert_allclose(found["log_loss"], loss)
    aucs = []
    for own in range(k) if three else [1]:
        pairs = [
            np.heaviside(chances[repeat, a, own] - chances[repeat, b, own], 0.5)
            for repeat in range(repeats) for a in range(n) for b in range(n)
            if fold_of[repeat, a] == fold_of[repeat, b] and true[a] == own != true[b]
        ]  # fmt: skip
        aucs += [np.mean(pairs)] if pairs else []
    np.testing.assert_allclose(found["auc"], np.mean(aucs))


def test_repeats_of_a_subject_are_drawn_together():
    """Or the interval would shrink with every repeat, as if it had tested other people."""
    rng = np.random.default_rng(2)
    true = rng.uniform(45, 85, 24)
    guess = true + rng.normal(0, 6, 24)
    folds = dealt(24, 4, 1, rng)
    once = scores(told(folds, [guess], true), n_boot=300)
    often = scores(told(np.repeat(folds, 5, axis=0), [guess] * 5, true), n_boot=300)
    for name in ("mae", "bias", "r2"):
        np.testing.assert_allclose(often[name], once[name])
        np.testing.assert_allclose(often[f"{name}_interval"], once[f"{name}_interval"])
    chances = np.column_stack([1 - guess / 100, guess / 100])
    once, often = (
        scores(told(np.repeat(folds, count, axis=0), [chances] * count, 1.0 * (true > 65)), SICK, n_boot=300)
        for count in (1, 5)
    )
    for name in ("balanced_accuracy", "auc", "log_loss"):
        np.testing.assert_allclose(often[f"{name}_interval"], once[f"{name}_interval"])


def test_scans_of_a_subject_are_drawn_together():
    rng = np.random.default_rng(3)
    true, errors = rng.uniform(45, 85, 40), np.repeat(rng.normal(0, 6, 20), 2)
    groups = [f"sub-{row // 2}" for row in range(40)]
    folds = (np.arange(40) // 2 % 4)[None]
    together, apart = (
        scores(told(folds, [true + errors], true, own), n_boot=1000)["bias_interval"] for own in (groups, ())
    )
    assert (together[1] - together[0]) / (apart[1] - apart[0]) == pytest.approx(np.sqrt(2), rel=0.1)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 120 small studies with a known mean absolute error."""
    inside = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        true = rng.uniform(45, 85, 60)
        found = scores(told(dealt(60, 5, 1, rng), [true + rng.normal(0, 6, 60)], true), n_boot=200, seed=seed)
        low, high = found["mae_interval"]
        inside += low <= 6 * np.sqrt(2 / np.pi) <= high
    assert 0.88 <= inside / 120 <= 0.99


def test_whoever_says_the_same_to_everybody_has_no_slope_and_half_an_auc():
    """Across folds the mean of the others would have slope 1 − folds, and the majority's chance an AUC below half."""
    rng = np.random.default_rng(4)
    true = rng.uniform(45, 85, 23)
    folds = dealt(23, 5, 1, rng)
    means = np.array([true[folds[0] != fold].mean() for fold in folds[0]])
    assert np.polyfit(means, true, 1)[0] < -3
    found = scores(told(folds, [means], true), n_boot=50)
    assert (found["calibration_slope"], found["calibration_intercept"], found["correlation"]) == (None, None, None)
    assert found["r2"] < 0
    assert found["error_slope"] == pytest.approx(-1, abs=0.3)

    sick = 1.0 * (rng.permutation(23) < 9)
    shares = np.array([sick[folds[0] != fold].mean() for fold in folds[0]])
    assert metrics.roc_auc_score(sick, shares) < 0.4
    found = scores(told(folds, [np.column_stack([1 - shares, shares])], sick), SICK)
    assert found["auc"] == 0.5


def test_models_that_found_nothing_do_not_look_as_if_they_found_the_opposite():
    """Shrunken predictions from noise, over 60 studies: pooled over folds they rank people the wrong way round."""
    within, across, slopes, aucs, pooled_aucs = [], [], [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        true = rng.uniform(45, 85, 20)
        folds = dealt(20, 5, 1, rng)
        means = np.array([true[folds[0] != fold].mean() for fold in folds[0]])
        guess = means + rng.normal(0, 0.5, 20)
        found = scores(told(folds, [guess], true))
        within.append(found["correlation"])
        slopes.append(found["calibration_slope"])
        across.append(np.corrcoef(guess, true)[0, 1])
        old = 1.0 * (true > np.median(true))
        chances = np.array([old[folds[0] != fold].mean() for fold in folds[0]]) + rng.normal(0, 0.01, 20)
        aucs.append(scores(told(folds, [np.column_stack([1 - chances, chances])], old), SICK)["auc"])
        pooled_aucs.append(metrics.roc_auc_score(old, chances))
    assert np.mean(across) < -0.3
    assert np.mean(pooled_aucs) < 0.3
    assert abs(np.mean(within)) < 0.1
    assert abs(np.mean(slopes)) < 3
    assert abs(np.mean(aucs) - 0.5) < 0.05


def test_folds_of_one_person_have_no_slope_and_no_auc():
    rng = np.random.default_rng(5)
    true = rng.uniform(45, 85, 8)
    alone = np.arange(8)[None]
    found = scores(told(alone, [true + rng.normal(0, 1, 8)], true))
    assert (found["calibration_slope"], found["correlation"]) == (None, None)
    assert found["r2"] > 0.9
    found = scores(told(alone, [rng.dirichlet((1, 1), 8)], 1.0 * (true > 65)), SICK, n_boot=50)
    assert (found["auc"], found["auc_interval"]) == (None, None)
    assert found["log_loss_interval"] is not None


def test_corrected_numbers_stand_beside_the_uncorrected_and_change_nothing_there():
    rng = np.random.default_rng(6)
    true = rng.uniform(45, 85, 20)
    folds, guess = dealt(20, 4, 1, rng), 0.5 * true + 30
    plain = scores(told(folds, [guess], true), n_boot=20)
    both = scores(told(folds, [guess], true, corrected=[true + 1]), n_boot=20)
    assert both["corrected"]["mae"] == pytest.approx(1)
    assert both["corrected"]["r2"] == pytest.approx(1 - 20 / np.sum((true - true.mean()) ** 2))
    assert {**both, "corrected": None} == plain


@pytest.mark.parametrize("label", [AGE, SICK, THREE])
def test_scores_are_json_without_infinities(label):
    rng = np.random.default_rng(7)
    true = rng.permutation(np.arange(12) % 3 % max(2, len(label.classes))).astype(float)
    values = rng.dirichlet(np.ones(len(label.classes)), 12) if label.classes else np.full(12, 1.5)
    found = scores(told(dealt(12, 4, 1, rng), [values], true), label, n_boot=30)
    assert json.loads(json.dumps(found, allow_nan=False))["n"] == 12
    assert main_metric(label)[0] in found


@pytest.mark.parametrize("label", [AGE, SICK])
def test_the_quick_score_is_the_main_one(label):
    rng = np.random.default_rng(8)
    true = np.arange(12) % 2 * 1.0
    values = rng.dirichlet((1, 1), 12) if label.classes else rng.normal(size=12)
    rows = [tuple(range(start, 12, 3)) for start in range(3)]
    results = [FitResult("full", 0, 0, fold, "", own, values[list(own)]) for fold, own in enumerate(rows)]
    whole = scores(fit_result.tested(results, true, [str(row) for row in range(12)])[0], label)
    assert quick_score(true, results, label) == whole[main_metric(label)[0]]
