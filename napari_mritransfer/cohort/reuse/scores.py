"""How good each method is, before and after anything is corrected, with intervals over subjects. No torch here."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.calibration import line_through
from napari_mritransfer.cohort.reuse.fit_result import Tested
from napari_mritransfer.cohort.statistics import classification_summary, regression_summary

Scores = Mapping[str, Any]
"""Of numbers: ``mae``, ``bias``, ``r2`` with an ``…_interval`` each (None of a single group); ``correlation``;
``calibration_slope`` and ``calibration_intercept`` of the line through true over predicted numbers (1 and 0 if these
mean what they say); ``error_slope``, how the error grows with the true number; ``corrected``, the same of corrected
numbers, or None. Of classes: ``accuracy``, and ``balanced_accuracy``, ``auc``, ``log_loss`` with intervals. Of both:
``n`` predictions, ``n_groups`` and ``note``."""


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
        summary = classification_summary(names, found.values, label.classes, found.groups, seed=seed, n_boot=n_boot)
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


def _of_numbers(found: Tested, values: Any, label: Label, seed: int, n_boot: int) -> dict[str, Any]:
    summary = regression_summary(found.true, values, found.groups, seed=seed, n_boot=n_boot, unit=label.unit)
    record = summary.as_record()
    wanted = ("n", "n_groups", "mae", "mae_interval", "bias", "bias_interval", "r2", "r2_interval", "note")
    calibration = line_through(values, found.true)
    spreads = float(np.std(values)) * float(np.std(found.true))
    correlation = None if spreads < 1e-12 else float(np.corrcoef(values, found.true)[0, 1])
    return {
        **{name: record[name] for name in wanted},
        "correlation": correlation,
        "calibration_slope": calibration.slope,
        "calibration_intercept": calibration.intercept,
        "error_slope": line_through(found.true, values - found.true).slope,
    }
