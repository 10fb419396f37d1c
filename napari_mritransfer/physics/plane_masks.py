"""Masks over the ky–kz plane of a 3-D acquisition, where both in-plane axes are phase encodes. No torch here.

All functions take the shape ``(ky, kx)`` of the plane, with DC at ``n // 2`` of both axes, the sampled fraction `rate`
in (0, 1], the edge of the fully sampled central block `acs` as a fraction of each axis, and a `seed`; and return a bool
array of that shape, True where measured.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.bool_]

_GOLDEN_ANGLE = math.pi * (math.sqrt(5) - 1) / 2  # 111.25°
_SHRINK = 0.85  # of the discs from one filling to the next: finer gains nothing that is seen, coarser leaves clumps
_SPACING_GROWTH = 4.0  # of the discs from DC to the corners
_SPREAD = 0.3  # of the discs' sizes at one place, either way
_FINEST_SPOKE_STEP = 0.5  # of a sample: no sample that a spoke crosses near its middle is jumped over


def random_plane(shape: tuple[int, int], rate: float, acs: float, *, power: float = 4.0, seed: int = 0) -> Plane:
    """Samples drawn independently, denser towards DC: density ``(1 - |k|) ** power``, |k| being 1 past the corners.

    Returns
    -------
    sampled
        The rate is met to the sample.

    References
    ----------
    Lustig, Donoho, Pauly: Sparse MRI, Magn Reson Med 2007, 58:1182.
    """
    sampled, missing = _begun(shape, rate, acs)
    if missing > 0:
        with np.errstate(divide="ignore"):
            weight = np.log(np.where(sampled, 0.0, (1 - _distance_from_centre(shape)) ** power))
        # the largest of log-weights plus Gumbel noise: a weighted draw without replacement in one pass
        score = weight + np.random.default_rng(seed).gumbel(size=shape)
        sampled.flat[np.argpartition(-score.ravel(), missing - 1)[:missing]] = True
    return sampled


def poisson_disc(shape: tuple[int, int], rate: float, acs: float, *, seed: int = 0) -> Plane:
    """Random samples that keep a distance from each other, which grows from DC outwards: no clumps, no large holes.

    Discs are thrown in random order, and where no more fit they shrink and are thrown again, until the rate is met. No
    sample outside the central block is nearer to another than the smaller of the discs at their places at the end.

    Returns
    -------
    sampled
        The rate is met to the sample.

    References
    ----------
    McCool, Fiume: Hierarchical Poisson disk sampling distributions, Graphics Interface 1992, 94 (shrinking discs);
    Vasanawala et al.: Practical parallel imaging compressed sensing MRI, ISBI 2011, 1039 (variable density).
    """
    return _poisson_disc(shape, rate, acs, seed).copy()


@lru_cache(maxsize=72)  # drawing takes a while, and a form or a training step asks for the same ones again
def _poisson_disc(shape: tuple[int, int], rate: float, acs: float, seed: int) -> Plane:
    sampled, missing = _begun(shape, rate, acs)
    rng = np.random.default_rng(seed)
    spacing = 1 + (_SPACING_GROWTH - 1) * _distance_from_centre(shape)
    # few distances exist on a grid, and discs of one size would fall into rings of one density
    spacing *= rng.uniform(1 - _SPREAD, 1 + _SPREAD, size=shape)
    # discs so large that at most half of what is wanted fits: larger ones would only be thrown in vain
    scale = min(math.sqrt(2 * float((spacing**-2).sum()) / max(missing, 1)), float(max(shape)))
    while missing > 0:
        missing -= _throw(sampled, scale * spacing, missing, rng)
        scale *= _SHRINK
    return sampled


def radial(shape: tuple[int, int], rate: float, acs: float, *, seed: int = 0) -> Plane:
    """Grid points along spokes through DC, each turned by the golden angle against the one before.

    Returns
    -------
    sampled
        The rate is met to within half of what one spoke adds; `seed` turns the first one.

    References
    ----------
    Winkelmann et al.: An optimal radial profile order based on the golden ratio, IEEE Trans Med Imaging 2007, 26:68.
    """
    block = _central_block(shape, acs)
    wanted = _wanted(shape, rate)
    if wanted >= block.size:
        return np.ones(shape, dtype=bool)
    first_angle = np.random.default_rng(seed).uniform(0, math.pi)
    spokes = max(1, wanted // max(shape))
    while True:
        first = _first_spoke(shape, first_angle, spokes)
        first[block] = 0
        counts = np.bincount(first[first <= spokes], minlength=spokes + 1).cumsum()  # by number of spokes
        if counts[-1] >= wanted:
            # counts[n] holds the block and the first n spokes
            return first <= int(np.abs(counts - wanted).argmin())
        spokes *= 2


def _first_spoke(shape: tuple[int, int], first_angle: float, spokes: int) -> NDArray[np.int64]:
    """``(ky, kx)``: number of the first spoke that crosses each point, from 1; ``spokes + 1`` where none does."""
    angles = first_angle + _GOLDEN_ANGLE * np.arange(spokes)[::-1, None]
    steps = math.ceil((math.hypot(*shape) / 2 + 1) / _FINEST_SPOKE_STEP)
    along = _FINEST_SPOKE_STEP * np.arange(-steps, steps + 1)[None]
    rows = np.rint(shape[0] // 2 + along * np.sin(angles)).astype(np.int64)
    columns = np.rint(shape[1] // 2 + along * np.cos(angles)).astype(np.int64)
    numbers = np.broadcast_to(np.arange(spokes, 0, -1)[:, None], rows.shape)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    first = np.full(shape, spokes + 1, dtype=np.int64)
    # of several spokes through one point the last written stays, which is the earliest
    first[rows[inside], columns[inside]] = numbers[inside]
    return first


def _throw(sampled: Plane, radius: NDArray[np.float64], most: int, rng: np.random.Generator) -> int:
    """Add up to `most` samples, none nearer than `radius` at its place to any other; how many were added."""
    from scipy.ndimage import distance_transform_edt  # slow to import, and most masks are of lines

    if sampled.any():
        free = distance_transform_edt(~sampled) >= radius
        free &= ~sampled
    else:
        free = np.ones(sampled.shape, dtype=bool)
    places = np.flatnonzero(free)
    rng.shuffle(places)
    # distances on the grid are roots of whole numbers, so few different discs are drawn
    squared = np.maximum(np.ceil(radius**2), 1).astype(np.int64)
    margin = math.isqrt(int(squared.max()))
    taken = np.pad(np.zeros(sampled.shape, dtype=bool), margin)
    rows, columns = np.divmod(places, sampled.shape[1])
    added = 0
    for row, column, square in zip(rows.tolist(), columns.tolist(), squared.ravel()[places].tolist(), strict=True):
        if taken[row + margin, column + margin]:
            continue
        sampled[row, column] = True
        added += 1
        if added == most:
            break
        disc = _disc(square)
        edge = margin - len(disc) // 2
        taken[row + edge : row + edge + len(disc), column + edge : column + edge + len(disc)] |= disc
    return added


@lru_cache(maxsize=256)
def _disc(squared_radius: int) -> Plane:
    """Grid points whose squared distance from the middle is less than that."""
    edge = math.isqrt(squared_radius - 1)
    offsets = np.arange(-edge, edge + 1) ** 2
    disc: Plane = offsets[:, None] + offsets < squared_radius
    return disc


def _begun(shape: tuple[int, int], rate: float, acs: float) -> tuple[Plane, int]:
    """The central block, and how many samples are missing beside it."""
    sampled = _central_block(shape, acs)
    return sampled, _wanted(shape, rate) - int(sampled.sum())


def _central_block(shape: tuple[int, int], acs: float) -> Plane:
    sampled = np.zeros(shape, dtype=bool)
    rows, columns = (slice(n // 2 - round(acs * n) // 2, n // 2 - round(acs * n) // 2 + round(acs * n)) for n in shape)
    sampled[rows, columns] = True
    return sampled


def _wanted(shape: tuple[int, int], rate: float) -> int:
    return max(1, round(rate * shape[0] * shape[1]))


def _distance_from_centre(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Distance of each sample from DC, 0 to below 1 at the corners, each axis in units of its own length."""
    rows, columns = ((np.arange(n) - n // 2) / (n // 2 + 1) for n in shape)
    return np.hypot(rows[:, None], columns[None, :]) / math.sqrt(2)
