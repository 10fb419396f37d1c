"""Models on features: they find what is there, bear whatever is small, and choose among training subjects only."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from napari_mritransfer.cohort.reuse.estimators import fit_features, fit_model, gradient, scaled
from napari_mritransfer.cohort.reuse.inner import best_of, inner_split

NUMBERS = ("features-ridge", "features-svm", "features-gp")
CLASSES = ("features-logistic", "features-svm", "features-gp")
ALL = [*((name, "regression", 0) for name in NUMBERS), *((name, "classes", 3) for name in CLASSES)]


def subjects(count, *, seed=0, features=16):
    """Features of which a few directions tell a number, on different scales, with much else."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 4))
    mixing = np.random.default_rng(99).normal(size=(4, features))
    x = hidden @ mixing + 0.5 * rng.normal(size=(count, features))
    scales = np.geomspace(0.3, 3, features)
    return x * scales + 10 * scales, 60 + 8 * hidden[:, 0] + rng.normal(size=count)


def names(count):
    return np.array([f"sub-{number}" for number in range(count)])


def fit(method, x, y, *, task="regression", classes=0, groups=None, **more):
    groups = names(len(y)) if groups is None else groups
    usual = {"inner_folds": 5, "seed": 0} | more
    return fit_features(method, x, np.asarray(y, dtype=float), groups, task=task, classes=classes, **usual)


def thirds(y):
    return np.digitize(y, [56.0, 64.0]).astype(float)


@pytest.mark.parametrize("method", NUMBERS)
def test_numbers_are_learned_from_few_subjects(method):
    x, y = subjects(240)
    found = fit(method, x[:40], y[:40]).predict(x[40:])
    assert found.shape == (200,)
    usual = np.abs(y[40:] - y[:40].mean()).mean()
    assert np.abs(found - y[40:]).mean() < 0.5 * usual


@pytest.mark.parametrize("method", CLASSES)
@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_learned_from_few_subjects(method, classes):
    x, y = subjects(260)
    label = (y > 62).astype(float) if classes == 2 else thirds(y)
    chances = fit(method, x[:60], label[:60], task="classes", classes=classes).predict(x[60:])
    assert chances.shape == (200, classes)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    each = [(chances.argmax(axis=1) == label[60:])[label[60:] == own].mean() for own in range(classes)]
    assert np.mean(each) > 0.5 * (1 + 1 / classes)


@pytest.mark.parametrize(("method", "task", "classes"), ALL)
def test_the_same_call_gives_the_same_bits(method, task, classes):
    x, y = subjects(40)
    label = y if task == "regression" else thirds(y)
    one, other = (fit(method, x[:30], label[:30], task=task, classes=classes) for _ in range(2))
    assert one.predict(x[30:]).tobytes() == other.predict(x[30:]).tobytes()
    assert one.chosen == other.chosen


@pytest.mark.parametrize(("method", "task", "classes"), ALL)
def test_a_feature_that_one_training_subject_has_moves_nobody_far(method, task, classes):
    """Standardised by what little it varies among those, it would be hundreds of deviations away for a test subject."""
    x, y = subjects(80)
    x = np.column_stack([x, np.zeros(80)])
    usual = x[:, :-1].std(axis=0).mean()
    x[7, -1] = 1e-3 * usual
    truth = y if task == "regression" else thirds(y)
    model = fit(method, x[:40], truth[:40], task=task, classes=classes)
    seen = x[40:].copy()
    seen[:, -1] = usual
    difference = np.abs(model.predict(seen) - model.predict(x[40:])).max()
    assert difference < (y.std() if task == "regression" else 0.5)


@pytest.mark.parametrize("method", NUMBERS)
def test_units_do_not_matter(method):
    x, y = subjects(60)
    years = fit(method, x[:40], y[:40]).predict(x[40:])
    scales = 50.0  # the same of all features, whose spreads are compared
    days = fit(method, x[:40] * scales - 3, 365.25 * y[:40] + 1000).predict(x[40:] * scales - 3)
    np.testing.assert_allclose((days - 1000) / 365.25, years, rtol=2e-3)


@pytest.mark.parametrize(("method", "task", "classes"), ALL)
def test_who_is_predicted_beside_somebody_does_not_matter(method, task, classes):
    x, y = subjects(40)
    fitted = fit(method, x[:30], y[:30] if task == "regression" else thirds(y[:30]), task=task, classes=classes)
    beside_others = fitted.predict(np.concatenate([x[30:31], 1e3 * x[31:]]))[0]
    np.testing.assert_allclose(fitted.predict(x[30:31])[0], beside_others, rtol=1e-9)


