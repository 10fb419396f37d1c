import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from napari_mritransfer.cohort.bootstrap import members_of, sums_by_group, with_intervals
from napari_mritransfer.cohort.ranking import Ranking
from napari_mritransfer.cohort.statistics import classification_summary, regression_summary
from napari_mritransfer.io.errors import BadInput

SEEDS = st.integers(0, 2**31)


def drawn_again(rng, groups, draws):
    """Indices of the scans in each draw of whole groups, one by one: what the sums stand for."""
    names = np.unique(groups)
    for _ in range(draws):
        yield np.concatenate([np.flatnonzero(groups == name) for name in rng.choice(names, len(names))])


@given(seed=SEEDS, n=st.integers(3, 60))
def test_errors_are_those_of_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    true = rng.uniform(20, 80, n)
    guess = true + rng.normal(1, 5, n)
    groups = [str(group) for group in rng.integers(0, 9, n)]
    summary = regression_summary(true, guess, groups, seed=0, n_boot=50, training_mean=51)
    np.testing.assert_allclose(summary.mae, metrics.mean_absolute_error(true, guess))
    np.testing.assert_allclose(summary.r2, metrics.r2_score(true, guess), atol=1e-9)
    np.testing.assert_allclose(summary.bias, np.mean(guess - true))
    np.testing.assert_allclose(summary.baseline_mae, metrics.mean_absolute_error(true, np.full(n, 51)))


@settings(max_examples=60)
@given(seed=SEEDS, n=st.integers(12, 60), k=st.integers(2, 4), coarse=st.booleans())
def test_classes_are_judged_as_by_scikit_learn(seed, n, k, coarse):
    """With ties and without, and with every class tested."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.arange(n) % k)
    raw = rng.uniform(0.05, 1, (n, k)) + 0.5 * np.eye(k)[index]
    if coarse:
        raw = np.ceil(raw * 3)
    chances = raw / raw.sum(axis=1, keepdims=True)
    names = [f"c{one}" for one in index]
    summary = classification_summary(
        names, chances, [f"c{one}" for one in range(k)], [str(g) for g in range(n)], seed=0, n_boot=20
    )
    guess = chances.argmax(axis=1)
    np.testing.assert_allclose(summary.accuracy, metrics.accuracy_score(index, guess))
    np.testing.assert_allclose(summary.balanced_accuracy, metrics.balanced_accuracy_score(index, guess))
    np.testing.assert_allclose(summary.log_loss, metrics.log_loss(index, chances))
    auc = metrics.roc_auc_score(index, chances[:, 1] if k == 2 else chances, multi_class="ovr")
    np.testing.assert_allclose(summary.auc, auc)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_drawing_groups_by_sums_is_drawing_groups(seed):
    """Each figure of a draw is scikit-learn's on the scans that were drawn, repeated as often as they were."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 6, 40)
    index = rng.permutation(np.arange(40) % 2)
    scores = np.round(rng.uniform(0, 1, 40) + 0.3 * index, 1)
    members, n_groups = members_of([str(group) for group in groups])
    ranking = Ranking(scores, index.astype(float), members)
    for chosen in drawn_again(rng, members, 5):
        counts = np.bincount(members[chosen], minlength=n_groups) / np.bincount(members, minlength=n_groups)
        expected = np.nan
        if len(set(index[chosen])) == 2:
            expected = metrics.roc_auc_score(index[chosen], scores[chosen])
        np.testing.assert_allclose(ranking.auc(counts[None]), [expected])
        sums = counts @ sums_by_group(members, n_groups, scores)
        np.testing.assert_allclose(sums, [scores[chosen].sum()])


def test_the_interval_is_that_of_a_bootstrap_one_group_at_a_time():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(12), 4)
    true = rng.uniform(20, 80, 48)
    guess = true + rng.normal(0, 5, 48) + rng.normal(0, 4, 12)[groups]
    summary = regression_summary(true, guess, [str(g) for g in groups], seed=1, n_boot=1500)
    slow = [
        (np.abs(guess - true)[chosen].mean(), metrics.r2_score(true[chosen], guess[chosen]))
        for chosen in drawn_again(rng, groups, 1500)
    ]
    expected = np.percentile(slow, (2.5, 97.5), axis=0)
    np.testing.assert_allclose(summary.mae_interval, expected[:, 0], atol=0.15)
    np.testing.assert_allclose(summary.r2_interval, expected[:, 1], atol=0.05)


