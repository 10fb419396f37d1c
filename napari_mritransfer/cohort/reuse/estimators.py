"""Simple models on frozen features or principal components, their hyper-parameters chosen among training subjects."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.label import Task

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Array = NDArray[np.float64]
Inner = list[tuple[NDArray[np.intp], NDArray[np.intp]]]
"""Folds of the training rows: indices to learn from and to judge on."""

_PENALTIES = np.logspace(-3, 5, 17)  # of ridge regression, on standardised features
_COSTS = np.logspace(-4, 2, 7)
_EDGE = 1e-3  # of a feature's standard deviations: how far a gradient looks


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A model that has learned.

    Attributes
    ----------
    predict
        From ``(n, inputs)`` to ``(n,)`` numbers or ``(n, classes)`` chances.
    chosen
        Hyper-parameters that the inner cross-validation chose; empty where there was nobody to choose with.
    inner
        ``(training rows,)`` numbers, each predicted by a model that has not seen its subject; None unless asked for.
    """

    predict: Callable[[Array], Array]
    chosen: Mapping[str, Any]
    inner: Array | None = None


def fit_features(
    method: str,
    x: Array,
    y: Array,
    groups: NDArray[np.str_],
    *,
    task: Task,
    classes: int,
    inner_folds: int,
    seed: int,
    with_inner: bool = False,
) -> Fitted:
    """Fit one of the ``features-…`` methods to the training rows of a fold.

    Scaling, choice of hyper-parameters and fit see the rows that are handed in and nothing else.

    Parameters
    ----------
    method
        A row of `reuse.catalogue` of the kind "features".
    x
        ``(n, features)``.
    y
        ``(n,)`` numbers, or indices of classes.
    groups
        ``(n,)``: rows of one group, such as a subject's visits, are never on both sides of an inner fold.
    classes
        How many there are, those included that no training row has; 0 for numbers.
    inner_folds
        At most; fewer where there are fewer groups, none of hyper-parameters where there are not even two.
    with_inner
        Whether `Fitted.inner` is wanted.

    Raises
    ------
    ValueError
        If the method is none of them.
    """
    estimator, grid = _feature_model(method, task, seed)
    return fit_model(
        estimator, grid, x, y, groups, task=task, classes=classes, inner_folds=inner_folds, seed=seed,
        with_inner=with_inner,
    )  # fmt: skip


def fit_model(
    estimator: "BaseEstimator",
    grid: Mapping[str, Any],
    x: Array,
    y: Array,
    groups: NDArray[np.str_],
    *,
    task: Task,
    classes: int,
    inner_folds: int,
    seed: int,
    with_inner: bool,
) -> Fitted:
    """Choose among `grid` by an inner cross-validation, fit on all rows; see `fit_features`.

    Numbers are judged by mean absolute error, classes by log loss.
    """
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_predict

    is_number = task == "regression"
    if not is_number and len(np.unique(y)) < 2:  # a learning curve's smallest size may hold one class only
        return Fitted(_always(int(y[0]), classes), {})
    folds = inner_split(y, groups, inner_folds, seed, is_number=is_number)
    with warnings.catch_warnings():
        # what has not converged is judged by the inner folds like everything else
        warnings.simplefilter("ignore")
        chosen: dict[str, Any] = {}
        if grid and folds:
            scoring = "neg_mean_absolute_error" if is_number else "neg_log_loss"
            search = GridSearchCV(estimator, dict(grid), scoring=scoring, cv=folds, refit=False, error_score=-np.inf)
            search.fit(x, y)
            chosen = {name: _plain(value) for name, value in search.best_params_.items()}
        model = clone(estimator).set_params(**chosen)
        inner = None
        if with_inner and is_number and folds:
            inner = np.asarray(cross_val_predict(model, x, y, cv=folds), dtype=np.float64)
        model.fit(x, y)
    return Fitted(_predictor(model, classes, is_number=is_number), chosen, inner)


