"""Two methods on the same folds: the difference between them, with an interval over subjects. No torch here."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.bootstrap import Interval, members_of, sums_by_group, with_intervals
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.fit_result import Tested


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much one method's score is above another's.

    Attributes
    ----------
    first, second
        Names of methods.
    size
        Of the training sets, see `plan.Fit`.
    difference
        Score of the first − score of the second: of MAE in the label's unit, where less than 0 speaks for the first, or
        of balanced accuracy, where more does.
    interval
        95 % of the differences when subjects are drawn again; None of a single group. It knows of no other choice of
        training subjects than those of the folds.
    """

    first: str
    second: str
    size: int
    difference: float
    interval: Interval | None

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self)


def compare_all(found: Sequence[Tested], label: Label, *, seed: int, n_boot: int = 2000) -> tuple[Comparison, ...]:
    """All pairs of methods of one size, in the order of `found`."""
    return tuple(
        compare(first, second, label, seed=seed, n_boot=n_boot)
        for first, second in combinations(found, 2)
        if first.size == second.size
    )


def compare(first: Tested, second: Tested, label: Label, *, seed: int, n_boot: int = 2000) -> Comparison:
    """The difference between two methods.

    Raises
    ------
    ValueError
        If they were not tested on the same folds.
    """
    same = len(first.rows) == len(second.rows) and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("rows", "repeats", "folds")
    )
    if not same or first.size != second.size:
        raise ValueError(f"'{first.method}' and '{second.method}' were not tested on the same folds.")
    members, n_groups = members_of(first.groups)
    if label.task == "regression":
        errors = np.abs(first.values - first.true) - np.abs(second.values - first.true)
        sums = sums_by_group(members, n_groups, np.ones_like(errors), errors)

        def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
            count, difference = (draws @ sums).T
            return np.asarray(difference / count)[:, None]
    else:
        index = first.true.astype(np.intp)
        is_of = np.eye(len(label.classes))[index]
        right = [(one.values.argmax(axis=1) == index)[:, None] for one in (first, second)]
        columns = (*is_of.T, *(is_of * right[0]).T, *(is_of * right[1]).T)
        sums = sums_by_group(members, n_groups, *columns)

        def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
            own, one, other = np.split(draws @ sums, 3, axis=1)
            shares = np.where(own > 0, (one - other) / np.maximum(own, 1), 0)
            return np.asarray(shares.sum(axis=1) / (own > 0).sum(axis=1))[:, None]

    (difference,), (interval,), _ = with_intervals(figures, n_groups, seed, n_boot)
    return Comparison(first.method, second.method, first.size, difference, interval)
