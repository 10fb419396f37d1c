"""Predictions that a test makes up, as the fits of a comparison would have left them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.reuse.fit_result import FitResult, Tested, tested


def dealt(count: int, folds: int, repeats: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(repeat, row)`` which fold tests it."""
    return np.stack([rng.permutation(np.arange(count) % folds) for _ in range(repeats)])


def told(
    fold_of: NDArray[np.intp],
    values: Sequence[NDArray[np.float64]],
    true: NDArray[np.float64],
    groups: Sequence[str] = (),
    *,
    method: str = "full",
    size: int = 0,
    corrected: Sequence[NDArray[np.float64]] = (),
) -> Tested:
    """One method that says ``values[repeat][row]``."""
    results = []
    for repeat, folds in enumerate(fold_of):
        for fold in np.unique(folds):
            rows = np.flatnonzero(folds == fold)
            after = corrected[repeat][rows] if len(corrected) else None
            own = tuple(int(row) for row in rows)
            results.append(FitResult(method, size, repeat, int(fold), "", own, values[repeat][rows], after))
    names = groups or [f"sub-{row}" for row in range(len(true))]
    return tested(results, true, names)[0]
