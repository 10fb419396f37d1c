"""A smooth random deformation of everything: no two people are alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KNOT_COUNT = 12
"""Knots along each axis; four of them reach beyond the box."""

_MEASURED_EVERY_MM = 8.0  # on a grid of its own, so that an image's spacing does not change the warp


@dataclass(frozen=True, slots=True)
class SmoothWarp:
    """A smooth random displacement of exactly the given size: cubic B-splines on coarse random knots.

    Attributes
    ----------
    knots
        ``(3, i, j, k)`` weights of the splines.
    knots_mm
        Their distance; details are no finer.
    rms_mm
        Root mean square of the displacement's length over a box as large as `KNOT_COUNT` allows for.
    """

    knots: NDArray[np.float32]
    knots_mm: float
    rms_mm: float

    def on_grid(self, distances_mm: tuple[NDArray[np.float64], ...]) -> NDArray[np.float32]:
        """``(3, i, j, k)`` displacement in mm of a grid's voxels, by their distances from its corner."""
        even = tuple(np.arange(0, self._length_mm + 1e-6, _MEASURED_EVERY_MM) for _ in range(3))
        measured = self._weighted(even)
        rms = np.sqrt(np.mean(np.einsum("cijk,cijk->ijk", measured, measured)))
        return np.asarray(self._weighted(distances_mm) * np.float32(self.rms_mm / rms), dtype=np.float32)

    @property
    def _length_mm(self) -> float:
        return (KNOT_COUNT - 4) * self.knots_mm

    def _weighted(self, distances_mm: tuple[NDArray[np.float64], ...]) -> NDArray[np.float32]:
        field = self.knots
        for axis, distances in enumerate(distances_mm, start=1):
            field = np.moveaxis(np.tensordot(_bspline_basis(distances / self.knots_mm), field, axes=(1, axis)), 0, axis)
        return field


def _bspline_basis(at: NDArray[np.float64]) -> NDArray[np.float32]:
    """``(position, knot)`` values of cubic B-splines at positions in units of knots, from the first to the last box."""
    distance = np.abs(at[:, None] - (np.arange(KNOT_COUNT) - 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
