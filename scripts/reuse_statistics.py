"""What intervals, slopes and p-values of a re-use are worth: the figures behind docs/feature-reuse.md.

Numbers drawn at random take the place of features, so that the truth is known: in what share of studies a 95 % interval
holds it, what is said of methods that found nothing, and how often their p-values are small. No image and no network is
needed. Call it as ``python scripts/reuse_statistics.py``; it takes a few minutes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.checks import CheckedCohort
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.comparison import compare
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.fit_result import FitResult, Tested, tested
from napari_mritransfer.cohort.reuse.permutation import p_value, with_permuted_labels
from napari_mritransfer.cohort.reuse.plan import Fold, outer_folds
from napari_mritransfer.cohort.reuse.scores import quick_score, scores_of
from napari_mritransfer.cohort.table import Cohort, CohortScan

Array = NDArray[np.float64]
Learn = Callable[[Array, Array, Array], Array]
"""From features and labels to learn from and features of others to predictions."""

AGE = Label("age", unit="years")
FEATURES, TELLING = 16, 4
STUDIES, PERMUTATIONS = 400, 99
CONFIG = ReuseConfig("table.tsv", "age", "none", ("features-ridge",))


def ridge(x: Array, y: Array, new: Array, strength: float = 10.0) -> Array:
    deviations = x - x.mean(axis=0)
    slopes = np.linalg.solve(deviations.T @ deviations + strength * np.eye(x.shape[1]), deviations.T @ (y - y.mean()))
    return np.asarray(y.mean() + (new - x.mean(axis=0)) @ slopes)


def shrunken(x: Array, y: Array, new: Array) -> Array:
    return ridge(x, y, new, 300.0)


def mean(x: Array, y: Array, new: Array) -> Array:
    return np.full(len(new), y.mean())


def draw(count: int, rng: np.random.Generator, *, informative: bool) -> tuple[Array, Array]:
    """Features and ages; a few features say something of the age if they are informative."""
    y = rng.uniform(45, 85, count)
    x = rng.standard_normal((count, FEATURES))
    if informative:
        x[:, :TELLING] += 0.5 * (y[:, None] - 65) / 11.5
    return x, y


def cohort_of(y: Array) -> CheckedCohort:
    scans = tuple(CohortScan(f"sub-{row}", "", Path(f"{row}.nii"), {}, row + 2) for row in range(len(y)))
    table = Cohort(Path("table.tsv"), ("age",), scans, False, ("age",))
    labels = dict(zip(scans, y.tolist(), strict=True))
    return CheckedCohort(table, "age", "regression", (), scans, labels, "", {scan: scan.subject for scan in scans}, ())


def fitted(name: str, learn: Learn, x: Array, y: Array, parts: tuple[Fold, ...]) -> list[FitResult]:
    found = []
    for part in parts:
        train, test = list(part.train), list(part.test)
        values = learn(x[train], y[train], x[test])
        found.append(FitResult(name, 0, part.repeat, part.number, "", part.test, values))
    return found


def joined(results: list[FitResult], y: Array) -> Tested:
    return tested(results, y, [f"sub-{row}" for row in range(len(y))])[0]


def coverage(count: int, studies: int) -> tuple[float, float]:
    """Share of 95 % intervals that hold what the method does on average over all cohorts of that size."""
    errors, intervals, differences = [], [], []
    for seed in range(studies):
        rng = np.random.default_rng((seed, count))
        x, y = draw(count, rng, informative=True)
        parts = outer_folds(cohort_of(y), CONFIG)
        own, base = (joined(fitted(name, learn, x, y, parts), y) for name, learn in (("ridge", ridge), ("mean", mean)))
        intervals.append(scores_of(own, AGE, seed=seed, n_boot=500)["mae_interval"])
        differences.append(compare(own, base, AGE, seed=seed, n_boot=500).interval)
        new_x, new_y = draw(2000, rng, informative=True)
        train = list(parts[0].train)  # as many as a fold of such a study learns from
        found = [np.abs(learn(x[train], y[train], new_x) - new_y).mean() for learn in (ridge, mean)]
        errors.append(found)
    truth = np.mean(errors, axis=0)
    ends, apart = np.array(intervals), np.array(differences)
    difference = truth[0] - truth[1]
    return (
        float(((ends[:, 0] <= truth[0]) & (truth[0] <= ends[:, 1])).mean()),
        float(((apart[:, 0] <= difference) & (difference <= apart[:, 1])).mean()),
    )


def of_nothing(count: int, studies: int) -> tuple[float, float, float]:
    """Mean correlation where nothing is to be found: ridge regression within models and pooled; the mean pooled."""
    within, pooled, of_mean = [], [], []
    for seed in range(studies):
        x, y = draw(count, np.random.default_rng((seed, count)), informative=False)
        parts = outer_folds(cohort_of(y), CONFIG)
        found, base = (joined(fitted("m", learn, x, y, parts), y) for learn in (shrunken, mean))
        within.append(scores_of(found, AGE, seed=0, n_boot=0)["correlation"])
        pooled.append(np.corrcoef(found.values, found.true)[0, 1])
        of_mean.append(np.corrcoef(base.values, base.true)[0, 1])
    return float(np.mean(within)), float(np.mean(pooled)), float(np.mean(of_mean))


def small_p(learn: Learn, count: int, studies: int, *, keep_folds: bool) -> float:
    """Share of studies without anything to find whose p-value is 0.05 or less."""
    found = []
    for seed in range(studies):
        rng = np.random.default_rng((seed, count))
        x, y = draw(count, rng, informative=False)
        checked = cohort_of(y)
        parts = outer_folds(checked, CONFIG)
        chance = []
        for _ in range(PERMUTATIONS):
            permuted = with_permuted_labels(checked, rng)
            dealt = np.array([float(permuted.labels[scan]) for scan in permuted.scans])
            own = parts if keep_folds else outer_folds(permuted, CONFIG)
            chance.append(quick_score(dealt, fitted("m", learn, x, dealt, own), AGE))
        observed = quick_score(y, fitted("m", learn, x, y, parts), AGE)
        found.append(p_value(observed, chance, higher_is_better=False))
    return float(np.mean(np.array(found) <= 0.05))


def head(*names: str) -> None:
    print(f"\n| {' | '.join(names)} |\n|{' --- |' * len(names)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=STUDIES, help="of each kind (half as many for p-values)")
    studies = parser.parse_args().studies
    head("subjects", "95 % intervals of MAE that hold the truth", "of the difference to the mean")
    for count in (20, 40, 100):
        print(f"| {count} | {' | '.join(f'{share:.0%}' for share in coverage(count, studies))} |", flush=True)
    head("subjects, nothing to find", "correlation within models", "pooled over folds", "of the mean, pooled")
    for count in (20, 40, 100):
        print(f"| {count} | {' | '.join(f'{value:+.2f}' for value in of_nothing(count, studies))} |", flush=True)
    head("40 subjects, nothing to find", "p ≤ 0.05 with the folds of the true labels", "with folds of their own")
    for name, learn in (("mean", mean), ("ridge, strong", shrunken), ("ridge", ridge)):
        shares = [small_p(learn, 40, studies // 2, keep_folds=keep) for keep in (True, False)]
        print(f"| {name} | {' | '.join(f'{share:.0%}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
