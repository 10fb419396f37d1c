"""Does anything of the people who are tested reach what is predicted for them, besides their own image?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.reuse.plan import Fold

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Everything:
    """All that there is of a cohort: ``x`` is ``(row, …)``, features or voxels; ``y`` numbers or indices of classes.

    A method under test is handed everybody, those who are tested included, and is trusted in nothing.
    """

    x: NDArray[np.floating]
    y: NDArray[np.float64]
    groups: NDArray[np.str_]
    task: Task = "regression"
    classes: int = 0


Method = Callable[[Everything, Rows, Rows], NDArray[np.float64]]
"""From everything, rows to learn from and rows that are tested to ``(tested, …)`` predictions."""


def leaks(method: Method, study: Everything, parts: Sequence[Fold], *, knows_own_label: bool = False) -> set[str]:
    """What reaches predictions that should not, found by replacing it with junk: not one bit may change.

    Parameters
    ----------
    method
        That draws the same each time.
    knows_own_label
        Of predictions that are corrected with the true number; then only labels of *other* tested people are junk.

    Returns
    -------
    found
        "labels", and "features" of other tested people.
    """
    found = set()
    for part in parts:
        train, test = np.array(part.train), np.array(part.test)
        assert not set(train) & set(test)
        before = method(study, train, test)
        np.testing.assert_array_equal(method(study, train, test), before, "this method draws anew each time")
        if not knows_own_label and not np.array_equal(method(_labels(study, test), train, test), before):
            found.add("labels")
        for place in {0, len(test) - 1} if len(test) > 1 else ():
            others = np.delete(test, place)
            if not np.array_equal(method(_labels(study, others), train, test)[place], before[place]):
                found.add("labels")
            if not np.array_equal(method(_features(study, others), train, test)[place], before[place]):
                found.add("features")
    return found


def learns(method: Method, study: Everything, part: Fold) -> bool:
    """Whether labels of the training rows reach the predictions; one that ignores them could not leak any."""
    train, test = np.array(part.train), np.array(part.test)
    return not np.array_equal(method(_labels(study, train[::2]), train, test), method(study, train, test))


def _labels(study: Everything, rows: Rows) -> Everything:
    y = study.y.copy()
    if study.classes:
        y[rows] = (y[rows] + 1) % study.classes
    else:
        y[rows] = 1000 - 7 * y[rows]
    return replace(study, y=y)


def _features(study: Everything, rows: Rows) -> Everything:
    x, rng = study.x.copy(), np.random.default_rng(len(rows))
    x[rows] = 30 * study.x.std() * rng.standard_normal(x[rows].shape).astype(x.dtype)
    return replace(study, x=x)
