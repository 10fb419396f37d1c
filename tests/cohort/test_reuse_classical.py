"""The classical way: through inner products it is what it would be on voxels, and nothing unseen upsets it."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_mritransfer.cohort.reuse import classical
from napari_mritransfer.cohort.reuse.classical import fit_classical, gram

SHAPE = (6, 7, 8)
TRAIN, TEST = slice(0, 40), slice(40, 100)


@pytest.fixture(scope="module")
def cohort():
    """``(100, i, j, k)`` volumes far from zero, in which a few patterns change, and a number that one of them tells."""
    rng = np.random.default_rng(1)
    patterns, amounts = rng.normal(size=(6, *SHAPE)), rng.normal(size=(100, 6))
    usual, noise = 40 + 3 * rng.normal(size=SHAPE), 0.3 * rng.normal(size=(100, *SHAPE))
    volumes = usual + np.tensordot(amounts, patterns, 1) + noise
    return volumes, 60 + 8 * amounts[:, 2] + rng.normal(size=100)


def fit(products, y, *, task="regression", classes=0, **more):
    whose = np.array([str(number) for number in range(len(y))])
    usual = {"inner_folds": 5, "seed": 0} | more
    return fit_classical(products[: len(y), : len(y)], y, whose, task=task, classes=classes, **usual)


def test_inner_products_are_summed_over_blocks_of_any_size(monkeypatch):
    volumes = np.random.default_rng(0).uniform(0, 3, (5, *SHAPE)).astype(np.float16)
    flat = volumes.reshape(5, -1).astype(np.float64)
    told = []
    monkeypatch.setattr(classical, "_VOXELS", 100)
    np.testing.assert_allclose(gram(volumes, lambda *now: told.append(now)), flat @ flat.T, rtol=1e-12)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_summing_can_be_stopped(monkeypatch):
    monkeypatch.setattr(classical, "_VOXELS", 100)

    def stop(done, total):
        if done == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        gram(np.ones((2, *SHAPE)), stop)


def test_numbers_are_predicted_as_on_voxels(cohort):
    volumes, y = cohort
    products, flat = gram(volumes), volumes.reshape(100, -1)
    fitted = fit(products, y[TRAIN])
    found = fitted.predict(products[TEST, TRAIN])
    assert np.abs(found - y[TEST]).mean() < 0.4 * np.abs(y[TEST] - y[TRAIN].mean()).mean()

    chosen = fitted.chosen
    components = PCA(39, svd_solver="full").fit(flat[TRAIN])
    net = ElasticNet(chosen["alpha"], l1_ratio=chosen["l1_ratio"])
    plain = make_pipeline(SelectKBest(f_regression, k=chosen["k"]), StandardScaler(), net)
    centre, scale = y[TRAIN].mean(), y[TRAIN].std()
    plain.fit(components.transform(flat[TRAIN]), (y[TRAIN] - centre) / scale)
    wanted = plain.predict(components.transform(flat[TEST])) * scale + centre
    np.testing.assert_allclose(found, wanted, rtol=1e-3)  # as far as the elastic net converges


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_predicted_as_on_voxels(cohort, classes):
    volumes, y = cohort
    label = (y > 60).astype(float) if classes == 2 else np.digitize(y, [57.0, 63.0]).astype(float)
    products, flat = gram(volumes), volumes.reshape(100, -1)
    fitted = fit(products, label[TRAIN], task="classes", classes=classes)
    chances = fitted.predict(products[TEST, TRAIN])
    each = [(chances.argmax(axis=1) == label[TEST])[label[TEST] == own].mean() for own in range(classes)]
    assert np.mean(each) > 0.2 + 1 / classes

    chosen = fitted.chosen
    components = PCA(39, svd_solver="full").fit(flat[TRAIN])
    net = LogisticRegression(C=chosen["C"], l1_ratio=chosen["l1_ratio"], solver="saga", max_iter=5000, tol=1e-6)
    plain = make_pipeline(SelectKBest(f_classif, k=chosen["k"]), StandardScaler(), net)
    plain.fit(components.transform(flat[TRAIN]), label[TRAIN])
    np.testing.assert_allclose(chances, plain.predict_proba(components.transform(flat[TEST])), atol=0.02)


@pytest.mark.parametrize(("task", "classes"), [("regression", 0), ("classes", 3)])
@pytest.mark.parametrize("count", [25, 50])
def test_what_all_training_subjects_have_in_common_counts_for_nothing(cohort, task, classes, count):
    """A test subject may lie far from them in a direction in which they do not differ; that tells nothing."""
    volumes, y = cohort
    label = y if task == "regression" else np.digitize(y, [57.0, 63.0]).astype(float)
    flat = volumes.reshape(100, -1)
    shares = np.linalg.solve(flat[:count] @ flat[:count].T, np.ones(count))
    common = shares @ flat[:count]  # every training subject has the same inner product with it
    brighter = flat.copy()
    brighter[count:] += 20 * common / np.linalg.norm(common)
    fitted = fit(flat @ flat.T, label[:count], task=task, classes=classes)
    as_before = fitted.predict((flat @ flat.T)[count:, :count])
    np.testing.assert_allclose(fitted.predict((brighter @ brighter.T)[count:, :count]), as_before, rtol=1e-6)
    if task == "regression":
        assert np.abs(as_before - y[:count].mean()).max() < 4 * y[:count].std()


def test_the_mean_that_is_taken_off_is_that_of_the_training_subjects(cohort):
    volumes, y = cohort
    usual = gram(volumes)
    darker = gram(volumes - 35)
    found = fit(darker, y[TRAIN]).predict(darker[TEST, TRAIN])
    np.testing.assert_allclose(found, fit(usual, y[TRAIN]).predict(usual[TEST, TRAIN]), rtol=1e-3)


@pytest.mark.parametrize(("task", "classes"), [("regression", 0), ("binary", 2)])
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_few_subjects_are_enough(cohort, task, classes, count):
    volumes, y = cohort
    products = gram(volumes)
    label = y if task == "regression" else (y > np.median(y[:count])).astype(float)
    fitted = fit(products, label[:count], task=task, classes=classes, with_inner=True)
    found = fitted.predict(products[TEST, :count])
    assert np.isfinite(found).all()
    if task == "regression":
        assert np.abs(found - y[:count].mean()).max() < 20 * np.ptp(y[:count])


def test_inner_predictions_are_handed_on(cohort):
    volumes, y = cohort
    inner = fit(gram(volumes), y[TRAIN], with_inner=True).inner
    assert inner.shape == (40,)
    assert np.corrcoef(inner, y[TRAIN])[0, 1] > 0.6
