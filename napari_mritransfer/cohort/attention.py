"""Where a network looked, slice by slice, as numbers that mean the same in every picture. No torch here."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHOWN_UP_TO = 3.0
"""Relative weight at the upper end of every colour scale and axis; the lower end is 0, and nothing is stretched."""


def relative_weights(
    weights: NDArray[np.floating[Any]], present: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Weight × number of slices that are there: 1 is what each would get if all counted alike.

    Parameters
    ----------
    weights
        ``(slice,)``, not negative, summing to 1 over the slices that are there.
    present
        ``(slice,)`` bool; all if None.

    Returns
    -------
    relative
        ``(slice,)``, mean 1 over the slices that are there, 0 where none is.
    """
    there = np.ones(len(weights), dtype=bool) if present is None else present
    return np.where(there, np.asarray(weights, dtype=np.float64) * there.sum(), 0.0)


def effective_slices(weights: NDArray[np.floating[Any]]) -> float:
    """How many slices would count, if so many counted alike: 1 ÷ Σ weight².

    All n slices alike give n, one alone gives 1. This inverse participation ratio is preferred to the exponential of
    the entropy because a long tail of small weights, which a softmax always leaves, hardly moves it.

    Parameters
    ----------
    weights
        ``(slice,)``, not negative, not all 0; they need not sum to 1.
    """
    shares = np.asarray(weights, dtype=np.float64)
    return float(shares.sum() ** 2 / np.square(shares).sum())


def mean_relative(
    relatives: Sequence[NDArray[np.floating[Any]]], presents: Sequence[NDArray[np.bool_] | None] | None = None
) -> NDArray[np.float64]:
    """What a cohort's scans have in common: for each slice, the mean over the scans that have it.

    Parameters
    ----------
    relatives
        Per scan ``(slice,)`` relative weights, at least one.
    presents
        Per scan the slices that are there; all if None.

    Returns
    -------
    mean
        ``(slice,)``; 1, which claims nothing, for slices that no scan has. Its mean is 1 where all slices are there.
    """
    values = np.stack([np.asarray(relative, dtype=np.float64) for relative in relatives])
    there = np.ones(values.shape, dtype=bool)
    for row, present in zip(there, presents or [None] * len(values), strict=True):
        if present is not None:
            row[:] = present
    counts = there.sum(axis=0)
    return np.where(counts > 0, np.where(there, values, 0.0).sum(axis=0) / np.maximum(counts, 1), 1.0)


def minus_mean(
    relative: NDArray[np.floating[Any]],
    mean: NDArray[np.floating[Any]] | Sequence[float],
    present: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """What is this scan's own: its relative weights less those that everyone gets.

    Position codes can give every scan nearly the same map; the difference is then nearly 0, however peaked the map.

    Parameters
    ----------
    relative
        ``(slice,)``, see `relative_weights`.
    mean
        ``(slice,)``, see `mean_relative`.
    present
        ``(slice,)`` bool; the mean is rescaled to mean 1 over these, as the scan's own weights are.

    Returns
    -------
    difference
        ``(slice,)``, mean 0 over the slices that are there, 0 where none is.
    """
    there = np.ones(len(relative), dtype=bool) if present is None else present
    expected = np.asarray(mean, dtype=np.float64)
    level = float(expected[there].mean())
    expected = expected / level if level > 0 else np.ones(len(expected))
    return np.where(there, np.asarray(relative, dtype=np.float64) - expected, 0.0)


def rank_correlation(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> float | None:
    """Spearman's, from -1 to 1; None where one of the two has no ranks because all its values are alike.

    Values that differ by less than a millionth of the largest are alike: rounding is not ranked.
    """
    from scipy.stats import rankdata  # half a second that drawing bars does not need

    ranks = []
    for values in (first, second):
        largest = float(np.abs(values).max()) or 1.0
        ranks.append(rankdata(np.round(np.asarray(values, dtype=np.float64) / largest, 6)) - (len(values) + 1) / 2)
    size = math.sqrt(float(np.square(ranks[0]).sum()) * float(np.square(ranks[1]).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size > 0 else None


def share_on(
    weights: NDArray[np.floating[Any]], slices: NDArray[np.bool_], present: NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Share of the weight that falls on certain slices, and the share that chance gives them.

    Parameters
    ----------
    weights
        ``(slice,)``, not negative, 0 where a slice is missing.
    slices
        ``(slice,)`` bool, those that are asked about.
    present
        ``(slice,)`` bool; all if None.

    Returns
    -------
    share, by_chance
        Both in [0, 1]; chance is the share of these among all slices that are there.
    """
    there = np.ones(len(weights), dtype=bool) if present is None else present
    shares = np.asarray(weights, dtype=np.float64)
    return float(shares[slices].sum() / shares.sum()), float((slices & there).sum() / there.sum())
