"""How a head lies in the scanner, and how large it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pose:
    """An affine map about a fixed point: how the head lies in the scanner, and how large it is.

    Attributes
    ----------
    matrix
        ``(3, 3)`` rotation times scales.
    shift_mm
        ``(3,)``.
    centre_mm
        ``(3,)`` point that rotation and scales leave where it is.
    """

    matrix: NDArray[np.float64]
    shift_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]

    def __call__(self, positions: NDArray[np.float32]) -> NDArray[np.float32]:
        """NDArray[np.float32] in the head as it lies, to positions in the head as it was."""
        moved = self.matrix.astype(np.float32) @ positions
        moved += (self.centre_mm + self.shift_mm - self.matrix @ self.centre_mm).astype(np.float32)[:, None]
        return np.asarray(moved, dtype=np.float32)

    def inverse(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where ``(3,)`` lies in the head as it lies."""
        return np.asarray(np.linalg.solve(self.matrix, position - self.centre_mm - self.shift_mm) + self.centre_mm)


def rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """``(3, 3)``: about the left-right axis (nodding), the front-back axis (tilting) and the vertical one (turning)."""
    x, y, z = np.deg2rad(degrees)
    nod = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    tilt = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turn = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(nod @ tilt @ turn)
