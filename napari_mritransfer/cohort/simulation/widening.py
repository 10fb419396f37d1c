"""Tissue pushed away from a line, as by a ventricle that grows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PEAK = np.sqrt(1 / 8) * (7 / 8) ** 3.5  # largest value of s (1 - s²)^3.5
_KERNEL_INTEGRAL = 32 / 35  # of (1 - s²)³ from -1 to 1
_POINT_EVERY_MM = 6.0
_FLOW_STEPS = 4
_CHUNK = 4096  # positions at a time: about a slice, so that few points are near and what is computed stays in cache


@dataclass(frozen=True, slots=True)
class LineWidening:
    """Tissue pushed away from a centre line (or towards it), as by a ventricle that grows.

    It is the flow, for a unit of time, of a velocity that is a sum of radial kernels r·(1 - r²/R²)³ along the line.
    A flow is invertible however far it goes, which a single displacement of this size would not be.

    Attributes
    ----------
    line_mm
        ``(point, 3)``, joined by straight pieces.
    widening_mm
        Length that the velocity peaks at, about a third of the radius away from a straight line; negative narrows.
    radius_mm
        Distance from the line at which nothing moves any more.
    """

    line_mm: NDArray[np.float64]
    widening_mm: float
    radius_mm: float

    def kernels(self) -> tuple[NDArray[np.float64], float]:
        """``(point, 3)`` centres in mm, and the factor that makes the sum of their kernels peak at `widening_mm`."""
        points, spacing = along(self.line_mm)
        return points, self.widening_mm * spacing / (self.radius_mm**2 * _KERNEL_INTEGRAL * _PEAK)


def velocity(positions: NDArray[np.float32], widenings: tuple[LineWidening, ...]) -> NDArray[np.float32]:
    """``(3, voxel)`` mm: the sum over all lines; exactly 0 where none is within its radius."""
    total = np.zeros_like(positions)
    for widening in widenings:
        points, factor = widening.kernels()
        origin = points.mean(axis=0)  # squares of world coordinates would cost float32 its last digits
        centres, radius = (points - origin).astype(np.float32), np.float32(widening.radius_mm)
        for start in range(0, positions.shape[1], _CHUNK):
            block = positions[:, start : start + _CHUNK] - origin.astype(np.float32)[:, None]
            low, high = block.min(axis=1) - radius, block.max(axis=1) + radius
            near = centres[np.all((centres > low) & (centres < high), axis=1)]
            if not len(near):
                continue
            kernel = near @ block
            kernel *= 2
            kernel -= (near**2).sum(axis=1)[:, None]
            kernel -= np.einsum("cv,cv->v", block, block)
            kernel /= radius**2
            kernel += 1  # 1 - r²/R²
            np.maximum(kernel, 0, out=kernel)
            kernel *= kernel * kernel
            total[:, start : start + _CHUNK] += np.float32(factor) * (block * kernel.sum(axis=0) - near.T @ kernel)
    return total


def widen(positions: NDArray[np.float32], widenings: tuple[LineWidening, ...]) -> NDArray[np.bool_]:
    """Move `positions` in place along the velocities of all lines; ``(voxel,)`` bool says which moved."""
    moving = np.ones(positions.shape[1], dtype=bool)
    for step in range(_FLOW_STEPS):
        current = positions[:, moving]
        here = velocity(current, widenings)
        if step == 0:  # what does not move now never will
            moves = np.any(here != 0, axis=0)
            moving[moving] = moves
            current, here = current[:, moves], here[:, moves]
        halfway = current - here * np.float32(0.5 / _FLOW_STEPS)
        positions[:, moving] = current - velocity(halfway, widenings) * np.float32(1 / _FLOW_STEPS)
    return moving


def along(line: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Points evenly along a line of straight pieces, and their distance."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    count = max(2, round(length[-1] / _POINT_EVERY_MM) + 1)
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, line[:, axis]) for axis in range(3)], axis=1), float(at[1])
