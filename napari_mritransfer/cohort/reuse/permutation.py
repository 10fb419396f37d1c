"""Whether a method does better than it would if labels meant nothing. No torch here."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.reuse.plan import kept_together

_ROUNDING = 1e-9  # of a score: sums of the same errors in another order


def with_permuted_labels(checked: CheckedCohort, rng: np.random.Generator) -> CheckedCohort:
    """The same scans, their labels dealt out anew among those that must stay together.

    Folds of it have to be dealt anew as well. Those of the true labels have their share of every class or fifth of the
    numbers, which makes them easy for whoever says the same to everybody; permuted labels would not have it in them,
    and a method that found nothing would be called better than chance.
    """
    dealt = dealt_anew(kept_together(checked), rng)
    labels = {scan: checked.labels[checked.scans[other]] for scan, other in zip(checked.scans, dealt, strict=True)}
    return replace(checked, labels=labels)


def dealt_anew(groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.intp]:
    """Whose label each row gets when groups exchange theirs.

    Groups exchange with groups of equally many rows, first row for first, so that what goes together (the visits of a
    subject, a family) goes on doing so. One that has no equal keeps its labels, which makes a p-value larger.

    Parameters
    ----------
    groups
        ``(row,)``.

    Returns
    -------
    rows
        ``(row,)``.
    """
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    by_count: dict[int, list[list[int]]] = {}
    for own in rows.values():
        by_count.setdefault(len(own), []).append(own)
    dealt = np.arange(len(groups))
    for alike in by_count.values():
        for own, other in zip(alike, rng.permutation(len(alike)), strict=True):
            dealt[own] = alike[int(other)]
    return dealt


def p_value(observed: float, under_chance: Sequence[float], *, higher_is_better: bool) -> float:
    """Share of the permutations that do at least as well, the observed order counted as one of them.

    References
    ----------
    Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 2010: never 0.
    """
    chance = np.asarray(under_chance, dtype=np.float64)
    margin = _ROUNDING * max(abs(observed), 1e-300)
    as_good = (chance >= observed - margin) if higher_is_better else (chance <= observed + margin)
    return float((1 + as_good.sum()) / (1 + len(chance)))