def inner_split(y: Array, groups: NDArray[np.str_], most: int, seed: int, *, is_number: bool) -> Inner:
    """Folds of whole groups, stratified by class or by fifths of a number; empty if there are not two.

    Every class is among those to learn from in every fold, or the fold is left out.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names, members = np.unique(groups, return_inverse=True)
    if is_number:
        strata = np.argsort(np.argsort(y, kind="stable")) * max(1, min(5, len(names) // most)) // len(y)
    else:
        strata = y.astype(np.intp)
    count = min(most, len(names))
    if not is_number:  # a class in fewer groups than folds would be missing somewhere
        count = min(count, min(len(np.unique(members[y == k])) for k in np.unique(y)))
    if count < 2:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on strata smaller than the folds
        split = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(np.zeros(len(y)), strata, members)
        folds = [(learn, judge) for learn, judge in split if len(learn) and len(judge)]
    if is_number:
        return folds
    everything = set(np.unique(y))
    complete = [fold for fold in folds if set(np.unique(y[fold[0]])) == everything == set(np.unique(y[fold[1]]))]
    return complete if len(complete) == len(folds) else []


def gradient(predict: Callable[[Array], Array], x: Array, scale: Array) -> Array:
    """How a prediction for one subject changes with each input: central differences.

    Parameters
    ----------
    predict
        See `Fitted`.
    x
        ``(inputs,)``.
    scale
        ``(inputs,)`` standard deviation of each over the training rows; one that never changes has no gradient.

    Returns
    -------
    gradient
        ``(inputs,)`` of the number, or of the last class's chance.
    """
    step = np.where(scale > 0, scale, 0) * _EDGE
    around = np.concatenate([x + np.diag(step), x - np.diag(step)])
    found = predict(around)
    values = found if found.ndim == 1 else found[:, -1]
    difference = values[: len(x)] - values[len(x) :]
    return np.asarray(np.divide(difference, 2 * step, out=np.zeros_like(step), where=step > 0))


def _feature_model(method: str, task: Task, seed: int) -> "tuple[BaseEstimator, dict[str, Any]]":
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import SVC, SVR

    is_number = task == "regression"
    if method == "features-ridge":
        return numbers(Ridge()), {"regressor__model__alpha": _PENALTIES}
    if method == "features-logistic":
        return scaled(LogisticRegression(max_iter=2000)), {"model__C": _COSTS}
    if method == "features-svm" and is_number:
        grid = {"regressor__model__C": np.logspace(-2, 2, 5), "regressor__model__gamma": ["scale", 0.002]}
        return numbers(SVR(epsilon=0.1)), grid
    if method == "features-svm":
        return scaled(margins(SVC(class_weight="balanced"))), {"model__machine__C": np.logspace(-2, 2, 5)}
    if method == "features-gp":
        # linear trends and smooth bends over standardised features; its own likelihood chooses the sizes
        kernel = ConstantKernel(1.0) * DotProduct(1.0) + ConstantKernel(1.0) * RBF(8.0)
        if is_number:
            return numbers(GaussianProcessRegressor(kernel + WhiteKernel(0.5), random_state=seed)), {}
        return scaled(GaussianProcessClassifier(ConstantKernel(1.0) * RBF(8.0), random_state=seed)), {}
    raise ValueError(f"'{method}' is no model on features.")


def numbers(model: "BaseEstimator", *before: "tuple[str, BaseEstimator]") -> "BaseEstimator":
    """A regression that standardises inputs and labels by the rows it is fitted to (``regressor__model__…``).

    Parameters
    ----------
    before
        Steps ahead of it, such as principal components.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(scaled(model, *before), transformer=StandardScaler())


def scaled(model: "BaseEstimator", *before: "tuple[str, BaseEstimator]") -> "BaseEstimator":
    """A model that standardises inputs by the rows it is fitted to (``model__…``)."""
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([*before, ("scale", StandardScaler()), ("model", model)])


def margins(machine: "BaseEstimator") -> "BaseEstimator":
    """A support vector machine whose chances are the logistic function of its margins, or their softmax.

    They rank as the margins do, and are not calibrated: a second fit to do that would want more subjects.
    """
    from napari_mritransfer.cohort.reuse.margins import MarginClassifier

    return MarginClassifier(machine)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _always(index: int, classes: int) -> Callable[[Array], Array]:
    chances = np.eye(classes)[index]
    return lambda x: np.tile(chances, (len(x), 1))


def _predictor(model: Any, classes: int, *, is_number: bool) -> Callable[[Array], Array]:
    if is_number:
        return lambda x: np.asarray(model.predict(x), dtype=np.float64).reshape(len(x))
    places = np.asarray(model.classes_, dtype=np.intp)

    def chances(x: Array) -> Array:
        found = np.zeros((len(x), classes))
        found[:, places] = model.predict_proba(x)
        return found

    return chances
