"""Who learns and who is tested, in which order: all fits of a comparison, the same folds for every method. No torch."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.problem import some
from napari_mritransfer.cohort.reuse.catalogue import BASELINE, ReuseMethod, reuse_method
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.splits import folds
from napari_mritransfer.cohort.together import joined
from napari_mritransfer.io.errors import BadInput

_STRATA = 5


@dataclass(frozen=True, slots=True)
class Fit:
    """One method, learned from some rows and tested on others.

    Attributes
    ----------
    method
        Its name.
    size
        Number of training groups (subjects, where no column keeps several together); 0 for all of the fold.
    repeat, fold
        Counted from 0.
    train, test
        Rows: indices into `CheckedCohort.scans`.
    site
        That is tested; empty where subjects are.
    """

    method: str
    size: int
    repeat: int
    fold: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    site: str = ""

    @property
    def key(self) -> str:
        """Its own among all fits of a comparison, and good as a file's name."""
        return f"{re.sub(r'[^a-z0-9-]', '_', self.method)}_n{self.size}_r{self.repeat}_f{self.fold}"


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows that are tested together, and those that may be learned from."""

    repeat: int
    number: int
    train: tuple[int, ...]
    test: tuple[int, ...]
    site: str = ""


def plan(checked: CheckedCohort, config: ReuseConfig) -> tuple[Fit, ...]:
    """All fits: quick methods first, so that something can be looked at soon.

    Raises
    ------
    BadInput
        If there are too few subjects, groups or sites, or a size is larger than what a fold has to learn from.
    """
    parts = outer_folds(checked, config)
    asked = [reuse_method(name) for name in config.methods if name != BASELINE.name]
    rows = sorted(asked, key=_slowness)
    least = min(len(_groups_of(checked, part.train)) for part in parts)
    too_large = [size for size in config.sizes if size > least]
    if too_large:
        raise BadInput(
            f"A learning curve up to {max(too_large)} needs as many training subjects in every fold, but one has "
            f"{least}; choose smaller sizes or more folds."
        )
    fits = []
    for row in (BASELINE, *rows):
        for size in (0, *sorted(set(config.sizes))):
            for part in parts:
                train = part.train if not size else _subset(checked, part, size, config.seed)
                fits.append(Fit(row.name, size, part.repeat, part.number, train, part.test, part.site))
    return tuple(fits)


def outer_folds(checked: CheckedCohort, config: ReuseConfig) -> tuple[Fold, ...]:
    """Repeated folds by subject or group; with a column of sites, each site once.

    Raises
    ------
    BadInput
        If there are too few.
    """
    places = {scan: index for index, scan in enumerate(checked.scans)}
    if config.site:
        return tuple(_by_site(checked, config))
    parts = []
    for repeat in range(config.repeats):
        for split in folds(checked, config.folds, config.seed + repeat, validation=0.0):
            test = tuple(places[scan] for scan in split.scans(checked, "test"))
            train = tuple(places[scan] for scan in split.scans(checked, "train"))
            parts.append(Fold(repeat, split.fold, train, test))
    return tuple(parts)


def kept_together(checked: CheckedCohort) -> tuple[str, ...]:
    """``(row,)``: alike for rows that no fold may part; of a subject who is in two groups, both are one."""
    sets = joined(checked.scans, checked.groups)
    name_of = {subject: name for name, subjects in sets.items() for subject in subjects}
    return tuple(name_of[scan.subject] for scan in checked.scans)


def lacking(checked: CheckedCohort, parts: Sequence[Fold]) -> tuple[str, ...]:
    """One sentence for each class that nobody has among the training rows of some fold."""
    found: dict[str, list[str]] = {}
    for part in parts:
        known = {checked.labels[checked.scans[row]] for row in part.train}
        where = f"site '{part.site}'" if part.site else f"fold {part.number + 1}"
        for name in checked.classes:
            if name not in known:
                found.setdefault(name, []).append(where)
    return tuple(
        f"Nobody to learn from is '{name}' where {some(dict.fromkeys(places))} is tested: no method can tell it there."
        for name, places in found.items()
    )


def _by_site(checked: CheckedCohort, config: ReuseConfig) -> Iterator[Fold]:
    column = checked.cohort.column(config.site)
    sites = [scan.values[column] for scan in checked.scans]
    names = sorted({name for name in sites if name})
    nowhere = [scan.name for scan, site in zip(checked.scans, sites, strict=True) if not site]
    if nowhere:
        raise BadInput(f"{nowhere[0]} has nothing in column '{column}', so nobody knows its site; fill it in.")
    if len(names) < 2:
        raise BadInput(f"Column '{column}' has one site only, so none can be left out; leave 'site' empty.")
    together = kept_together(checked)
    for number, name in enumerate(names):
        test = tuple(row for row, site in enumerate(sites) if site == name)
        tested = {together[row] for row in test}
        # who was scanned at both sites must not teach what tests them
        train = tuple(row for row, site in enumerate(sites) if site != name and together[row] not in tested)
        if not train:
            raise BadInput(f"Without site '{name}' nobody is left to learn from; leave 'site' empty.")
        yield Fold(0, number, train, test, name)


def _subset(checked: CheckedCohort, part: Fold, size: int, seed: int) -> tuple[int, ...]:
    """Training rows of `size` groups, stratified; a larger subset of the same fold holds all of a smaller one."""
    members = _groups_of(checked, part.train)
    names = list(members)
    rng = np.random.default_rng((seed, part.repeat, part.number, 7))
    shuffled = [names[index] for index in rng.permutation(len(names))]
    ordered = _interleaved(checked, members, shuffled)
    chosen = {row for name in ordered[:size] for row in members[name]}
    return tuple(row for row in part.train if row in chosen)


def _interleaved(
    checked: CheckedCohort, members: Mapping[str, Sequence[int]], shuffled: Sequence[str]
) -> list[str]:
    """Groups so that every beginning of the list has its share of every class or fifth of the numbers."""
    labels = {name: checked.labels[checked.scans[rows[0]]] for name, rows in members.items()}
    if checked.task == "regression":
        ranked = sorted(shuffled, key=lambda name: float(labels[name]))
        stratum = {name: rank * _STRATA // len(ranked) for rank, name in enumerate(ranked)}
    else:
        stratum = {name: checked.classes.index(str(labels[name])) for name in shuffled}
    sizes = {one: list(stratum.values()).count(one) for one in set(stratum.values())}
    seen = dict.fromkeys(sizes, 0)
    place = {}
    for name in shuffled:
        one = stratum[name]
        seen[one] += 1
        place[name] = (seen[one] - 0.5) / sizes[one]
    return sorted(shuffled, key=lambda name: place[name])


def _groups_of(checked: CheckedCohort, rows: Sequence[int]) -> dict[str, list[int]]:
    """Rows by what must stay together."""
    wanted = [checked.scans[row] for row in rows]
    places = dict(zip(wanted, rows, strict=True))
    together = joined(wanted, checked.groups)
    of_subject: dict[str, list[int]] = {}
    for scan in wanted:
        of_subject.setdefault(scan.subject, []).append(places[scan])
    return {name: [row for subject in subjects for row in of_subject[subject]] for name, subjects in together.items()}


def _slowness(row: ReuseMethod) -> int:
    return ("direct", "features", "classical", "network").index(row.kind) + (row.name not in ("final-layer", "direct"))
