"""Simple models on frozen features or principal components, their hyper-parameters chosen among training subjects."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.reuse.inner import Array, Grid, best_of, inner_split

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

_PENALTIES = np.logspace(-1, 5, 13).tolist()  # of ridge regression, on standardised features
_COSTS = np.logspace(-4, 2, 7).tolist()
_MARGIN_COSTS = np.logspace(-2, 2, 5).tolist()
_WIDTHS = ("scale", 0.002)  # of the kernel, one over: the second is nearly linear
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
        ``(training rows,)`` numbers, each predicted by a model that has not learned from its subject (all have the
        hyper-parameters that were chosen with everybody of the training set); None unless asked for.
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
    pipeline, grid = _feature_model(method, task, seed)
    return fit_model(
        pipeline, grid, x, y, groups, task=task, classes=classes, inner_folds=inner_folds, seed=seed,
        with_inner=with_inner,
    )  # fmt: skip


def fit_model(
    pipeline: "Pipeline",
    grid: Grid,
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
    """Choose among `grid` by an inner cross-validation, fit on all rows; see `fit_features` and `inner.best_of`.

    Numbers are standardised by the rows that a model is fitted to, so that settings mean the same in every unit.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import cross_val_predict
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    is_number = task == "regression"
    if not is_number and len(np.unique(y)) < 2:  # a learning curve's smallest size may hold one class only
        return Fitted(_always(int(y[0]), classes), {})
    folds = inner_split(y, groups, inner_folds, seed, is_number=is_number)
    # many small steps: two threads that wait for each other on a busy machine make them thirty times as slow
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what has not converged is judged by the inner folds like everything else
        chosen = best_of(pipeline, grid, x, y, folds, is_number=is_number) if grid and folds else {}
        model = pipeline.set_params(**chosen)
        inner = None
        if is_number:
            model = TransformedTargetRegressor(model, transformer=StandardScaler())
            if with_inner and folds:
                inner = np.asarray(cross_val_predict(model, x, y, cv=folds), dtype=np.float64)
        model.fit(x, y)
    chosen = {name.rpartition("__")[2]: _plain(value) for name, value in chosen.items()}
    return Fitted(_predictor(model, classes, is_number=is_number), chosen, inner)


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


def scaled(model: "BaseEstimator") -> "Pipeline":
    """A model that standardises features by the rows it is fitted to."""
    from sklearn.pipeline import Pipeline

    from napari_mritransfer.cohort.reuse.scaling import FeatureScaler

    return Pipeline([("scale", FeatureScaler()), ("model", model)])


def _feature_model(method: str, task: Task, seed: int) -> "tuple[Pipeline, Grid]":
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import SVC, SVR

    from napari_mritransfer.cohort.reuse.margins import MarginClassifier

    is_number = task == "regression"
    if method == "features-ridge" and is_number:
        return scaled(Ridge(10.0)), {"model__alpha": _PENALTIES}
    if method == "features-logistic" and not is_number:
        return scaled(LogisticRegression(C=0.1, max_iter=2000)), {"model__C": _COSTS}
    if method == "features-svm" and is_number:
        return scaled(SVR(epsilon=0.1)), {"model__C": _MARGIN_COSTS, "model__gamma": _WIDTHS}
    if method == "features-svm":
        grid = {"model__machine__C": _MARGIN_COSTS, "model__machine__gamma": _WIDTHS}
        return scaled(MarginClassifier(SVC())), grid
    if method == "features-gp" and is_number:
        # linear trends and smooth bends over standardised features; its own likelihood chooses the sizes
        kernel = ConstantKernel(1.0) * DotProduct(1.0) + ConstantKernel(1.0) * RBF(8.0) + WhiteKernel(0.5)
        return scaled(GaussianProcessRegressor(kernel, random_state=seed)), {}
    if method == "features-gp":
        return scaled(GaussianProcessClassifier(ConstantKernel(1.0) * RBF(8.0), random_state=seed)), {}
    raise ValueError(f"'{method}' is no model on features for such a label.")


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
