"""The picture and the numbers of docs/simulated-cohort.md: does a simulated cohort hold what it promises, and no more?

    python scripts/simulated_cohort.py --out docs/images/simulated-cohort.png [--subjects 240]

Numbers: how much sharper the diseased are than the same people healthy (they should not be), and whether a ridge
classifier tells the disease from the voxels about the hippocampi (it should) or from all voxels elsewhere (it should
not). Folds are random, so that the same heads are in training and test, which makes "should not" strict; then also by
head. ± is the standard error of the AUC under chance. Images are at 3 mm and seen through the scanners; sharpness is of
the deformed heads themselves, at 2 mm. Some minutes.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.cohort.simulation import head_names, simulate_subject
from napari_mritransfer.cohort.simulation.plan import Plan
from napari_mritransfer.evaluation.canvas import QUIET, add_axes, add_text, dark_figure, save_png

SEED, SPACING_MM, RIDGE = 7, 3.0, 0.1
HEADS = head_names(roles=("training", "validation"))
HIPPOCAMPI = np.s_[14:46, 27:44, 10:27]  # of the 3 mm grid: |x| < 47 mm, y from -45 to 4, z from -42 to 8
VENTRICLES = np.s_[14:46, 18:55, 20:40]
SHOWN = ("patient01", "patient12", "studyforrest")
PIXEL = 2


def picture(out: Path) -> None:
    """Rows are heads; columns are two ages, the disease, what it changed, and two sites."""
    titles = ("45 years, healthy", "85 years, healthy", "45 years, diseased", "diseased − healthy", "site B", "site C")
    tiles = [list(_row(name)) for name in SHOWN]
    height, width = tiles[0][0].shape
    left, top, gap = 12, 64, 6
    total_width = 2 * left + len(titles) * (width * PIXEL + gap) - gap
    figure = dark_figure(total_width, top + len(SHOWN) * (height * PIXEL + 24))
    add_text(figure, left, 12, "Simulated: three real heads, deformed and seen through simulated scanners")
    for row, name in enumerate(SHOWN):
        for column, title in enumerate(titles):
            x, y = left + column * (width * PIXEL + gap), top + row * (height * PIXEL + 24)
            axes = add_axes(figure, x, y, width * PIXEL, height * PIXEL)
            difference = "−" in title
            axes.imshow(
                tiles[row][column], cmap="coolwarm" if difference else "gray",
                vmin=-0.4 if difference else 0, vmax=0.4 if difference else 1.4, aspect="auto",
            )  # fmt: skip
            axes.set_axis_off()
            if row == 0:
                add_text(figure, x, top - 22, title)
        add_text(figure, left, top + (row + 1) * (height * PIXEL + 24) - 22, f"made of {name}", color=QUIET)
    save_png(figure, out)


def _row(name: str) -> Iterator[NDArray[np.float32]]:
    same = {"seed": 5, "number": 13}
    plain = same | {"site": "A", "with_scanner": False}
    young, truth = simulate_subject(name, age=45, diseased=False, **plain)
    old, _ = simulate_subject(name, age=85, diseased=False, **plain)
    ill, _ = simulate_subject(name, age=45, diseased=True, **plain)
    yield from (_tile(image) for image in (young, old, ill, ill - young))
    for site in "BC":
        image, truth = simulate_subject(name, age=65, diseased=False, site=site, **same)
        yield _tile(image / np.float32(truth.scanner["white_matter"]))


def _tile(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An axial slice through the ventricles above a coronal one through the hippocampi, right side on the left."""
    axial, coronal = image[8:83, :, 44].T[::-1], image[8:83, 53, :80].T[::-1]
    return np.concatenate([axial, coronal])


