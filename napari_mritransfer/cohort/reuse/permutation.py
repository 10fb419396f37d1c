"""Whether a method does better than it would if labels meant nothing. No torch here."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def permuted(values: NDArray[np.float64], groups: Sequence[str], rng: np.random.Generator) -> NDArray[np.float64]:
    """Labels dealt out anew among groups with equally many rows, so that what belongs to one group stays together.

    Parameters
    ----------
    values
        ``(row,)``.
    groups
        ``(row,)``.
    """
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    by_count: dict[int, list[list[int]]] = {}
    for own in rows.values():
        by_count.setdefault(len(own), []).append(own)
    dealt = values.copy()
    for alike in by_count.values():
        for own, other in zip(alike, rng.permutation(len(alike)), strict=True):
            dealt[own] = values[alike[int(other)]]
    return dealt


def p_value(observed: float, under_chance: Sequence[float], *, higher_is_better: bool) -> float:
    """Share of the permutations that do at least as well, the observed order counted as one of them.

    References
    ----------
    Phipson and Smyth, Statistical Applications in Genetics and Molecular Biology 2010: never 0.
    """
    chance = np.asarray(under_chance, dtype=np.float64)
    as_good = (chance >= observed) if higher_is_better else (chance <= observed)
    return float((1 + as_good.sum()) / (1 + len(chance)))
