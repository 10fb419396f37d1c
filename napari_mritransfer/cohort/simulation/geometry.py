"""Which voxels a simulated image has, and where they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import Grid

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Geometry:
    """A grid whose axes run along those of the world; voxels need not be cubes.

    Attributes
    ----------
    shape
        Voxels along i, j, k.
    affine
        ``(4, 4)`` voxel-to-world, mm; diagonal but for the shift.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid) -> "Geometry":
        """The common grid."""
        return cls(grid.shape, grid.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Edges of a voxel."""
        x, y, z = (abs(float(step)) for step in np.diag(self.affine)[:3])
        return x, y, z

    def distances_mm(self) -> tuple[NDArray[np.float64], ...]:
        """Of the voxels along each axis from the first one."""
        spacing = self.spacing_mm
        return tuple(np.arange(self.shape[axis], dtype=np.float64) * spacing[axis] for axis in range(3))

    def positions(self) -> NDArray[np.float32]:
        """``(3, i, j, k)`` world coordinates of every voxel in mm."""
        axes = [
            (self.affine[axis, 3] + self.affine[axis, axis] * np.arange(self.shape[axis])).astype(np.float32)
            for axis in range(3)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"))

    def box_about(self, points_mm: NDArray[np.float64], margin_mm: float) -> Box:
        """The voxels in the box about ``(point, 3)`` world positions with a margin; empty slices outside the grid."""
        scale, shift = np.diag(self.affine)[:3], self.affine[:3, 3]
        corners = np.stack([points_mm.min(axis=0) - margin_mm, points_mm.max(axis=0) + margin_mm])
        first, last = np.sort((corners - shift) / scale, axis=0)
        i, j, k = (
            slice(min(max(int(np.floor(low)), 0), size), max(min(int(np.ceil(high)) + 1, size), 0))
            for low, high, size in zip(first, last, self.shape, strict=True)
        )
        return i, j, k
