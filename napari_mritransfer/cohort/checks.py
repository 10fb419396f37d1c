"""Everything about a cohort that a person should hear before training, found at once; nobody is dropped unnamed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_mritransfer.cohort.image_checks import check_images
from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.label_checks import Labels, check_labels, read_labels
from napari_mritransfer.cohort.placement import Placement
from napari_mritransfer.cohort.problem import Problem, Severity, as_rows, in_reading_order, some
from napari_mritransfer.cohort.table import Cohort, CohortScan
from napari_mritransfer.cohort.together import joined
from napari_mritransfer.io.errors import BadInput

__all__ = ["CheckedCohort", "Problem", "Severity", "as_rows", "check_cohort", "refuse"]


@dataclass(frozen=True, slots=True)
class CheckedCohort:
    """A cohort with one label, and what can be used of it.

    Attributes
    ----------
    cohort
        As it was read.
    label
        The column to predict, as the table spells it.
    task
        What kind of label it is.
    classes
        In the order of a network's outputs; none of numbers.
    scans
        Those that can be used, in the table's order; of a re-use by name.
    labels
        A number or the name of a class of each of them.
    group
        Column whose groups must stay together; empty for the subjects themselves.
    groups
        Of each usable scan: what it has in that column, or its subject.
    problems
        In reading order.
    """

    cohort: Cohort
    label: str
    task: Task
    classes: tuple[str, ...]
    scans: tuple[CohortScan, ...]
    labels: Labels
    group: str
    groups: Mapping[CohortScan, str]
    problems: tuple[Problem, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody with a usable scan, in the table's order."""
        return tuple(dict.fromkeys(scan.subject for scan in self.scans))

    @property
    def may_train(self) -> bool:
        """Whether nothing stops."""
        return all(problem.severity is not Severity.STOPS for problem in self.problems)

    def scans_of(self, subjects: Sequence[str]) -> tuple[CohortScan, ...]:
        """The usable scans of some subjects, in the table's order."""
        wanted = frozenset(subjects)
        return tuple(scan for scan in self.scans if scan.subject in wanted)

    def describe_labels(self) -> str:
        """One sentence on what the usable scans are labelled with."""
        if not self.labels:
            return f"No usable scan has a '{self.label}'."
        if self.task != "regression":
            counts = Counter(str(label) for label in self.labels.values())
            return f"{self.label}: {', '.join(f'{counts[name]} {name}' for name in self.classes)}."
        values = np.array([float(value) for value in self.labels.values()])
        return f"{self.label}: {values.min():g} to {values.max():g}, mean {values.mean():.1f}, sd {values.std():.1f}."


