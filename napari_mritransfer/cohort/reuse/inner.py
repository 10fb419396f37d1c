"""The inner cross-validation: training subjects among themselves, to choose what a simple model cannot learn."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Array = NDArray[np.float64]
Inner = list[tuple[NDArray[np.intp], NDArray[np.intp]]]
"""Folds of the training rows: indices to learn from and to judge on."""

Grid = Mapping[str, Sequence[Any]]
"""Values to try of each setting, named as in a pipeline; those of its last step begin with ``model__``."""

_STRATA = 5  # of a number, at most
_LEAST_CHANCE = 1e-15  # whoever gave the true class none is not infinitely wrong


def inner_split(y: Array, groups: NDArray[np.str_], most: int, seed: int, *, is_number: bool) -> Inner:
    """Folds of whole groups, stratified by class or by fifths of a number; empty if there are not two.

    Of classes, folds that lack one on either side are left out.

    Parameters
    ----------
    y
        ``(n,)`` numbers, or indices of classes.
    groups
        ``(n,)``.
    most
        Folds; fewer where there are fewer groups, or where a class has fewer.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names, members = np.unique(groups, return_inverse=True)
    count = min(most, len(names))
    if is_number:
        strata = np.argsort(np.argsort(y, kind="stable")) * max(1, min(_STRATA, len(names) // most)) // len(y)
    else:
        strata = y.astype(np.intp)
        count = min(count, *(len(np.unique(members[y == own])) for own in np.unique(y)))
    if count < 2:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on strata smaller than the folds
        split = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(np.zeros(len(y)), strata, members)
        folds = [(learn, judge) for learn, judge in split if len(learn) and len(judge)]
    if not is_number:
        everything = set(np.unique(y))
        folds = [fold for fold in folds if all(set(np.unique(y[side])) == everything for side in fold)]
    return folds if len(folds) > 1 else []


def best_of(pipeline: "Pipeline", grid: Grid, x: Array, y: Array, folds: Inner, *, is_number: bool) -> dict[str, Any]:
    """The settings that do best on average over all rows: by absolute error, or by log loss.

    It finds what `sklearn.model_selection.GridSearchCV` finds, several times as fast: steps before the model are
    fitted once for all settings of the model. Every step is fitted anew in every fold, to the rows that are learned
    from there; so is the scale of a number.

    Parameters
    ----------
    pipeline
        Its last step is called ``model``.
    x
        ``(n, inputs)``.
    y
        ``(n,)``.
    folds
        See `inner_split`.
    """
    from sklearn.base import clone
    from sklearn.model_selection import ParameterGrid

    fronts = list(ParameterGrid({name: values for name, values in grid.items() if not name.startswith("model__")}))
    models = list(ParameterGrid({name: values for name, values in grid.items() if name.startswith("model__")}))
    loss = _numbers_loss if is_number else _classes_loss
    losses = np.zeros((len(fronts), len(models)))
    for learn, judge in folds:
        centre, scale = (y[learn].mean(), y[learn].std() or 1.0) if is_number else (0.0, 1.0)
        target = (y[learn] - centre) / scale if is_number else y[learn]
        for row, of_front in enumerate(fronts):
            front = clone(pipeline[:-1]).set_params(**of_front)
            seen, unseen = front.fit_transform(x[learn], target), front.transform(x[judge])
            for column, of_model in enumerate(models):
                model = clone(pipeline).set_params(**of_model)[-1].fit(seen, target)
                losses[row, column] += loss(model, unseen, (y[judge] - centre) / scale) * scale
    best, best_model = np.unravel_index(losses.argmin(), losses.shape)
    return {**fronts[best], **models[best_model]}


def _numbers_loss(model: Any, x: Array, y: Array) -> float:
    return float(np.abs(model.predict(x) - y).sum())


def _classes_loss(model: Any, x: Array, y: Array) -> float:
    chances = model.predict_proba(x)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -float(np.log(np.maximum(chances, _LEAST_CHANCE)).sum())
