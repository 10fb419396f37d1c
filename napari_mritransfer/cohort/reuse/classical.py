"""The classical way: voxels to principal components, those most correlated with the label, an elastic net."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.reuse.estimators import Fitted, fit_model
from napari_mritransfer.cohort.reuse.inner import Array, Grid

_KEPT = (5, 10, 20, 40)  # components, as many as there are
_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # of the penalty on a standardised number; 1 leaves its mean
_COSTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_MIXES = (0.1, 0.5, 0.9)  # 1 is the lasso, 0 ridge regression
_ROUNDING = 1e-10  # of the largest eigenvalue: below, a direction is nothing but that
_VOXELS = 2**18  # of every volume at a time


def gram(
    volumes: NDArray[np.floating], on_block: Callable[[int, int], None] = lambda done, total: None
) -> Array:
    """Inner products of all pairs of volumes, which is all that principal components of voxels need.

    No label and no mean over volumes goes into them, so that they can be made once for everybody: which rows are
    centred, and by whose mean, is decided in every fold.

    Parameters
    ----------
    volumes
        ``(n, voxels…)``.
    on_block
        Told blocks of voxels done and all; what it raises ends the work.

    Returns
    -------
    gram
        ``(n, n)``.
    """
    flat = volumes.reshape(len(volumes), -1)
    products = np.zeros((len(flat), len(flat)))
    starts = range(0, flat.shape[1], _VOXELS)
    for done, start in enumerate(starts, start=1):
        block = flat[:, start : start + _VOXELS].astype(np.float64)
        products += block @ block.T
        on_block(done, len(starts))
    return products


def fit_classical(
    products: Array,
    y: Array,
    groups: NDArray[np.str_],
    *,
    task: Task,
    classes: int,
    inner_folds: int,
    seed: int,
    with_inner: bool = False,
) -> Fitted:
    """Fit the classical method to the training rows of a fold.

    The training rows are points in the space that they span, in which their inner products are what they were; so
    principal components there are those of their voxels, and other rows are projected into it. How many components are
    kept, and how strong and how sparse the elastic net is, the inner cross-validation chooses.

    Parameters
    ----------
    products
        ``(n, n)`` inner products of the training rows, see `gram`. `Fitted.predict` takes those of other rows with
        them, ``(m, n)``.
    y, groups, task, classes, inner_folds, seed, with_inner
        See `estimators.fit_features`.

    References
    ----------
    Schölkopf, Smola and Müller, Neural Computation 1998, for the dual; Zou and Hastie, JRSS B 2005.
    """
    from sklearn.decomposition import PCA
    from sklearn.feature_selection import SelectKBest, f_classif, f_regression
    from sklearn.linear_model import ElasticNet, LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    points, project = _span(products)
    # what remains to 1 are directions in which the training rows do not differ, where others may lie anywhere
    components = PCA(1 - _ROUNDING, svd_solver="full")
    if task == "regression":
        score, net = f_regression, ElasticNet(0.1, max_iter=2000)
        strengths: Grid = {"model__alpha": _STRENGTHS}
    else:
        score = f_classif
        net = LogisticRegression(C=1.0, solver="saga", l1_ratio=0.5, max_iter=300, tol=1e-3, random_state=seed)
        strengths = {"model__C": _COSTS}
    pipeline = Pipeline([
        ("components", components), ("chosen", SelectKBest(score, k=_KEPT[0])), ("scale", StandardScaler()),
        ("model", net),
    ])  # fmt: skip
    grid = {"chosen__k": _kept(len(products), inner_folds), **strengths, "model__l1_ratio": _MIXES}
    found = fit_model(
        pipeline, grid, points, y, groups, task=task, classes=classes, inner_folds=inner_folds, seed=seed,
        with_inner=with_inner,
    )  # fmt: skip
    return Fitted(lambda others: found.predict(project(others)), found.chosen, found.inner)


def _span(products: Array) -> tuple[Array, Callable[[Array], Array]]:
    """The training rows as points whose inner products are `products`, and the projection of other rows among them."""
    values, vectors = np.linalg.eigh(products)
    kept = values > values[-1] * _ROUNDING
    roots = np.sqrt(values[kept])
    return vectors[:, kept] * roots, lambda others: np.asarray(others @ vectors[:, kept] / roots)


def _kept(rows: int, inner_folds: int) -> list[int]:
    """How many components to try: no more than the training rows of an inner fold, of two at least, have."""
    most = max(1, rows // 2 - 1 if rows < 2 * inner_folds else rows - -(-rows // inner_folds) - 2)
    return sorted({min(count, most) for count in _KEPT})