def check_cohort(
    cohort: Cohort,
    label: str,
    *,
    task: Task | None = None,
    group: str | None = None,
    classes: Sequence[str] | None = None,
    trains: bool = True,
    folds: int = 0,
    placement: Placement = "world",
    open_files: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> CheckedCohort:
    """Find everything that is wrong with a cohort before anything is trained.

    Parameters
    ----------
    cohort
        As `read_cohort` returns it.
    label
        Column to predict.
    task
        What kind of label it is; None to tell from the values, see `read_labels`.
    group
        Column whose groups, such as families, sites or heads, must never straddle a split.
    classes
        Those of a trained network, in its order, where there is one.
    trains
        Whether a network is to learn the labels; to try one out, any labels do.
    folds
        Of a cross-validation that is planned.
    placement
        How the scans will be placed on the common grid.
    open_files, on_progress
        See `check_images`.

    Raises
    ------
    BadInput
        If there is no such column; whatever else is wrong is among the problems.
    """
    column = cohort.column(label)
    problems = [Problem("table", Severity.REMARK, note) for note in cohort.notes]
    understood = read_labels(cohort.scans, column, task=task, classes=classes)
    problems += understood.problems
    problems += check_images(cohort.scans, placement, open_files=open_files, on_progress=on_progress)
    group_column, groups = _groups(cohort, group, problems)
    problems += _twice(_without(cohort.scans, problems))
    scans = _without(cohort.scans, problems)
    understood = understood.restricted_to(scans, keeps_classes=classes is not None)
    if not scans:
        problems.append(_nobody(cohort, problems))
    problems += check_labels(column, understood, asked=task) if trains else ()
    problems += _of_groups(scans, groups, group_column, folds)
    used = {scan: groups[scan] for scan in scans}
    return CheckedCohort(
        cohort, column, understood.task, understood.classes, scans, understood.labels, group_column, used,
        in_reading_order(problems),
    )  # fmt: skip


def refuse(checked: CheckedCohort) -> None:
    """Raise what stops a cohort from being trained on.

    Raises
    ------
    BadInput
        With the first sentence; it says how many others there are.
    """
    stopping = [problem.sentence for problem in checked.problems if problem.severity is Severity.STOPS]
    if stopping:
        more = f" ({len(stopping) - 1} more: see `mritransfer cohort check`.)" if len(stopping) > 1 else ""
        raise BadInput(stopping[0] + more)


def _without(scans: Sequence[CohortScan], problems: Sequence[Problem]) -> tuple[CohortScan, ...]:
    """The scans that no problem leaves out."""
    # by BIDS, all sessions of a subject share a line of the table
    out = {(one.line, one.session) for one in problems if one.severity is Severity.LEAVES_OUT}
    return tuple(scan for scan in scans if (scan.line, scan.session) not in out)


def _nobody(cohort: Cohort, problems: Sequence[Problem]) -> Problem:
    """That no scan is left, with the most frequent reason."""
    out = [one for one in problems if one.severity is Severity.LEAVES_OUT]
    most = Counter(one.kind for one in out).most_common(1)[0][0]
    example = next(one.sentence for one in out if one.kind == most)
    sentence = f"No scan of {cohort.source.name} can be used, for example: {example}"
    return Problem("no usable scan", Severity.STOPS, sentence)


def _twice(scans: Sequence[CohortScan]) -> Iterator[Problem]:
    """Lines of the same subject and session, but for the first."""
    first: dict[tuple[str, str], CohortScan] = {}
    for scan in scans:
        earlier = first.setdefault((scan.subject, scan.session), scan)
        if earlier is not scan:
            yield Problem.leaving_out(
                scan, "same subject twice",
                f"{scan.name} stands in line {earlier.line} already, which is used; name the sessions in a column "
                "'session_id' if both are meant.",
            )  # fmt: skip


def _groups(cohort: Cohort, group: str | None, problems: list[Problem]) -> tuple[str, dict[CohortScan, str]]:
    """The column and what every scan has there; the subjects themselves where no column is asked for."""
    subjects = {scan: scan.subject for scan in cohort.scans}
    if not group:
        return "", subjects
    try:
        column = cohort.column(group)
    except BadInput as error:
        problems.append(Problem("group column missing", Severity.STOPS, str(error)))
        return "", subjects
    for scan in cohort.scans:
        if not scan.values[column]:
            sentence = f"{scan.name} has nothing in column '{column}', which says whom it must stay with; fill it in."
            problems.append(Problem.leaving_out(scan, "group missing", sentence))
    return column, {scan: scan.values[column] for scan in cohort.scans}


def _of_groups(
    scans: Sequence[CohortScan], groups: Mapping[CohortScan, str], column: str, folds: int
) -> Iterator[Problem]:
    per_subject = Counter(scan.subject for scan in scans)
    several = [f"{subject}: {count}" for subject, count in per_subject.items() if count > 1]
    if several:
        sentence = f"Several scans of one subject ({some(several)}) stay on one side of every split."
        yield Problem("several sessions", Severity.REMARK, sentence)
    of_subject: dict[str, set[str]] = {}
    for scan in scans:
        of_subject.setdefault(scan.subject, set()).add(groups[scan])
    spread = [subject for subject, own in of_subject.items() if len(own) > 1]
    if spread:
        sentence = f"Groups of '{column}' that share a subject ({some(spread)}) stay together, as if they were one."
        yield Problem("groups share a subject", Severity.REMARK, sentence)
    count = len(joined(scans, groups))
    if scans and folds > count:
        what = f"groups of '{column}'" if column else "subjects"
        sentence = f"{folds} folds need as many {what}, but there are {count}; choose fewer folds."
        yield Problem("too few for the folds", Severity.STOPS, sentence)
