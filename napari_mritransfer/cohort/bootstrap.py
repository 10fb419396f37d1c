"""Intervals from drawing whole groups again and again, for figures that are made of sums over groups."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
"""The 2.5th and the 97.5th percentile."""

Figures = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From how often each group was drawn, ``(draw, group)``, to ``(draw, figure)``; NaN where a figure is not defined."""

_FEW_GROUPS = 5  # a bootstrap of fewer draws almost the same groups each time
_LEAST_DEFINED = 0.8  # of the draws: where more lack a class, the rest is a selection
_AT_A_TIME = 100


def members_of(groups: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """``(scan,)`` index of each scan's group, and the number of groups."""
    _, members = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.asarray(members, dtype=np.intp), int(members.max()) + 1


def sums_by_group(members: NDArray[np.intp], n_groups: int, *columns: NDArray[Any]) -> NDArray[np.float64]:
    """``(group, column)`` sums of ``(scan,)`` columns."""
    return np.stack([np.bincount(members, np.asarray(one, dtype=float), n_groups) for one in columns], axis=1)


def with_intervals(
    figures: Figures, n_groups: int, seed: int, n_boot: int
) -> tuple[list[float], list[Interval | None], str]:
    """Figures of the groups as they are, and where 95 % of them lie when the groups are drawn again.

    Parameters
    ----------
    figures
        See `Figures`.
    n_groups
        Drawn each time, with replacement.
    seed, n_boot
        Of the draws, and their number.

    Returns
    -------
    values, intervals
        Of each figure; the interval is None of a single group, and where the figure itself is not defined or not in
        four fifths of the draws.
    note
        What a reader has to know of the intervals; empty where there is nothing.
    """
    values = [float(value) for value in figures(np.ones((1, n_groups)))[0]]
    note = ""
    if n_groups < _FEW_GROUPS:
        note = (
            f"Only {n_groups} independent group(s) were tested, so "
            f"{'the interval says' if n_groups > 1 else 'this says'} little about other people."
        )
    if n_groups == 1 or n_boot < 1:
        return values, [None] * len(values), note
    rng = np.random.default_rng(seed)
    blocks = [min(_AT_A_TIME, n_boot - start) for start in range(0, n_boot, _AT_A_TIME)]
    chances = np.full(n_groups, 1 / n_groups)
    drawn = np.concatenate([figures(rng.multinomial(n_groups, chances, size).astype(float)) for size in blocks])
    intervals = [_interval(one) if np.isfinite(value) else None for one, value in zip(drawn.T, values, strict=True)]
    return values, intervals, note


def _interval(drawn: NDArray[np.float64]) -> Interval | None:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < _LEAST_DEFINED * len(drawn):
        return None
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high)
