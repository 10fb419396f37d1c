"""How good each method is, before and after anything is corrected, with intervals over subjects. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.calibration import line_through, line_within
from napari_mritransfer.cohort.reuse.fit_result import FitResult, Tested, tested
from napari_mritransfer.cohort.statistics import classification_summary, regression_summary

Scores = Mapping[str, Any]
"""Of numbers: ``mae``, ``bias``, ``r2`` with an ``…_interval`` each (None of a single group); ``correlation``;
``calibration_slope`` and ``calibration_intercept`` of the line through true over predicted numbers (1 and 0 if these
mean what they say); ``error_slope``, how the error grows with the true number; ``corrected``, the same of corrected
numbers, or None. Of classes: ``accuracy``, and ``balanced_accuracy``, ``auc``, ``log_loss`` with intervals. Of both:
``n`` predictions, ``n_groups`` and ``note``.

With several repeats, each figure is the mean of those of the repeats: every repeat tests everybody once. (The mean of
the AUC and the slopes is weighted, by pairs and by spread.) Slopes, correlation and AUC compare people whom one and the
same model predicted, and are None where no model says different things to the people whom it is tested on. Across folds
they would be below what is true: without the oldest, a model learns from younger ones, and predicts less for those very
people; pooled, the baseline's slope is 1 − folds, and its AUC below one half."""


def scores_of(found: Tested, label: Label, *, seed: int, n_boot: int = 2000) -> Scores:
    """Score what one method said; all repeats of a subject are drawn together in the bootstrap.

    Parameters
    ----------
    found
        Over all folds and repeats.
    label
        What was predicted.
    seed, n_boot
        Of the bootstrap.
    """
    if label.task != "regression":
        names = [label.classes[int(index)] for index in found.true]
        summary = classification_summary(
            names, found.values, label.classes, found.groups, seed=seed, n_boot=n_boot, models=found.models
        )
        wanted = (
            "n", "n_groups", "accuracy", "balanced_accuracy", "balanced_accuracy_interval", "auc", "auc_interval",
            "log_loss", "log_loss_interval", "note",
        )  # fmt: skip
        record = summary.as_record()
        return {name: record[name] for name in wanted}
    scores = _of_numbers(found, found.values, label, seed, n_boot)
    after = None if found.corrected is None else _of_numbers(found, found.corrected, label, seed, n_boot)
    return {**scores, "corrected": after}


def main_metric(label: Label) -> tuple[str, str, bool]:
    """The score that methods are compared by: its name in `Scores`, what people read, whether higher is better."""
    if label.task == "regression":
        return "mae", "MAE", False
    return "balanced_accuracy", "Balanced accuracy", True


def quick_score(true: NDArray[np.float64], results: Sequence[FitResult], label: Label) -> float:
    """The main score alone, without an interval.

    Parameters
    ----------
    true
        ``(row,)`` of everybody.
    results
        Of one method and one repeat.
    """
    found = tested(results, true, [str(row) for row in range(len(true))])[0]
    return float(scores_of(found, label, seed=0, n_boot=0)[main_metric(label)[0]])


def _of_numbers(found: Tested, values: Any, label: Label, seed: int, n_boot: int) -> dict[str, Any]:
    summary = regression_summary(found.true, values, found.groups, seed=seed, n_boot=n_boot, unit=label.unit)
    record = summary.as_record()
    wanted = ("n", "n_groups", "mae", "mae_interval", "bias", "bias_interval", "r2", "r2_interval", "note")
    calibration, correlation = line_within(values, found.true, found.models)
    return {
        **{name: record[name] for name in wanted},
        "correlation": correlation,
        "calibration_slope": None if calibration is None else calibration.slope,
        "calibration_intercept": None if calibration is None else calibration.intercept,
        "error_slope": line_through(found.true, values - found.true).slope,
    }