def test_a_class_that_nobody_has_keeps_its_column():
    x, y = subjects(40)
    chances = fit("features-logistic", x, 2.0 * (y > 60), task="classes", classes=4).predict(x)
    assert chances.shape == (40, 4)
    assert (chances[:, [1, 3]] == 0).all()
    np.testing.assert_allclose(chances.sum(axis=1), 1)


@pytest.mark.parametrize("method", CLASSES)
def test_one_class_alone_is_certain(method):
    x, _ = subjects(6)
    fitted = fit(method, x, np.ones(6), task="binary", classes=2)
    assert fitted.predict(x[:2]).tolist() == [[0, 1], [0, 1]]
    assert fitted.chosen == {}


@pytest.mark.parametrize(("method", "task", "classes"), ALL)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_no_small_cohort_is_too_odd(method, task, classes, data):
    count = data.draw(st.integers(2, 12))
    values = st.integers(-2, 2) if task == "regression" else st.integers(0, classes - 1)
    y = data.draw(st.lists(values, min_size=count, max_size=count))
    groups = data.draw(st.lists(st.sampled_from("abcdefgh"), min_size=count, max_size=count))
    kinds_of_columns = st.sampled_from(["noise", "constant", "huge", "tiny", "label"])
    columns = data.draw(st.lists(kinds_of_columns, min_size=1, max_size=6))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    noise = rng.normal(size=(count + 3, len(columns)))
    shown = np.concatenate([y, [0, 1, 2]])
    sizes = {"huge": 1e8, "tiny": 1e-8}
    x = np.stack([
        shown if kind == "label" else np.full(count + 3, 7.0) if kind == "constant" else sizes.get(kind, 1.0) * own
        for kind, own in zip(columns, noise.T, strict=True)
    ], axis=1)  # fmt: skip
    fitted = fit(method, x[:count], y, task=task, classes=classes, groups=np.array(groups), with_inner=True)
    found = fitted.predict(x[count:])
    assert np.isfinite(found).all()
    if task != "regression":
        np.testing.assert_allclose(found.sum(axis=1), 1)
    elif fitted.inner is not None:
        assert fitted.inner.shape == (count,)
        assert np.isfinite(fitted.inner).all()


def test_inner_predictions_come_from_models_that_have_not_learned_from_the_subject():
    rng = np.random.default_rng(3)
    x, y = np.repeat(rng.normal(size=(30, 64)), 2, axis=0), np.repeat(rng.normal(size=30), 2)
    whose = np.repeat(names(30), 2)
    fitted = fit("features-ridge", x, y, groups=whose, with_inner=True)
    assert np.corrcoef(fitted.predict(x), y)[0, 1] > 0.8  # what was learned by heart
    assert np.corrcoef(fitted.inner, y)[0, 1] < 0.5
    # told that each scan is another person's, the twin gives it away
    careless = fit("features-ridge", x, y, groups=names(60), with_inner=True)
    assert np.corrcoef(careless.inner, y)[0, 1] > 0.9


def test_inner_predictions_are_made_on_request_only():
    x, y = subjects(20)
    assert fit("features-ridge", x, y).inner is None
    assert fit("features-ridge", x, y, with_inner=True).inner.shape == (20,)
    assert fit("features-ridge", x, y, groups=np.full(20, "one"), with_inner=True).inner is None


@pytest.mark.parametrize("method", NUMBERS)
def test_the_gradient_of_a_number_is_its_slope(method):
    x, y = subjects(60)
    x[:, 3] = 5.0
    fitted = fit(method, x, y)
    scale = x.std(axis=0)
    slope = gradient(fitted.predict, x[0], scale)
    assert slope[3] == 0
    step = 1e-4 * scale * np.random.default_rng(0).normal(size=16)
    change = np.diff(fitted.predict(np.stack([x[0] - step, x[0] + step])))[0]
    assert slope @ (2 * step) == pytest.approx(change, rel=1e-2)