def test_intervals_over_groups_hold_what_they_promise_and_those_over_scans_do_not():
    """Groups that err together: about 95 % of the intervals over 30 groups contain the truth, a bias of 0."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 8)
    covered = {"groups": 0, "scans": 0}
    for trial in range(200):
        errors = rng.normal(0, 3, 30)[groups] + rng.normal(0, 1, 240)
        for kind, names in (("groups", groups), ("scans", np.arange(240))):
            summary = regression_summary(np.zeros(240), errors, names.astype(str), seed=trial, n_boot=200)
            covered[kind] += summary.bias_interval[0] <= 0 <= summary.bias_interval[1]
    assert covered["groups"] >= 178
    assert covered["scans"] < 120


@pytest.mark.parametrize(("groups", "interval"), [(["a"] * 6, False), (list("abcabc"), True)])
def test_few_groups_are_said_to_say_little(groups, interval):
    true = np.arange(6.0)
    summary = regression_summary(true, true + np.array([1, -1, 2, 0, 1, 0]), groups, seed=0)
    assert (summary.mae_interval is not None) == interval
    assert summary.note.startswith(f"Only {len(set(groups))} independent group(s) were tested, so")
    assert summary.note in summary.sentence()
    judged = classification_summary(list("xyxyxy"), np.full((6, 2), 0.5), ("x", "y"), groups, seed=0)
    assert (judged.balanced_accuracy_interval is not None) == interval
    assert judged.auc == 0.5


def test_many_groups_need_no_note_and_the_seed_decides():
    rng = np.random.default_rng(0)
    true, guess = rng.uniform(20, 80, (2, 30))
    groups = [str(n) for n in range(30)]
    options = {"training_mean": 50, "unit": "years"}
    one, again, other = (regression_summary(true, guess, groups, seed=seed, **options) for seed in (1, 1, 2))
    assert one == again
    assert one.mae_interval != other.mae_interval
    assert one.note == ""
    low, high = one.mae_interval
    assert one.sentence() == (
        f"MAE {one.mae:.2f} years (95 % interval {low:.2f} to {high:.2f} over 30 groups); the training mean for "
        f"everybody: {one.baseline_mae:.2f} years."
    )
    assert one.as_record()["mae_interval"] == (low, high)


def test_what_is_not_defined_is_none_and_not_a_number():
    alike = regression_summary([60.0] * 8, [61.0] * 8, list("abcdefgh"), seed=0)
    assert (alike.r2, alike.r2_interval) == (None, None)
    one = classification_summary(["x"] * 8, np.full((8, 2), 0.5), ("x", "y"), list("abcdefgh"), seed=0)
    assert (one.auc, one.auc_interval, one.balanced_accuracy) == (None, None, 1.0)
    assert one.note == "Nobody tested is 'y'."
    rare = classification_summary(
        ["y", *"x" * 19], np.linspace([1, 0], [0, 1], 20), ("x", "y"), [str(n) for n in range(20)], seed=0
    )
    assert rare.auc is not None
    assert rare.auc_interval is None  # in a third of the draws nobody is a y


def test_the_majority_class_is_the_yardstick():
    true = ["a"] * 6 + ["b"] * 2
    chances = np.tile([0.5, 0.5], (8, 1))
    summary = classification_summary(
        true, chances, ("a", "b"), list("abcdefgh"), seed=0, training_shares=(0.75, 0.25)
    )
    assert summary.majority == "a"
    assert (summary.baseline_accuracy, summary.baseline_balanced_accuracy) == (0.75, 0.5)
    np.testing.assert_allclose(summary.baseline_log_loss, metrics.log_loss([0] * 6 + [1] * 2, [[0.75, 0.25]] * 8))
    assert "; 'a' for everybody: 0.50" in summary.sentence()


def test_a_prediction_that_is_surely_wrong_costs_much_but_not_everything():
    chances = np.array([[1.0, 0.0], [0.0, 1.0]])
    summary = classification_summary(["y", "y"], chances, ("x", "y"), ["1", "2"], seed=0)
    assert 15 < summary.log_loss < 20


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"true": [], "predicted": [], "groups": []}, BadInput, "Nobody was tested"),
        ({"groups": ["a"]}, ValueError, "1 groups"),
        ({"predicted": [1.0, np.nan]}, ValueError, "finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, error, sentence):
    good = {"true": [1.0, 2.0], "predicted": [1.0, 2.0], "groups": ["a", "b"]}
    with pytest.raises(error, match=sentence):
        regression_summary(**(good | change), seed=0)


def test_strange_classes_and_shapes_are_refused():
    with pytest.raises(BadInput, match=r"'z' is none of the classes x, y"):
        classification_summary(["x", "z"], np.full((2, 2), 0.5), ("x", "y"), ["a", "b"], seed=0)
    with pytest.raises(ValueError, match=r"The probabilities are \(2, 3\)"):
        classification_summary(["x", "y"], np.full((2, 3), 0.5), ("x", "y"), ["a", "b"], seed=0)
    with pytest.raises(BadInput, match="Nobody was tested"):
        classification_summary([], np.zeros((0, 2)), ("x", "y"), [], seed=0)


def test_figures_without_draws_have_no_interval():
    values, intervals, note = with_intervals(lambda draws: draws[:, :1], 8, 0, 0)
    assert (values, intervals, note) == ([1.0], [None], "")


def test_a_thousand_scans_take_a_second():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(3), 1000)
    true, groups = [f"c{n % 3}" for n in range(1000)], [str(n // 2) for n in range(1000)]
    start = time.perf_counter()
    classification_summary(true, chances, ("c0", "c1", "c2"), groups, seed=0)
    assert time.perf_counter() - start < 4
