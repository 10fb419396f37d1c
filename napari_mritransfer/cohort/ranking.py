"""The area under the receiver operating characteristic, also of scans that count several times."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Ranking:
    """Scans in the order of their scores.

    Parameters
    ----------
    scores
        ``(scan,)``, larger for those who should be positive.
    is_positive
        ``(scan,)`` 0 or 1.
    members
        ``(scan,)`` index of each scan's group.
    """

    def __init__(
        self, scores: NDArray[np.float64], is_positive: NDArray[np.float64], members: NDArray[np.intp]
    ) -> None:
        order = np.argsort(scores, kind="stable")
        self._groups = members[order]
        self._positive = is_positive[order] > 0
        ordered = scores[order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] > ordered[:-1]])  # of scans with one score

    def auc(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(draw,)`` chance that a positive scan scores above a negative one, half of it where they tie.

        Parameters
        ----------
        draws
            ``(draw, group)`` how often each group counts; NaN comes out where one kind is not drawn.
        """
        return auc_within([self], draws)

    def pairs(self, draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(draw,)`` pairs of a positive and a negative scan in which the positive one scores above, and all pairs."""
        weights = draws[:, self._groups]
        positive = np.add.reduceat(np.where(self._positive, weights, 0), self._starts, axis=1)
        negative = np.add.reduceat(np.where(self._positive, 0, weights), self._starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        return (positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1)


def auc_within(rankings: Sequence[Ranking], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(draw,)`` the same over several rankings, of pairs within each of them; NaN where there is no pair."""
    above, pairs = np.sum([ranking.pairs(draws) for ranking in rankings], axis=0)
    return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)
