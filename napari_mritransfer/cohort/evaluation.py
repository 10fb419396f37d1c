"""How good a trained network is on subjects it has not seen, and whether it looks where the truth lies."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_mritransfer.cohort.attention import mean_relative, share_on
from napari_mritransfer.cohort.checks import CheckedCohort, check_cohort, refuse
from napari_mritransfer.cohort.known_truth import known_slices
from napari_mritransfer.cohort.model import CohortModel
from napari_mritransfer.cohort.prediction import predict
from napari_mritransfer.cohort.preparation import prepare
from napari_mritransfer.cohort.splits import Side, Split
from napari_mritransfer.cohort.statistics import classification_summary, regression_summary
from napari_mritransfer.cohort.summary import RegressionSummary, Summary
from napari_mritransfer.cohort.table import CohortScan, read_cohort
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.network import ReconstructionStopped

_WHOSE: dict[Side | None, str] = {
    "test": "that were not learned from",
    "validation": "that chose its best step, so that the errors look too small",
    "train": "that it learned from, so that the errors look too small",
    None: "of the table",
}


@dataclass(frozen=True, slots=True)
class TestedScan:
    """One scan's prediction.

    Attributes
    ----------
    subject, session, group
        Whose it is, and what its errors may have in common with others'.
    true, predicted
        The label and its prediction as text.
    number
        `Label.number` of the prediction.
    chances
        Of the classes; empty for numbers.
    relative
        ``(slice,)`` relative weights.
    effective_slices
        See `attention.effective_slices`.
    share_on_truth, by_chance
        Of the weight, on the slices that the label is known to change, and what chance gives those; None where nobody
        knows, as in all real scans.
    """

    subject: str
    session: str
    group: str
    true: str
    predicted: str
    number: float
    chances: tuple[float, ...]
    relative: tuple[float, ...]
    effective_slices: float
    share_on_truth: float | None
    by_chance: float | None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A model on one side of a split.

    Attributes
    ----------
    model
        What the user named.
    label
        What was predicted.
    summary
        Numbers with intervals over groups.
    scans
        Every prediction.
    share_on_truth, by_chance
        Means over the scans where the truth is known; None otherwise.
    simulated
        Whether nobody was scanned.
    side
        Of the split; None where a whole table was predicted.
    left_out
        Scans of the table that could not be used.
    """

    model: str
    label: str
    summary: Summary
    scans: tuple[TestedScan, ...]
    share_on_truth: float | None
    by_chance: float | None
    simulated: bool
    side: Side | None = None
    left_out: int = 0

    @property
    def mean_relative(self) -> tuple[float, ...]:
        """``(slice,)`` relative weights, mean over the scans."""
        return tuple(float(w) for w in mean_relative([np.array(scan.relative) for scan in self.scans]))

    @property
    def sentences(self) -> list[str]:
        """The result for people."""
        told = [f"{self.label}, {len(self.scans)} scans {_WHOSE[self.side]}: {self.summary.sentence()}"]
        if self.left_out:
            told.append(f"{self.left_out} scan(s) of the table cannot be used; `mritransfer cohort check` names them.")
        if self.simulated:
            told.append("The scans are simulated: the numbers hold for this simulation and for nothing else.")
        if self.share_on_truth is not None and self.by_chance is not None:
            told.append(
                f"Of the weight, {self.share_on_truth:.0%} lies on the slices that '{self.label}' is known to change; "
                f"chance gives them {self.by_chance:.0%}."
            )
        return told

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self) | {"mean_relative": self.mean_relative}

    def write_csv(self, path: Path) -> None:
        """One row a scan."""
        text = io.StringIO()
        columns = ["subject", "session", "group", "true", "predicted", "number", "effective_slices", "share_on_truth"]
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for scan in self.scans:
            writer.writerow("" if getattr(scan, name) is None else getattr(scan, name) for name in columns)
        write_text(path, text.getvalue())


