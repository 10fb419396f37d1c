"""What chance decides about a simulated subject; each part from a stream of random numbers of its own.

So two subjects of one seed and number who differ in age or disease are alike in everything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.simulation.focal import FOCAL_KINDS, FocalWarp
from napari_mritransfer.cohort.simulation.heads import Head
from napari_mritransfer.cohort.simulation.pose import Pose, rotation
from napari_mritransfer.cohort.simulation.settings import Effects
from napari_mritransfer.cohort.simulation.smooth import KNOT_COUNT, SmoothWarp
from napari_mritransfer.cohort.simulation.widening import LineWidening

_GRID_CENTRE_MM = (0.0, -18.0, 18.0)
# An ellipsoid well inside the cerebrum, in which the centres of focal warps lie that have nothing to do with disease
_CEREBRUM_CENTRE_MM, _CEREBRUM_AXES_MM = np.array((0.0, -17.0, 15.0)), np.array((50.0, 66.0, 44.0))


_TRIES = 400


class Stream(IntEnum):
    """Which random numbers; a new part gets a new number, so that the old ones stay."""

    PLAN = 0
    POSE = 1
    SMOOTH = 2
    VENTRICLES = 3
    PLACES = 4
    SPARE_PLACES = 5
    SCANNER = 6
    NOISE = 7


def stream(which: Stream, seed: int, *numbers: int) -> np.random.Generator:
    """Random numbers that depend on nothing but the arguments."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(int(which), *numbers)))


@dataclass(frozen=True, slots=True)
class Anatomy:
    """How one subject differs from the head it is made of.

    Attributes
    ----------
    pose, smooth
        What makes everyone different.
    focal
        Warps of a ball; in the diseased the first two are the disease.
    disease
        What the disease is or would be in this subject: shrinkage of both hippocampal regions.
    ventricles
        Widening of the right and the left one, from the head as it is.
    widening_mm, asymmetry_mm
        Mean of both sides, from the size that all heads share; half their difference.
    biological_age
        The age that the ventricles tell.
    size
        Relative head size, 1 as it is.
    nod_degrees
        Rotation about the left-right axis.
    """

    pose: Pose
    smooth: SmoothWarp
    focal: tuple[FocalWarp, ...]
    disease: tuple[FocalWarp, ...]
    ventricles: tuple[LineWidening, LineWidening]
    widening_mm: float
    asymmetry_mm: float
    biological_age: float
    size: float
    nod_degrees: float


def draw_anatomy(head: Head, *, age: float, diseased: bool, seed: int, number: int, effects: Effects) -> Anatomy:
    """Everything about a subject but its scanner; no random number depends on age or disease."""
    pose, size, nod = _pose(stream(Stream.POSE, seed, number), effects)
    knots = stream(Stream.SMOOTH, seed, number).standard_normal((3, KNOT_COUNT, KNOT_COUNT, KNOT_COUNT))
    disease: tuple[FocalWarp, ...] = tuple(_focal(focus, "shrinkage", effects) for focus in head.foci)
    elsewhere = _pair_elsewhere(disease, stream(Stream.PLACES, seed, number), effects)
    spare = stream(Stream.SPARE_PLACES, seed, number)
    taken, pairs = disease + elsewhere, []  # kept free of both in everyone, so that places tell nothing of the label
    for _ in range(int(spare.integers(effects.spare_pairs + 1))):
        pair = _pair_elsewhere(taken, spare, effects)
        taken += pair
        pairs.append(pair)
    rng = stream(Stream.VENTRICLES, seed, number)
    scatter = effects.scatter_years * float(np.clip(rng.standard_normal(), -2.5, 2.5))
    asymmetry = effects.asymmetry_mm * float(rng.uniform(-1, 1))
    widening = effects.widening_at(age) + scatter * effects.years_to_mm
    right, left = (
        LineWidening(line, widening + head.ventricle_offset_mm + sign * asymmetry, effects.ventricle_radius_mm)
        for line, sign in zip(head.ventricles, (1, -1), strict=True)
    )
    return Anatomy(
        pose=pose,
        smooth=SmoothWarp(knots.astype(np.float32), effects.smooth_knots_mm, effects.smooth_mm),
        focal=sum(pairs, disease if diseased and effects.disease_effect else elsewhere),
        disease=disease,
        ventricles=(right, left),
        widening_mm=widening,
        asymmetry_mm=asymmetry,
        biological_age=age + scatter,
        size=size,
        nod_degrees=nod,
    )


def _pose(rng: np.random.Generator, effects: Effects) -> tuple[Pose, float, float]:
    nod, tilt, turn = rng.uniform(-1, 1, 3) * (effects.nod_degrees, effects.turn_degrees, effects.turn_degrees)
    size = 1 + float(rng.uniform(-effects.size, effects.size))
    along = 1 + rng.uniform(-effects.size / 3, effects.size / 3, 3)
    # a pull-back: a larger head reads its voxels closer together
    matrix = rotation((nod, tilt, turn)) @ np.diag(1 / (size * along))
    shift = rng.uniform(-effects.shift_mm, effects.shift_mm, 3)
    return Pose(matrix, shift, np.array(_GRID_CENTRE_MM)), size, float(nod)


def _pair_elsewhere(
    taken: tuple[FocalWarp, ...], rng: np.random.Generator, effects: Effects
) -> tuple[FocalWarp, ...]:
    """A mirrored pair of focal warps of one kind in the cerebrum, out of reach of those in places that are taken.

    Empty where there is no room left.
    """
    kind = FOCAL_KINDS[int(rng.integers(len(FOCAL_KINDS)))]
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    for _ in range(_TRIES):
        place = _CEREBRUM_CENTRE_MM + rng.uniform(-1, 1, 3) * _CEREBRUM_AXES_MM
        sides = place * (-1, 1, 1), place
        if _is_inside(place) and abs(place[0]) >= effects.focal_radius_mm and _is_free(sides, taken):
            return tuple(_focal(side, kind, effects, axis) for side in sides)
    return ()


def _is_inside(place: NDArray[np.float64]) -> bool:
    return bool(np.sum(((place - _CEREBRUM_CENTRE_MM) / _CEREBRUM_AXES_MM) ** 2) <= 1)


def _is_free(places: Iterable[NDArray[np.float64]], taken: tuple[FocalWarp, ...]) -> bool:
    """Whether balls about these places meet none of the others'."""
    return all(
        np.linalg.norm(np.array(warp.centre_mm) - place) >= 2 * warp.radius_mm for warp in taken for place in places
    )


def _focal(
    centre: NDArray[np.float64], kind: str, effects: Effects, axis: NDArray[np.float64] | None = None
) -> FocalWarp:
    x, y, z = (float(value) for value in centre)
    turned_about = (0.0, 0.0, 1.0) if axis is None else (float(axis[0]), float(axis[1]), float(axis[2]))
    known = next(one for one in FOCAL_KINDS if one == kind)
    return FocalWarp((x, y, z), effects.focal_radius_mm, effects.focal_peak_mm, known, turned_about)
