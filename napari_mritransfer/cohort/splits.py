"""Who teaches, who judges and who is kept for the test: whole subjects, stratified, seeded and written down."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.allocation import allocate
from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.problem import some
from napari_mritransfer.cohort.table import CohortScan
from napari_mritransfer.cohort.together import joined
from napari_mritransfer.io import atomic
from napari_mritransfer.io.errors import BadInput

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")

_MOST_BINS = 5  # of a number's quantiles: finer ones would hold too few subjects for every side to get one


@dataclass(frozen=True, slots=True)
class Split:
    """Subjects on three sides, no one on two.

    Attributes
    ----------
    train, validation, test
        Subjects, in the table's order; validation and test may be empty.
    seed
        That it was drawn with.
    label
        Column that it was stratified by.
    group
        Column whose groups were kept whole; empty for the subjects themselves.
    fold, folds
        Of a cross-validation; 0 of 0 otherwise.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    seed: int
    label: str = ""
    group: str = ""
    fold: int = 0
    folds: int = 0

    def __post_init__(self) -> None:
        """Refuse a split that is none."""
        everybody = [subject for side in SIDES for subject in self.subjects(side)]
        twice = [subject for subject, count in Counter(everybody).items() if count > 1]
        if twice:
            raise BadInput(f"The split names {some(twice)} more than once; everybody belongs to one side only.")
        if not self.train:
            raise BadInput("The split has nobody to learn from; make a new one.")

    def subjects(self, side: Side) -> tuple[str, ...]:
        """The subjects of one side."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[side]

    def side_of(self, subject: str) -> Side | None:
        """Where somebody is; None if nowhere."""
        return next((side for side in SIDES if subject in self.subjects(side)), None)

    def scans(self, checked: CheckedCohort, side: Side) -> tuple[CohortScan, ...]:
        """The usable scans of one side, in the table's order."""
        return checked.scans_of(self.subjects(side))

    def check_against(self, checked: CheckedCohort) -> tuple[str, ...]:
        """Whether the split still fits a table that may have changed since.

        Returns
        -------
        remarks
            One sentence each: who is missing, who is new and therefore on no side, which class a side lacks.

        Raises
        ------
        BadInput
            If nobody is left to learn from or on another side that had somebody, or if people who must stay together
            are on different sides.
        """
        usable = frozenset(checked.subjects)
        for side in SIDES:
            if self.subjects(side) and not usable.intersection(self.subjects(side)):
                raise BadInput(
                    f"None of the split's {len(self.subjects(side))} subjects for {side} has a usable scan in "
                    f"{checked.cohort.source.name}; make a new split, or choose the table that it belongs to."
                )
        sides = {subject: side for side in SIDES for subject in self.subjects(side)}
        for group, together in joined(checked.scans, checked.groups).items():
            parted = {sides[subject] for subject in together if subject in sides}
            if len(parted) > 1:
                sides_text = " and ".join(side for side in SIDES if side in parted)
                raise BadInput(
                    f"The split has '{group}' of column '{checked.group}' on several sides ({sides_text}); make a new "
                    "one that keeps it whole."
                )
        return tuple(self._remarks(checked, sides))

    def _remarks(self, checked: CheckedCohort, sides: dict[str, Side]) -> Iterator[str]:
        usable = frozenset(checked.subjects)
        missing = [subject for subject in sides if subject not in usable]
        new = [subject for subject in checked.subjects if subject not in sides]
        if missing:
            yield f"{len(missing)} subject(s) of the split have no usable scan any more ({some(missing)})."
        if new:
            yield f"{len(new)} subject(s) are on no side of the split and are not used ({some(new)})."
        for side in SIDES:
            found = {checked.labels[scan] for scan in self.scans(checked, side)}
            lacking = [name for name in checked.classes if name not in found]
            if found and lacking:
                yield f"Nobody for {side} is '{some(lacking)}'."

    def as_json(self) -> str:
        """The split as a JSON object, readable by `from_json`."""
        return json.dumps({"kind": "split", **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Split":
        """Read back what `as_json` wrote.

        Raises
        ------
        BadInput
            If it is something else, or names somebody on two sides.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or record.pop("kind", None) != "split":
                raise BadInput("This is no saved split; choose a split.json.")
            train, validation, test = (_names(record[side]) for side in SIDES)
            seed, fold, n_folds = (int(record[name]) for name in ("seed", "fold", "folds"))
            return cls(train, validation, test, seed, str(record["label"]), str(record["group"]), fold, n_folds)
        except BadInput:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInput(f"This saved split is damaged ({error}); make a new one.") from error

    def save(self, path: Path) -> None:
        """Write the split, atomically."""
        atomic.write_text(path, self.as_json() + "\n")


def read_split(path: Path) -> Split:
    """Read a split that `Split.save` wrote.

    Raises
    ------
    BadInput
        In one sentence, if there is none.
    """
    try:
        return Split.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The split {path} cannot be read; check the path.") from error
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from error


def make_split(checked: CheckedCohort, *, test: float = 0.2, validation: float = 0.2, seed: int) -> Split:
    """Draw a split by subject, or by the groups that the cohort was checked with.

    Every side gets its share of the subjects and of every class or, of numbers, of every fifth of them, as far as
    whole subjects and groups allow.

    Parameters
    ----------
    checked
        As `check_cohort` returns it.
    test, validation
        Shares of the subjects; 0 for none.
    seed
        The same seed and cohort give the same split.

    Raises
    ------
    BadInput
        If there are too few subjects or groups, or the shares leave nobody to learn from.
    """
    # written so that NaN fails too
    if not (0 <= test < 1 and 0 <= validation < 1 and test + validation < 1):
        raise BadInput("The shares of test and validation must leave some of the subjects for training.")
    shares = {"train": 1 - test - validation, "validation": validation, "test": test}
    used = [side for side in SIDES if shares[side] > 0]
    assigned = _divide(checked, checked.subjects, [shares[side] for side in used], seed, " and ".join(used))
    found = {side: tuple(s for s in checked.subjects if used[assigned[s]] == side) for side in SIDES}
    return Split(found["train"], found["validation"], found["test"], seed, checked.label, checked.group)


def folds(checked: CheckedCohort, k: int, seed: int, *, validation: float = 0.2) -> tuple[Split, ...]:
    """Draw a cross-validation: everybody is tested in exactly one of `k` splits.

    Parameters
    ----------
    checked
        As `check_cohort` returns it.
    k
        Number of folds. As many as there are groups leaves one group out at a time.
    seed
        The same seed and cohort give the same folds.
    validation
        Share of all subjects that judges in each fold, taken from those who are not tested; 0 for none.

    Raises
    ------
    BadInput
        If there are too few subjects or groups.
    """
    if k < 2:
        raise BadInput(f"A cross-validation of {k} fold(s) has nobody to learn from; choose at least 2.")
    # written so that NaN fails too
    if not 0 <= validation < 1 - 1 / k:
        raise BadInput(f"With {k} folds, a share of {validation:g} for validation leaves nobody to learn from.")
    fold_of = _divide(checked, checked.subjects, [1 / k] * k, seed, f"{k} folds")
    splits = []
    for fold in range(k):
        test = tuple(subject for subject in checked.subjects if fold_of[subject] == fold)
        rest = tuple(subject for subject in checked.subjects if fold_of[subject] != fold)
        judge: tuple[str, ...] = ()
        if validation > 0:
            share = validation / (1 - 1 / k)
            side = _divide(checked, rest, [1 - share, share], seed, "training and validation in every fold")
            judge = tuple(subject for subject in rest if side[subject] == 1)
        train = tuple(subject for subject in rest if subject not in frozenset(judge))
        splits.append(Split(train, judge, test, seed, checked.label, checked.group, fold, k))
    return tuple(splits)


def _divide(
    checked: CheckedCohort, subjects: Sequence[str], shares: Sequence[float], seed: int, what: str
) -> dict[str, int]:
    """The side of each of some subjects."""
    sets = list(joined(checked.scans_of(subjects), checked.groups).values())
    if len(sets) < len(shares):
        names = f"group(s) of '{checked.group}'" if checked.group else "subject(s)"
        raise BadInput(
            f"{len(sets)} {names} with usable scans cannot be divided into {what}, which need {len(shares)} at least; "
            "choose fewer parts, or add scans."
        )
    strata = _strata(checked, subjects, len(shares))
    counts = np.zeros((len(sets), max(strata.values()) + 1), dtype=np.int64)
    for row, together in enumerate(sets):
        for subject in together:
            counts[row, strata[subject]] += 1
    sides = allocate(counts, shares, seed)
    return {subject: int(side) for together, side in zip(sets, sides, strict=True) for subject in together}


def _strata(checked: CheckedCohort, subjects: Sequence[str], parts: int) -> dict[str, int]:
    """Each subject's class (of the first scan), or which of up to five equal parts its mean number falls into."""
    labels: dict[str, list[float | str]] = {subject: [] for subject in subjects}
    for scan in checked.scans_of(subjects):
        labels[scan.subject].append(checked.labels[scan])
    if checked.task != "regression":
        return {subject: checked.classes.index(str(own[0])) for subject, own in labels.items()}
    means = np.array([np.mean([float(value) for value in own]) for own in labels.values()])
    bins = int(np.clip(len(means) // parts, 1, _MOST_BINS))
    return dict(zip(labels, _ranks(means) * bins // len(means), strict=True))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """0 for the smallest; equal values in their order."""
    ranks = np.empty(len(values), dtype=np.intp)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("a side is no list of subjects")
    return tuple(value)
