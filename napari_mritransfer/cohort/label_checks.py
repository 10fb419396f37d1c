"""What a column of labels means, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from napari_mritransfer.cohort.cells import class_of, number_of
from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.problem import Problem, Severity, some
from napari_mritransfer.cohort.table import CohortScan

Labels = Mapping[CohortScan, float | str]

_FEW_VALUES = 5  # numbers that take no more values than this are names of classes
_MANY_CLASSES = 10
_GAP = 0.2  # of the range
# words for those who have nothing: they come first, so that a binary prediction speaks for the others
_NOTHING = ("healthy", "control", "controls", "healthy control", "hc", "cn", "nc", "normal", "negative", "no", "false")


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """A column of labels, understood.

    Attributes
    ----------
    task
        What kind of label it is.
    classes
        In the order of a network's outputs; none of numbers.
    labels
        A number or the name of a class of every scan that has one.
    problems
        Why the others have none.
    """

    task: Task
    classes: tuple[str, ...]
    labels: Labels
    problems: tuple[Problem, ...]

    def restricted_to(self, scans: Sequence[CohortScan], *, keeps_classes: bool) -> "LabelColumn":
        """The same for some of the scans, with the classes that are left unless all are to be kept."""
        labels = {scan: self.labels[scan] for scan in scans}
        if keeps_classes or self.task == "regression":
            return replace(self, labels=labels)
        left = frozenset(labels.values())
        classes = tuple(name for name in self.classes if name in left)
        return replace(self, labels=labels, classes=classes, task=_task_of_classes(len(classes)))


def read_labels(
    scans: Sequence[CohortScan], column: str, *, task: Task | None = None, classes: Sequence[str] | None = None
) -> LabelColumn:
    """Tell what a column means, and take the label of every scan that has one.

    Without a `task`, numbers with more than five different values are numbers, and anything else is a class.

    Parameters
    ----------
    scans
        Of the table.
    column
        As the table spells it.
    task
        Where the person knows better.
    classes
        Those of a trained network, in its order; other labels are then unknown.
    """
    texts = {scan: scan.values[column] for scan in scans}
    present = [text for text in texts.values() if text]
    if task is None:
        task = _task_of(present) if classes is None else _task_of_classes(len(classes))
    if task == "regression":
        return _numbers(texts, column)
    found = dict.fromkeys(class_of(text) for text in present)
    known = tuple(classes) if classes is not None else tuple(sorted(found, key=_class_order))
    labels: dict[CohortScan, float | str] = {}
    problems = []
    for scan, text in texts.items():
        if not text:
            problems.append(_missing(scan, column))
        elif class_of(text) in known:
            labels[scan] = class_of(text)
        else:
            sentence = f"'{text[:40]}' in column '{column}' is no class of the network ({some(known)}); correct it."
            problems.append(Problem.leaving_out(scan, "unknown class", sentence))
    return LabelColumn(_task_of_classes(len(known)), known, labels, tuple(problems))


def check_labels(column: str, usable: LabelColumn, *, asked: Task | None = None) -> tuple[Problem, ...]:
    """Why a network could not learn the labels of the usable scans, and what it would not learn well.

    Parameters
    ----------
    column
        Its name.
    usable
        The usable scans' labels.
    asked
        The task that a person asked for.
    """
    labels = usable.labels
    if not labels:
        return ()
    if usable.task == "regression":
        return tuple(_of_numbers(column, [float(value) for value in labels.values()]))
    return (*_too_few_to_learn(column, labels, asked), *_remarks_on_classes(column, labels))


def _task_of(present: Sequence[str]) -> Task:
    numbers = [number for text in present if (number := number_of(text)) is not None]
    if len(set(numbers)) > _FEW_VALUES and 2 * len(numbers) > len(present):
        return "regression"
    return _task_of_classes(len({class_of(text) for text in present}))


def _task_of_classes(count: int) -> Task:
    return "classes" if count > 2 else "binary"


def _class_order(name: str) -> tuple[bool, bool, float, str]:
    number = number_of(name)
    return name.lower() not in _NOTHING, number is None, number or 0.0, name.lower()


def _numbers(texts: Mapping[CohortScan, str], column: str) -> LabelColumn:
    labels: dict[CohortScan, float | str] = {}
    problems = []
    for scan, text in texts.items():
        number = number_of(text)
        if number is not None:
            labels[scan] = number
        elif not text:
            problems.append(_missing(scan, column))
        else:
            sentence = f"'{text[:40]}' in column '{column}' is no number; write it like 63.5, or leave it empty."
            problems.append(Problem.leaving_out(scan, "label is no number", sentence))
    return LabelColumn("regression", (), labels, tuple(problems))


def _missing(scan: CohortScan, column: str) -> Problem:
    sentence = f"{scan.name} has nothing in column '{column}'; fill it in to use the scan."
    return Problem.leaving_out(scan, "label missing", sentence)


def _of_numbers(column: str, numbers: Sequence[float]) -> Iterator[Problem]:
    values = sorted(set(numbers))
    if len(values) == 1:
        sentence = f"Everybody has {values[0]:g} in column '{column}', so there is nothing to learn; choose another."
        yield Problem("constant label", Severity.STOPS, sentence)
    gaps = [(low, high) for low, high in pairwise(values) if high - low > _GAP * (values[-1] - values[0])]
    if gaps:
        between = some(f"{low:g} and {high:g}" for low, high in gaps)
        sentence = f"Nobody's '{column}' is between {between}: predictions there are guesses."
        yield Problem("label gap", Severity.REMARK, sentence)


def _too_few_to_learn(column: str, labels: Labels, asked: Task | None) -> Iterator[Problem]:
    members: dict[str, set[str]] = {}
    for scan, label in labels.items():
        members.setdefault(str(label), set()).add(scan.subject)
    names = sorted(members, key=_class_order)
    small = [f"'{name}'" for name in names if len(members[name]) == 1]
    everybody = {scan.subject for scan in labels}
    if len(names) == 1:
        kind = "one class"
        sentence = f"Everybody is '{names[0]}' in column '{column}', so there is nothing to learn; choose another."
    elif asked == "binary" and len(names) > 2:
        kind = "too many classes"
        sentence = f"Column '{column}' has {len(names)} classes ({some(names)}), not two; choose the task 'classes'."
    elif len(names) > _MANY_CLASSES and 3 * len(names) > len(everybody):
        kind = "free text"
        sentence = (
            f"Column '{column}' holds {len(names)} different texts for {len(everybody)} subjects ({some(names, 3)}), "
            "which are no classes; choose another column."
        )
    elif small:
        kind = "class too small"
        sentence = (
            f"Only one subject is {some(small)} in column '{column}', and nobody can be learned from and tested at "
            "once; join classes or add scans"
            + (", or choose the task 'regression' if these are numbers." if None not in map(number_of, names) else ".")
        )
    else:
        return
    yield Problem(kind, Severity.STOPS, sentence)


def _remarks_on_classes(column: str, labels: Labels) -> Iterator[Problem]:
    alike: dict[str, set[str]] = {}
    of_subject: dict[str, set[str]] = {}
    for scan, label in labels.items():
        alike.setdefault(str(label).lower(), set()).add(str(label))
        of_subject.setdefault(scan.subject, set()).add(str(label))
    for spellings in alike.values():
        if len(spellings) > 1:
            both = " and ".join(f"'{name}'" for name in sorted(spellings))
            sentence = f"{both} count as different classes of '{column}'; spell them alike if they are the same."
            yield Problem("classes alike", Severity.REMARK, sentence)
    changed = [subject for subject, own in of_subject.items() if len(own) > 1]
    if changed:
        sentence = f"The '{column}' of {some(changed)} changes from scan to scan."
        yield Problem("class changes", Severity.REMARK, sentence)