def test_the_gradient_of_classes_is_that_of_the_last_ones_chance():
    x, y = subjects(60)
    fitted = fit("features-logistic", x, y > 60, task="binary", classes=2)
    slope = gradient(fitted.predict, x[0], x.std(axis=0))
    step = 1e-3 * slope * x.std(axis=0) ** 2
    step /= np.abs(step / x.std(axis=0)).max() / 1e-3
    lower, upper = fitted.predict(np.stack([x[0] - step, x[0] + step]))[:, 1]
    assert upper > lower
    assert slope @ (2 * step) == pytest.approx(upper - lower, rel=1e-3)


@pytest.mark.parametrize(
    ("method", "task"), [("features-ridge", "binary"), ("features-logistic", "regression"), ("full", "regression")]
)
def test_what_is_no_model_for_a_label_is_refused(method, task):
    x, y = subjects(10)
    with pytest.raises(ValueError, match=f"'{method}' is no model on features for such a label"):
        fit(method, x, y > 60, task=task, classes=2)


def test_the_best_settings_are_those_that_a_plain_search_finds():
    x, y = subjects(40, seed=4)
    folds = inner_split(y, names(40), 5, 0, is_number=True)
    assert {len(judge) for _, judge in folds} == {8}  # so that means over folds and over rows are one
    y = (y - y.mean()) / y.std()
    grid = {"model__alpha": [1e-3, 1.0, 30.0, 1e3, 1e6]}
    plain = GridSearchCV(scaled(Ridge()), grid, scoring="neg_mean_absolute_error", cv=folds).fit(x, y)
    assert best_of(scaled(Ridge()), grid, x, y, folds, is_number=True) == plain.best_params_


def test_steps_before_the_model_are_searched_too_and_see_the_learning_rows_only():
    from sklearn.base import BaseEstimator, TransformerMixin

    seen = []

    class Noted(TransformerMixin, BaseEstimator):
        def __init__(self, width=1):
            self.width = width

        def fit(self, x, y):
            seen.append((self.width, sorted(x[:, 0].astype(int).tolist()), y.mean()))
            return self

        def transform(self, x):
            return x[:, : self.width]

    x = np.concatenate([np.arange(12)[:, None], np.random.default_rng(0).normal(size=(12, 3))], axis=1)
    y = 3 * x[:, 2] + 5
    folds = inner_split(y, names(12), 3, 0, is_number=True)
    pipeline = Pipeline([("noted", Noted()), *scaled(Ridge()).steps])
    fitted = fit_model(
        pipeline, {"noted__width": [1, 3], "model__alpha": [0.01, 100.0]}, x, y, names(12),
        task="regression", classes=0, inner_folds=3, seed=0, with_inner=False,
    )  # fmt: skip
    assert fitted.chosen == {"width": 3, "alpha": 0.01}
    wanted = [(width, sorted(learn.tolist())) for learn, _ in folds for width in (1, 3)]
    assert [(width, rows) for width, rows, _ in seen] == [*wanted, (3, list(range(12)))]
    np.testing.assert_allclose([mean for _, _, mean in seen], 0, atol=1e-12)  # the number's scale too


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_inner_folds_keep_groups_whole_and_hold_every_class(data):
    count, is_number = data.draw(st.integers(2, 30)), data.draw(st.booleans())
    y = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), dtype=float)
    groups = np.array(data.draw(st.lists(st.sampled_from("abcdefghijkl"), min_size=count, max_size=count)))
    most = data.draw(st.integers(2, 6))
    folds = inner_split(y, groups, most, 1, is_number=is_number)
    assert len(folds) != 1
    assert len(folds) <= min(most, len(set(groups)))
    judged = [row for _, judge in folds for row in judge]
    assert len(set(judged)) == len(judged)
    for learn, judge in folds:
        assert sorted([*learn, *judge]) == list(range(count))
        assert not set(groups[learn]) & set(groups[judge])
        if not is_number:
            assert set(y[learn]) == set(y[judge]) == set(y)
    if is_number:
        assert len(folds) == (0 if len(set(groups)) < 2 else min(most, len(set(groups))))
        assert sorted(judged) == (list(range(count)) if folds else [])


def test_inner_folds_are_those_of_group_folds_where_nothing_else_is_asked():
    y, groups = np.zeros(12), np.repeat(names(4), 3)
    ours = {tuple(sorted(judge)) for _, judge in inner_split(y, groups, 4, 0, is_number=True)}
    assert ours == {tuple(sorted(judge)) for _, judge in GroupKFold(4).split(y, y, groups)}
