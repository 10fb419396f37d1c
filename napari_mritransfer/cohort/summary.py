"""What is said of predictions for people who were not learned from."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from napari_mritransfer.cohort.bootstrap import Interval


@dataclass(frozen=True, slots=True)
class RegressionSummary:
    """How well a number was predicted.

    Attributes
    ----------
    n, n_groups
        Scans, and independent groups of them (subjects, or what a column says).
    mae, bias
        Mean absolute error, and mean of predicted − true, in the label's unit.
    r2
        1 − squared error ÷ squared deviation from the mean of the tested; None where all tested are alike.
    mae_interval, bias_interval, r2_interval
        None of a single group.
    baseline_mae
        Error of predicting the mean of the training scans for everybody; None where it was not given.
    unit
        Of the label; may be empty.
    note
        What a reader has to know of the intervals; may be empty.
    """

    n: int
    n_groups: int
    mae: float
    mae_interval: Interval | None
    bias: float
    bias_interval: Interval | None
    r2: float | None
    r2_interval: Interval | None
    baseline_mae: float | None
    unit: str
    note: str

    def sentence(self) -> str:
        """The result in plain words."""
        unit = f" {self.unit}".rstrip()
        text = f"MAE {self.mae:.2f}{unit}{_between(self.mae_interval, self.n_groups)}"
        if self.baseline_mae is not None:
            text += f"; the training mean for everybody: {self.baseline_mae:.2f}{unit}"
        return f"{text}. {self.note}".strip()

    def as_record(self) -> dict[str, Any]:
        """All fields as JSON takes them."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class ClassificationSummary:
    """How well a class was predicted.

    Attributes
    ----------
    n, n_groups
        Scans, and independent groups of them.
    classes
        In the order of the probabilities.
    accuracy
        Share of scans whose most probable class is theirs.
    balanced_accuracy
        The same, averaged over the classes that were tested.
    auc
        Area under the receiver operating characteristic, of more than two classes the mean of each against the rest;
        None where only one was tested.
    log_loss
        Mean −log of the probability given to the true class.
    balanced_accuracy_interval, auc_interval, log_loss_interval
        None of a single group.
    majority
        The most frequent class of the training scans; empty where their shares were not given.
    baseline_accuracy, baseline_balanced_accuracy, baseline_log_loss
        Of naming that class for everybody (the last: of giving everybody the training shares); None likewise.
    note
        What a reader has to know of the intervals; may be empty.
    """

    n: int
    n_groups: int
    classes: tuple[str, ...]
    accuracy: float
    balanced_accuracy: float
    balanced_accuracy_interval: Interval | None
    auc: float | None
    auc_interval: Interval | None
    log_loss: float
    log_loss_interval: Interval | None
    majority: str
    baseline_accuracy: float | None
    baseline_balanced_accuracy: float | None
    baseline_log_loss: float | None
    note: str

    def sentence(self) -> str:
        """The result in plain words."""
        between = _between(self.balanced_accuracy_interval, self.n_groups)
        text = f"Balanced accuracy {self.balanced_accuracy:.2f}{between}"
        if self.auc is not None:
            text += f", AUC {self.auc:.2f}"
        if self.baseline_balanced_accuracy is not None:
            text += f"; '{self.majority}' for everybody: {self.baseline_balanced_accuracy:.2f}"
        return f"{text}. {self.note}".strip()

    def as_record(self) -> dict[str, Any]:
        """All fields as JSON takes them."""
        return dataclasses.asdict(self)


Summary = RegressionSummary | ClassificationSummary
"""Of either kind."""


def _between(interval: Interval | None, n_groups: int) -> str:
    if interval is None:
        return ""
    return f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f} over {n_groups} groups)"
