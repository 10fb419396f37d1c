"""How far predictions for people who were not learned from can be believed, with intervals over whole groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.bootstrap import members_of, sums_by_group, with_intervals
from napari_mritransfer.cohort.ranking import Ranking, auc_within
from napari_mritransfer.cohort.summary import ClassificationSummary, RegressionSummary, Summary
from napari_mritransfer.io.errors import BadInput

__all__ = ["ClassificationSummary", "RegressionSummary", "Summary", "classification_summary", "regression_summary"]

Numbers = NDArray[np.floating[Any]] | Sequence[float]

_SURE = float(np.finfo(np.float64).eps)  # probabilities closer to 0 than that count as this, as scikit-learn does


def regression_summary(
    true: Numbers,
    predicted: Numbers,
    groups: Sequence[str],
    *,
    seed: int,
    n_boot: int = 2000,
    training_mean: float | None = None,
    unit: str = "",
) -> RegressionSummary:
    """Errors of predicted numbers, with 95 % intervals from a bootstrap over whole groups.

    Parameters
    ----------
    true, predicted
        ``(scan,)`` in the label's unit.
    groups
        ``(scan,)``: scans of one group (a subject, or better the head, family or site) are drawn together, because
        they err together.
    seed
        Of the bootstrap.
    n_boot
        Draws.
    training_mean
        Mean label of the scans that were learned from.
    unit
        Of the label.

    Raises
    ------
    BadInput
        If nobody was tested.
    ValueError
        If the lengths differ or a number is not finite.
    """
    truth, guess = _checked(true, predicted, groups)
    members, n_groups = members_of(groups)
    errors = guess - truth
    deviation = truth - truth.mean()
    sums = sums_by_group(
        members, n_groups, np.ones_like(truth), np.abs(errors), errors, errors**2, deviation, deviation**2
    )

    def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
        count, absolute, signed, squared, first, second = (draws @ sums).T
        spread = second - first**2 / count
        # what rounding leaves of labels that are all alike is no spread
        r2 = np.where(spread > 1e-12 * max(sums[:, 5].sum(), 1e-300), 1 - squared / np.maximum(spread, 1e-300), np.nan)
        return np.stack([absolute / count, signed / count, r2], axis=1)

    (mae, bias, r2), intervals, note = with_intervals(figures, n_groups, seed, n_boot)
    return RegressionSummary(
        len(truth), n_groups, mae, intervals[0], bias, intervals[1], _or_none(r2), intervals[2],
        None if training_mean is None else float(np.abs(truth - training_mean).mean()), unit, note,
    )  # fmt: skip


def classification_summary(
    true: Sequence[str],
    probabilities: NDArray[np.floating[Any]],
    classes: Sequence[str],
    groups: Sequence[str],
    *,
    seed: int,
    n_boot: int = 2000,
    training_shares: Sequence[float] | None = None,
    models: NDArray[np.intp] | None = None,
) -> ClassificationSummary:
    """Accuracies of predicted classes, with 95 % intervals from a bootstrap over whole groups.

    Parameters
    ----------
    true
        ``(scan,)`` names of classes.
    probabilities
        ``(scan, class)``, each row summing to 1.
    classes
        Names in the order of the probabilities.
    groups
        ``(scan,)``, see `regression_summary`.
    seed
        Of the bootstrap.
    n_boot
        Draws.
    training_shares
        Share of each class among the scans that were learned from.
    models
        ``(scan,)`` which of several models predicted it, such as those of the folds of a cross-validation. The AUC then
        is of pairs of scans that one and the same model tells apart: of two models, the one that learned from fewer
        scans of a class says lower chances of it to everybody, and is the one that tests more scans of that class.

    Raises
    ------
    BadInput
        If nobody was tested, or has a class that is not among `classes`.
    ValueError
        If the lengths differ or a number is not finite.
    """
    strangers = sorted(set(true) - set(classes))
    if strangers:
        raise BadInput(f"'{strangers[0]}' is none of the classes {', '.join(classes)}; leave such scans out.")
    index = np.array([list(classes).index(name) for name in true], dtype=np.intp)
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.shape != (len(index), len(classes)):
        raise ValueError(f"The probabilities are {chances.shape}, not those of {len(index)} scans.")
    _checked(index.astype(np.float64), chances.sum(axis=1), groups)
    members, n_groups = members_of(groups)
    is_of = np.eye(len(classes))[index]
    is_right = chances.argmax(axis=1) == index
    losses = -np.log(np.clip(chances[np.arange(len(index)), index], _SURE, 1))
    sums = sums_by_group(members, n_groups, np.ones(len(index)), losses, *is_of.T, *(is_of * is_right[:, None]).T)
    parts = [np.full(len(index), True)] if models is None else [models == one for one in np.unique(models)]
    ranked = [
        [Ranking(chances[part, k], is_of[part, k], members[part]) for part in parts]
        for k in (range(len(classes)) if len(classes) > 2 else [1])
    ]

    def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = draws @ sums
        own, right = totals[:, 2 : 2 + len(classes)], totals[:, 2 + len(classes) :]
        auc = _mean_defined([auc_within(own, draws) for own in ranked])
        return np.stack([_mean_over(right, own), auc, totals[:, 1] / totals[:, 0]], axis=1)

    (balanced, auc, loss), intervals, note = with_intervals(figures, n_groups, seed, n_boot)
    absent = [name for name in classes if name not in set(true)]
    if absent:
        note = f"Nobody tested is '{', '.join(absent)}'. {note}".strip()
    majority = ""
    baseline: list[float | None] = [None, None, None]
    if training_shares is not None:
        shares = np.asarray(training_shares, dtype=np.float64) / np.sum(training_shares)
        most = int(shares.argmax())
        majority = classes[most]
        named = float((index == most).mean())
        tested = len(set(true))
        prior_loss = float(-np.log(np.clip(shares[index], _SURE, 1)).mean())
        baseline = [named, float(named > 0) / tested, prior_loss]
    return ClassificationSummary(
        len(index), n_groups, tuple(classes), float(is_right.mean()), balanced, intervals[0], _or_none(auc),
        intervals[1], loss, intervals[2], majority, baseline[0], baseline[1], baseline[2], note,
    )  # fmt: skip


def _checked(
    true: Numbers, predicted: Numbers, groups: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    truth, guess = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.ndim != 1 or not truth.shape == guess.shape == (len(groups),):
        raise ValueError(f"There are {truth.shape} labels, {guess.shape} predictions and {len(groups)} groups.")
    if len(truth) == 0:
        raise BadInput("Nobody was tested; choose a table or a split that has somebody to test.")
    if not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        raise ValueError("Labels and predictions must be finite numbers.")
    return truth, guess


def _mean_over(right: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(draw,)`` mean over the classes that were drawn of the share that is right."""
    shares = np.where(own > 0, right / np.maximum(own, 1), 0)
    return np.asarray(shares.sum(axis=1) / (own > 0).sum(axis=1))


def _mean_defined(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """``(draw,)`` mean over what is defined; NaN where nothing is."""
    stacked = np.stack(values)
    defined = np.isfinite(stacked)
    count = defined.sum(axis=0)
    return np.where(count > 0, np.where(defined, stacked, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
