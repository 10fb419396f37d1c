"""Dividing sets that must stay whole among sides, so that every side gets its share of each kind."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def allocate(counts: NDArray[np.int64], shares: Sequence[float], seed: int) -> NDArray[np.intp]:
    """Give each set to a side.

    The largest sets come first, those of one size in random order. Each goes where its kinds are least complete: where
    the members it brings, counted half, leave the side's count of them furthest below its share (Webster's rule for
    seats in a parliament, which for sets of one member each is off by less than one). Every side gets a set.

    Parameters
    ----------
    counts
        ``(set, kind)`` how many members of each kind a set has; every set has some.
    shares
        Of the sides, positive, summing to 1.
    seed
        Of the order among sets of one size.

    Returns
    -------
    side
        ``(set,)`` index of each set's side.

    Raises
    ------
    ValueError
        If there are fewer sets than sides.
    """
    n_sets, n_sides = len(counts), len(shares)
    if n_sets < n_sides:
        raise ValueError(f"{n_sets} sets cannot be divided among {n_sides} sides.")
    # all members together count as one more kind, or many kinds would all round towards the same side
    kinds = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1).astype(np.float64)
    wanted = np.outer(shares, kinds.sum(axis=0))
    wanted[wanted == 0] = 1.0  # of a kind that nobody is
    order = np.random.default_rng(seed).permutation(n_sets)
    order = order[np.argsort(-kinds[order, -1], kind="stable")]
    given = np.zeros_like(wanted)
    side_of = np.empty(n_sets, dtype=np.intp)
    for rank, one in enumerate(order):
        fullness = ((given + kinds[one] / 2) / wanted) @ kinds[one]
        is_empty = given[:, -1] == 0
        if n_sets - rank == is_empty.sum():
            fullness[~is_empty] = np.inf
        # the emptiest of those that are as good as the best, to within rounding
        best = np.flatnonzero(fullness <= fullness.min() * (1 + 1e-9))
        side = best[np.argmin(given[best, -1])]
        given[side] += kinds[one]
        side_of[one] = side
    return side_of
