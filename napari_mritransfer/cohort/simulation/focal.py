"""Deformations of a ball, of known size, outside which nothing moves at all."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FocalKind = Literal["shrinkage", "expansion", "twist"]
FOCAL_KINDS: tuple[FocalKind, ...] = get_args(FocalKind)

LARGEST_FOCAL_SHARE = 0.25
"""Peak displacement ÷ radius up to which every kind of focal warp is invertible with room to spare (limit: 0.286)."""

_PEAK = 16 / (25 * np.sqrt(5))  # largest value of s (1 - s²)², at s = 1/√5


@dataclass(frozen=True, slots=True)
class FocalWarp:
    """A ball in which tissue is drawn together, pushed apart or twisted; outside it nothing moves at all.

    With s the distance from the centre ÷ radius, shrinkage and expansion move by ± a·s·(1 - s²)², a twist turns by an
    angle in proportion to (1 - s²)². The displacement peaks at `peak_mm`, whatever the kind.

    Attributes
    ----------
    centre_mm
        ``(3,)``.
    radius_mm
        Of the ball.
    peak_mm
        Length of the longest displacement; up to `LARGEST_FOCAL_SHARE` of the radius.
    kind
        What happens to the tissue.
    axis
        ``(3,)`` unit vector that a twist turns about.
    """

    centre_mm: tuple[float, float, float]
    radius_mm: float
    peak_mm: float
    kind: FocalKind
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse what would fold space."""
        if not 0 <= self.peak_mm <= LARGEST_FOCAL_SHARE * self.radius_mm:
            raise ValueError(f"{self.peak_mm:g} mm within {self.radius_mm:g} mm would fold the image.")

    def displace(self, positions: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Move `positions` in place; ``(voxel,)`` bool says which lay in the ball."""
        offset = positions - np.array(self.centre_mm, dtype=np.float32)[:, None]
        squared = np.einsum("cv,cv->v", offset, offset) / np.float32(self.radius_mm**2)
        inside = squared < 1
        offset, bump = offset[:, inside], (1 - squared[inside]) ** 2
        if self.kind == "twist":
            moved = _turned(offset, np.array(self.axis), self._twist_angle() * bump) - offset
        else:
            sign = 1 if self.kind == "shrinkage" else -1  # what lies farther out is seen nearer the centre
            moved = offset * (bump * np.float32(sign * self.peak_mm / (_PEAK * self.radius_mm)))
        positions[:, inside] += moved
        return np.asarray(inside)

    def _twist_angle(self) -> float:
        """Angle at the centre for which the longest chord is `peak_mm`."""
        s = np.linspace(0, 1, 400)[1:-1]
        chord = self.peak_mm / (2 * s * self.radius_mm)  # sine of half the angle needed at s to move by the peak
        possible = chord <= 1
        return float(np.min(2 * np.arcsin(chord[possible]) / (1 - s[possible] ** 2) ** 2))


def _turned(
    offset: NDArray[np.float32], axis: NDArray[np.float64], angle: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Rodrigues' rotation of ``(3, voxel)`` vectors about one axis by an angle each."""
    axis = axis.astype(np.float32)
    cosine, sine = np.cos(angle), np.sin(angle)
    along = axis[:, None] * (axis @ offset) * (1 - cosine)
    return np.asarray(offset * cosine + np.cross(axis, offset.T).T * sine + along, dtype=np.float32)
