"""Results of a re-use in words: the table that people read, and the sentence above it. No torch here."""

import numpy as np

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.record import MethodResult, ReuseRecord
from napari_mritransfer.cohort.reuse.scores import Scores, main_metric

COLUMNS_OF_NUMBERS = ("MAE", "R²", "Bias", "Calibration slope", "MAE, corrected by the true value")
COLUMNS_OF_CLASSES = ("Balanced accuracy", "AUC", "Log loss", "Accuracy")


def heading(label: Label) -> tuple[str, ...]:
    """Of the table that people read."""
    unit = f" ({label.unit})" if label.unit else ""
    own = COLUMNS_OF_CLASSES if label.task != "regression" else tuple(
        f"{name}{unit}" if name.startswith(("MAE", "Bias")) else name for name in COLUMNS_OF_NUMBERS
    )  # fmt: skip
    return ("Method", "Learned from", *own, "p", "Seconds")


def decimals(record: ReuseRecord) -> int:
    """Of figures in the label's unit: two, unless the error that is made without any image is small or large."""
    base = next((one for one in record.of_size() if one.method == "baseline"), None)
    error = base.scores.get("mae") if base is not None else None
    if not error or 1 <= error < 100:
        return 2
    return int(np.clip(2 - np.floor(np.log10(error)), 0, 8))


def cells(result: MethodResult, record: ReuseRecord) -> tuple[str, ...]:
    """One row of that table; intervals of 95 % in brackets, over subjects."""
    scores, digits = result.scores, decimals(record)
    own: tuple[str, ...]
    if record.label.task == "regression":
        after = scores.get("corrected")
        own = (
            _with_interval(scores, "mae", digits), _with_interval(scores, "r2"),
            _with_interval(scores, "bias", digits, "+"),
            f"{scores['calibration_slope']:.2f}" if scores["correlation"] is not None else "–",
            "–" if after is None else f"{after['mae']:.{digits}f}",
        )  # fmt: skip
    else:
        own = (
            _with_interval(scores, "balanced_accuracy"), _with_interval(scores, "auc"),
            _with_interval(scores, "log_loss"), f"{scores['accuracy']:.2f}",
        )  # fmt: skip
    p = "–" if result.p is None else f"{result.p:.3f}"
    return (result.label, f"{result.learned_from:.0f} scans", *own, p, f"{result.seconds:.1f}")


def brief_heading(label: Label) -> tuple[str, ...]:
    """Of a table for a terminal."""
    if label.task == "regression":
        return (f"MAE{f', {label.unit}' if label.unit else ''}", "R²", "corrected MAE", "p")
    return ("balanced accuracy", "AUC", "p")


def brief_cells(result: MethodResult, record: ReuseRecord) -> tuple[str, ...]:
    """One row of that table."""
    scores, digits = result.scores, decimals(record)
    p = "–" if result.p is None else f"{result.p:.3f}"
    name, second = ("mae", "r2") if record.label.task == "regression" else ("balanced_accuracy", "auc")
    own = (_with_interval(scores, name, digits), "–" if scores[second] is None else f"{scores[second]:.2f}")
    if record.label.task != "regression":
        return (*own, p)
    after = scores.get("corrected")
    return (*own, "–" if after is None else f"{after['mae']:.{digits}f}", p)


def best_of(record: ReuseRecord) -> MethodResult | None:
    """The result with the best main score with all training subjects, the baseline aside."""
    name, _, higher = main_metric(record.label)
    found = [one for one in record.of_size() if one.method != "baseline"]
    return (max if higher else min)(found, key=lambda one: one.scores[name], default=None)


def sentence(record: ReuseRecord) -> str:
    """The result in plain words, with what chance and the mean give beside it."""
    best, (name, title, higher) = best_of(record), main_metric(record.label)
    base = next(one for one in record.of_size() if one.method == "baseline")
    if best is None:
        return "No method could run."
    unit = f" {record.label.unit}" if name == "mae" and record.label.unit else ""
    own, trivial, digits = best.scores[name], base.scores[name], decimals(record)
    words = f"{title} {own:.{digits}f}{unit}; without any image {trivial:.{digits}f}{unit}"
    if own <= trivial if higher else own >= trivial:
        return f"No method did better than without any image. The best of them: {best.label}, {words}."
    against = next((one for one in record.comparisons if {one.first, one.second} == {best.method, "baseline"}), None)
    if against is not None and against.interval is not None and against.interval[0] <= 0 <= against.interval[1]:
        return f"Lowest error: {best.label}, {words}. The difference may be chance.".replace(
            "Lowest error", "Lowest error" if name == "mae" else "Highest score"
        )
    return f"{'Lowest error' if name == 'mae' else 'Highest score'}: {best.label}, {words}."


def _with_interval(scores: Scores, name: str, digits: int = 2, sign: str = "") -> str:
    value, interval = scores[name], scores[f"{name}_interval"]
    if value is None or not np.isfinite(value):
        return "–"
    how = f"{sign}.{digits}f"
    return f"{value:{how}}" if interval is None else f"{value:{how}} ({interval[0]:{how}} to {interval[1]:{how}})"