def ridge(features: NDArray[np.float64], target: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """Predictions for each fold by a linear model of the others; dual, as voxels outnumber people."""
    predicted = np.empty(len(target))
    for one in np.unique(fold):
        known, asked = fold != one, fold == one
        mean = features[known].mean(axis=0)
        kernel = (features[known] - mean) @ (features[known] - mean).T
        kernel += RIDGE * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        weights = np.linalg.solve(kernel, target[known] - target[known].mean())
        predicted[asked] = (features[asked] - mean) @ ((features[known] - mean).T @ weights) + target[known].mean()
    return predicted


def auc(score: NDArray[np.float64], diseased: NDArray[np.bool_], head: NDArray[np.int64]) -> float:
    """Area under the ROC curve within heads, whose mean and spread are taken out first."""
    level = score.astype(float).copy()
    for one in np.unique(head):
        level[head == one] = (level[head == one] - level[head == one].mean()) / level[head == one].std()
    return float(np.mean(level[diseased][:, None] > level[~diseased]))


def sharpness(name: str, number: int, *, diseased: bool) -> float:
    """Logarithm of the mean energy of what a Gaussian of one voxel takes away."""
    still, _ = simulate_subject(
        name, age=65, diseased=diseased, seed=SEED, number=number, site="A", with_scanner=False
    )  # fmt: skip
    return float(np.log(np.mean((still - ndimage.gaussian_filter(still, 1))[still > 0] ** 2)))


def sharper(pairs: int) -> None:
    everyone = [[(name, number) for number in range(pairs)] for name in HEADS]
    healthy, ill = (
        np.array([[sharpness(*who, diseased=which) for who in of_head] for of_head in everyone])
        for which in (False, True)
    )
    difference, people = ill - healthy, healthy.std(axis=1).mean()
    error = difference.std() / np.sqrt(difference.size)
    print(
        f"{difference.size} pairs: the diseased have {100 * difference.mean():+.3f} ± {100 * error:.3f} % more fine "
        f"detail than the same people healthy; standard deviation between people of one head {100 * people:.1f} %"
    )


def numbers(subjects: int) -> None:
    plan = Plan(HEADS, SEED)
    planned = [plan.subject(number) for number in range(subjects)]
    diseased = np.array([one.diseased for one in planned])
    head = np.array([HEADS.index(one.head) for one in planned])
    age = np.array([one.age for one in planned])
    hippocampi, elsewhere, ventricles = [], [], []
    for one in planned:
        asked = {"age": one.age, "diseased": one.diseased, "seed": SEED, "number": one.number, "site": one.site}
        image, truth = simulate_subject(one.head, spacing_mm=SPACING_MM, **asked)
        image = np.minimum(image / np.float32(truth.scanner["white_matter"]), 1.3)
        soft = ndimage.gaussian_filter(image, 0.8)
        about = soft[HIPPOCAMPI].copy()
        soft[HIPPOCAMPI] = 0
        hippocampi.append(about[::2, ::2, ::2].ravel())
        ventricles.append(soft[VENTRICLES][::2, ::2, ::2].ravel())
        elsewhere.append(soft[::2, ::2, ::2].ravel())
    rng = np.random.default_rng(0)
    fold = rng.permutation(np.arange(subjects) % 5)
    chance = np.sqrt((subjects + 1) / (12 * diseased.sum() * (~diseased).sum()))
    print(f"{subjects} subjects, seed {SEED}; AUC ± {chance:.3f} by chance")
    for place, features in (("about the hippocampi", hippocampi), ("everywhere else", elsewhere)):
        for kind, groups in (("random folds", fold), ("by head", head)):
            score = ridge(np.array(features, dtype=float), diseased.astype(float), groups)
            print(f"disease from voxels {place}, {kind}: AUC {auc(score, diseased, head):.3f}")
    for kind, groups in (("random folds", fold), ("by head", head)):
        error = np.abs(ridge(np.array(ventricles, dtype=float), age, groups) - age)
        each = ", ".join(f"{name} {error[head == index].mean():.1f}" for index, name in enumerate(HEADS))
        print(f"age from voxels about the ventricles, {kind}: MAE {error.mean():.2f} years ({each})")
    print(f"age by its mean: MAE {np.abs(age - age.mean()).mean():.2f} years")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=240)
    parser.add_argument("--pairs", type=int, default=24, help="of each head")
    arguments = parser.parse_args()
    picture(arguments.out)
    sharper(arguments.pairs)
    numbers(arguments.subjects)


if __name__ == "__main__":
    main()
