"""Whether the slices that count most matter: what the prediction does without them, and with them alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.model import CohortModel
from napari_mritransfer.cohort.prediction import Prediction, numbers_for

BLOCKS = 20
HEADLINE = 5  # slices in the one sentence

_SAME_AREA = 0.2  # blocks whose tissue differs by less are as good as each other
_MOST_DROPPED = 0.5  # of the slices
_FEWEST_SLICES = 4
_CHANCE = 0.1  # if more of the blocks do as much, the map is no better than chance
_NOTHING = 1e-3  # of the label's standard deviation, or of certainty: moves that differ by less are alike


@dataclass(frozen=True, slots=True)
class Curve:
    """How far the prediction moves, in the unit of `Label.number`, for 1, 2, 3 … slices.

    Attributes
    ----------
    chosen
        With the slices that count most; one value a number of slices.
    blocks
        With blocks of as many neighbouring slices and about as much tissue, mean over the blocks.
    lowest, highest
        Of the blocks.
    """

    chosen: tuple[float, ...]
    blocks: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Ablation:
    """The slices that count most against random blocks.

    Attributes
    ----------
    deletion
        What dropping the slices changes.
    insertion
        What keeping them alone changes: the less, the better they were chosen.
    blocks
        Number of blocks for each number of slices; fewer where there are fewer places for them.
    as_much
        For each number of slices, how many blocks move the prediction at least as much when they are dropped.
    area_ratio
        Smallest and largest tissue area of the blocks ÷ that of the chosen slices, for each number of slices; (0, 0)
        where the chosen slices show no tissue.
    """

    deletion: Curve
    insertion: Curve
    blocks: tuple[int, ...]
    as_much: tuple[int, ...]
    area_ratio: tuple[tuple[float, float], ...]

    @property
    def headline(self) -> int:
        """How many slices the sentence is about."""
        return min(HEADLINE, len(self.blocks))

    @property
    def beats_chance(self) -> bool:
        """Whether at most one in ten blocks does as much as the chosen slices, these counted along."""
        k = self.headline - 1
        return (self.as_much[k] + 1) / (self.blocks[k] + 1) <= _CHANCE

    def sentence(self, model: CohortModel, kind: str) -> str:
        """The finding in plain words."""
        k = self.headline - 1
        moved, by_blocks = (_size(model, values[k]) for values in (self.deletion.chosen, self.deletion.blocks))
        chosen = "most attended" if kind == "attention" else "most contributing"
        which = f"the {k + 1} {chosen} slices" if k else f"the {chosen} slice"
        others = f"blocks of {k + 1} neighbouring slices" if k else "single slices"
        told = (
            f"Dropping {which} moves the prediction by {moved}; {others} with about as much tissue by {by_blocks} on "
            f"average ({self.blocks[k]} blocks)."
        )
        if self.beats_chance:
            return told
        return (
            f"{told} {self.as_much[k]} of the blocks move it at least as much: by this check the map is no better than "
            "chance."
        )

    def as_record(self) -> dict[str, Any]:
        """JSON-ready, for plots."""
        return {
            name: {"chosen": list(c.chosen), "blocks": list(c.blocks), "lowest": list(c.lowest),
                   "highest": list(c.highest)}
            for name, c in (("deletion", self.deletion), ("insertion", self.insertion))
        } | {
            "n_blocks": list(self.blocks), "as_much": list(self.as_much),
            "area_ratio": [list(pair) for pair in self.area_ratio], "beats_chance": self.beats_chance,
        }  # fmt: skip


def ablate(
    model: CohortModel, prediction: Prediction, areas: NDArray[np.floating[Any]], *, blocks: int = BLOCKS, seed: int = 0
) -> Ablation | None:
    """Leave slices out, and all others out, and see how far the prediction moves; the encoder does not run again.

    Blocks are drawn from all contiguous ones of the slices that are there: those whose tissue area is within a fifth of
    that of the chosen slices, or the nearest where there are fewer than `blocks` of them.

    Parameters
    ----------
    areas
        ``(slice,)`` tissue area, any unit.
    blocks
        At most so many for each number of slices.

    Returns
    -------
    ablation
        For 1 slice to half of them; None with fewer than four.
    """
    there = np.flatnonzero(prediction.present)
    if len(there) < _FEWEST_SLICES:
        return None
    rng = np.random.default_rng(seed)
    order = there[np.argsort(-prediction.weights[there], kind="stable")]
    sets, counts, ratios = [], [], []
    for k in range(1, int(len(there) * _MOST_DROPPED) + 1):
        places = _places(np.asarray(areas, dtype=np.float64)[there], float(areas[order[:k]].sum()), k, blocks, rng)
        chosen = [order[:k], *(there[start : start + k] for start in places)]
        marks = np.zeros((len(chosen), len(prediction.present)), dtype=bool)
        for row, slices in zip(marks, chosen, strict=True):
            row[slices] = True
        area = marks @ areas
        ratios.append((float(area[1:].min() / area[0]), float(area[1:].max() / area[0])) if area[0] > 0 else (0.0, 0.0))
        sets.append(marks)
        counts.append(len(places))
    joined = np.concatenate(sets)
    features = prediction.encoded.features
    ends = np.cumsum([len(marks) for marks in sets])[:-1]
    moved = [
        np.split(np.abs(numbers_for(model, features, marks) - prediction.number), ends)
        for marks in (prediction.present & ~joined, joined)
    ]
    nothing = _NOTHING * (model.label.std if model.label.task == "regression" else 1.0)
    as_much = tuple(int((values[1:] >= values[0] - nothing).sum()) for values in moved[0])
    return Ablation(_curve(moved[0]), _curve(moved[1]), tuple(counts), as_much, tuple(ratios))


def _places(
    areas: NDArray[np.float64], wanted: float, k: int, blocks: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Where blocks of `k` slices begin, among those that are there, in order."""
    sums = np.concatenate([[0.0], np.cumsum(areas)])
    distance = np.abs(sums[k:] - sums[:-k] - wanted)
    alike = np.flatnonzero(distance <= _SAME_AREA * wanted)
    if len(alike) < blocks:
        alike = np.argsort(distance, kind="stable")[:blocks]
    return np.sort(rng.choice(alike, min(blocks, len(alike)), replace=False))


def _curve(moved: Sequence[NDArray[np.float64]]) -> Curve:
    """Of each array, the first value belongs to the chosen slices and the others to the blocks."""
    mean, lowest, highest = (
        tuple(float(of(values[1:])) for values in moved) for of in (np.mean, np.min, np.max)
    )  # fmt: skip
    return Curve(tuple(float(values[0]) for values in moved), mean, lowest, highest)


def _size(model: CohortModel, change: float) -> str:
    return model.label.difference_text(change).lstrip("+")
