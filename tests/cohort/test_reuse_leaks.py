"""Nothing of a test subject but the own image reaches a prediction: of any model, scaling, selection or correction."""

import numpy as np
import pytest
from cohorts_in_memory import cohort, config
from leaks import Everything, leaks, learns
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from napari_mritransfer.cohort.reuse.calibration import bias_of, corrected
from napari_mritransfer.cohort.reuse.catalogue import reuse_methods
from napari_mritransfer.cohort.reuse.classical import fit_classical, gram
from napari_mritransfer.cohort.reuse.estimators import fit_features
from napari_mritransfer.cohort.reuse.plan import kept_together, outer_folds

NAMES = ("none", "mild", "severe")


def study_and_folds(task="regression", *, features=6):
    """18 subjects, three with a second visit, whose features tell their label in part; the first of three folds."""
    rng = np.random.default_rng(0)
    subjects = [*range(18), 0, 7, 14]
    count = {"regression": 0, "binary": 2, "classes": 3}[task]
    own = rng.permutation(np.arange(18) % count).astype(float) if count else rng.uniform(45, 85, 18)
    y = own[subjects]
    x = rng.standard_normal((21, features))
    x[:, :2] += (y[:, None] - y.mean()) / y.std()
    checked = cohort(
        [NAMES[int(one)] for one in y] if count else y.tolist(), subjects=[f"sub-{one:02d}" for one in subjects],
        classes=NAMES[:count],
    )  # fmt: skip
    study = Everything(x * 10.0 ** np.arange(features), y, np.array(kept_together(checked)), task, count)
    return study, outer_folds(checked, config(folds=3))[:1]


def choices(study):
    return {"task": study.task, "classes": study.classes, "inner_folds": 3, "seed": 0}


def on_features(name, *, corrects=False):
    def method(study, train, test):
        fitted = fit_features(
            name, study.x[train], study.y[train], study.groups[train], with_inner=corrects, **choices(study)
        )
        return finished(study, fitted, fitted.predict(study.x[test]), train, test)

    return method


def classical(study, train, test, *, corrects=False):
    """As the job does it: inner products of everybody, once, of which a fold takes its own."""
    products = gram(study.x)
    fitted = fit_classical(
        products[np.ix_(train, train)], study.y[train], study.groups[train], with_inner=corrects, **choices(study)
    )
    return finished(study, fitted, fitted.predict(products[np.ix_(test, train)]), train, test)


def classical_corrected(study, train, test):
    return classical(study, train, test, corrects=True)


def finished(study, fitted, values, train, test):
    if fitted.inner is None:
        return values
    return corrected(values, study.y[test], bias_of(study.y[train], fitted.inner))


def of_kind(task, *kinds):
    return [row.name for row in reuse_methods(task) if row.kind in kinds]


ALL = [(task, name) for task in ("regression", "binary", "classes") for name in of_kind(task, "features", "classical")]


@pytest.mark.parametrize(("task", "name"), ALL)
def test_no_simple_model_sees_who_is_tested(task, name):
    study, parts = study_and_folds(task)
    method = classical if name == "classical" else on_features(name)
    assert learns(method, study, parts[0])
    assert leaks(method, study, parts) == set()


@pytest.mark.parametrize("name", of_kind("regression", "features", "classical"))
def test_no_correction_sees_who_else_is_tested(name):
    """It knows the own true number, which is said wherever it is shown, and nobody else's."""
    study, parts = study_and_folds()
    method = classical_corrected if name == "classical" else on_features(name, corrects=True)
    assert leaks(method, study, parts, knows_own_label=True) == set()
    assert leaks(method, study, parts) == {"labels"}, "or the harness cannot see that it knows the own number"


def selected(study, train, test, seen):
    kept = SelectKBest(f_regression, k=2).fit(study.x[seen], study.y[seen]).get_support()
    return Ridge().fit(study.x[train][:, kept], study.y[train]).predict(study.x[test][:, kept])


def standardised(study, train, test, seen):
    x = StandardScaler().fit(study.x[seen]).transform(study.x)
    return Ridge().fit(x[train], study.y[train]).predict(x[test])


def reduced(study, train, test, seen):
    x = PCA(3, svd_solver="full").fit(study.x[seen]).transform(study.x)
    return Ridge().fit(x[train], study.y[train]).predict(x[test])


def tuned(study, train, test, seen):
    """A strength chosen by the error on whoever is seen."""
    models = [Ridge(strength).fit(study.x[train], study.y[train]) for strength in (1e-2, 1e2, 1e6, 1e12)]
    errors = [np.abs(model.predict(study.x[seen]) - study.y[seen]).mean() for model in models]
    return models[int(np.argmin(errors))].predict(study.x[test])


def bias_corrected(study, train, test, seen):
    model = Ridge().fit(study.x[train], study.y[train])
    bias = bias_of(study.y[seen], model.predict(study.x[seen]))
    return corrected(model.predict(study.x[test]), study.y[test], bias)


PLANTED = {
    selected: {"labels", "features"}, standardised: {"features"}, reduced: {"features"},
    tuned: {"labels", "features"}, bias_corrected: {"labels", "features"},
}  # fmt: skip


@pytest.mark.parametrize("recipe", PLANTED)
def test_a_planted_leak_is_caught(recipe):
    """Each step once on the training subjects, where it belongs, and once on everybody."""
    study, parts = study_and_folds()

    def clean(study, train, test):
        return recipe(study, train, test, seen=train)

    def leaky(study, train, test):
        return recipe(study, train, test, seen=np.arange(len(study.y)))

    knows = recipe is bias_corrected
    assert leaks(clean, study, parts, knows_own_label=knows) == set()
    assert leaks(leaky, study, parts, knows_own_label=knows) == PLANTED[recipe]


def test_a_method_that_draws_anew_is_no_subject_for_this():
    study, parts = study_and_folds()
    rng = np.random.default_rng(0)
    with pytest.raises(AssertionError, match="draws anew each time"):
        leaks(lambda study, train, test: rng.normal(size=len(test)), study, parts)