def evaluate_model(
    model: CohortModel,
    table: Path,
    *,
    label: str = "",
    split: Split | None = None,
    side: Side = "test",
    group: str = "",
    image_column: str = "",
    subject_column: str = "",
    seed: int = 0,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Evaluated:
    """Predict the label of every scan on one side of a split, and compare.

    Parameters
    ----------
    model
        Opened.
    table
        See `read_cohort`.
    label
        Column that holds the truth; that of the model's own name if empty.
    split, side
        Whom to predict; everybody without a split.
    group
        Column whose groups the intervals are drawn over; the split's own, or the subjects.
    seed
        Of the bootstrap.

    Raises
    ------
    BadInput
        If table, label and model do not fit, or nobody is on that side.
    ReconstructionStopped
        If `should_stop` said so.
    """
    cohort = read_cohort(table, image_column=image_column or None, subject_column=subject_column or None)
    group = group or (split.group if split is not None else "")
    checked = check_cohort(
        cohort, label or model.label.name, task=model.label.task, group=group or None, trains=False,
        classes=model.label.classes or None, placement=model.facts.preparation.placement,
    )  # fmt: skip
    refuse(checked)
    scans = checked.scans if split is None else split.scans(checked, side)
    if not scans:
        raise BadInput(f"Nobody in {cohort.source.name} is left to predict; choose another side of the split or table.")
    tested = []
    for done, scan in enumerate(scans, start=1):
        if should_stop():
            raise ReconstructionStopped
        tested.append(_tested(model, checked, scan, device, should_stop))
        on_progress(done, len(scans))
    learned = () if split is None else split.scans(checked, "train")
    return Evaluated(
        model.source, checked.label, _summary(model, checked, scans, tested, learned, seed), tuple(tested),
        *_mean_shares(tested), cohort.simulated, None if split is None else side,
        len(cohort.scans) - len(checked.scans),
    )  # fmt: skip


def pooled(parts: Sequence[Evaluated], *, seed: int = 0) -> Evaluated:
    """The folds of a cross-validation as one, everybody predicted by the network that has not seen them.

    Parameters
    ----------
    parts
        Of the same label, none of whose scans are in two of them.

    Raises
    ------
    BadInput
        If these are no folds of one cross-validation.
    """
    scans = [scan for part in parts for scan in part.scans]
    names = [f"{scan.subject} {scan.session}".strip() for scan in scans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or len({part.label for part in parts}) > 1:
        what = f"{twice[0]} is predicted by several of them" if twice else "they predict different labels"
        raise BadInput(f"These are no folds of one cross-validation: {what}; evaluate them one by one.")
    groups, first = [scan.group for scan in scans], parts[0].summary
    if isinstance(first, RegressionSummary):
        summary: Summary = regression_summary(
            [float(scan.true) for scan in scans], [scan.number for scan in scans], groups, unit=first.unit, seed=seed
        )
    else:
        chances = np.array([scan.chances for scan in scans])
        summary = classification_summary([scan.true for scan in scans], chances, first.classes, groups, seed=seed)
    return Evaluated(
        ", ".join(part.model for part in parts), parts[0].label, summary, tuple(scans), *_mean_shares(scans),
        any(part.simulated for part in parts), parts[0].side, max(part.left_out for part in parts),
    )  # fmt: skip


def _mean_shares(tested: Sequence[TestedScan]) -> tuple[float | None, float | None]:
    """Of the weight on slices that carry the truth, and what chance gives; None where nobody knows."""
    shares = [scan.share_on_truth for scan in tested if scan.share_on_truth is not None]
    chances = [scan.by_chance for scan in tested if scan.by_chance is not None]
    return (float(np.mean(shares)), float(np.mean(chances))) if shares else (None, None)


def _tested(
    model: CohortModel, checked: CheckedCohort, scan: CohortScan, device: str, should_stop: Callable[[], bool]
) -> TestedScan:
    assert scan.path is not None  # the checks left such scans out
    prepared = prepare(scan.path, model.facts.preparation)
    found = predict(model, prepared, draws=0, device=device, should_stop=should_stop)
    truth = known_slices(scan.path, checked.label, model.network.slicing, prepared.grid)
    share, chance = (None, None) if truth is None else share_on(found.weights, truth, found.present)
    chances = () if model.label.task == "regression" else tuple(float(c) for c in np.asarray(found.value))
    true = checked.labels[scan]
    return TestedScan(
        scan.subject, scan.session, checked.groups[scan], f"{true:g}" if isinstance(true, float) else str(true),
        found.text, found.number, chances, tuple(float(w) for w in found.relative), found.effective_slices, share,
        chance,
    )  # fmt: skip


def _summary(
    model: CohortModel, checked: CheckedCohort, scans: Sequence[CohortScan], tested: Sequence[TestedScan],
    learned: Sequence[CohortScan], seed: int,
) -> Summary:  # fmt: skip
    groups = [checked.groups[scan] for scan in scans]
    if model.label.task == "regression":
        true = [float(checked.labels[scan]) for scan in scans]
        return regression_summary(
            true, [scan.number for scan in tested], groups, training_mean=model.label.mean, unit=model.label.unit,
            seed=seed,
        )  # fmt: skip
    names = [str(checked.labels[scan]) for scan in scans]
    known = [checked.labels[scan] for scan in learned]
    return classification_summary(
        names, np.array([scan.chances for scan in tested]), model.label.classes, groups, seed=seed,
        training_shares=[known.count(name) for name in model.label.classes] if known else None,
    )  # fmt: skip
