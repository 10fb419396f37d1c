"""How a file's voxel order becomes ours: (slice, y, x), seen the way a radiologist reads films."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

_CLEARLY_COARSER = 1.5  # thick-slice stacks are 3 to 10 times coarser than in plane, 3-D acquisitions at most 1.2 times
_SMALLEST_VOLUME = 1e-3  # of the parallelepiped spanned by the unit axes: 1 when orthogonal, 0 when singular

# Where our (slice, y, x) run to. Every direction is DICOM's patient direction (Left, Posterior, Superior), except that
# rows of sagittal and coronal slices run down the body, so that the head is at the top of the screen.
_DIRECTIONS = {"axial": "SPL", "sagittal": "LIP", "coronal": "PIL"}
_ORIENTATION_OF = {"S": "axial", "I": "axial", "L": "sagittal", "R": "sagittal", "P": "coronal", "A": "coronal"}
_OPPOSITE = dict(zip("LRPASI", "RLAPIS", strict=True))


@dataclass(frozen=True, slots=True)
class Axes:
    """Permutation and flips between the file's (i, j, k) and our (slice, y, x).

    Slices run towards Superior (axial), Left (sagittal) or Posterior (coronal). Rows run towards Posterior (axial) or
    Inferior (sagittal, coronal), columns towards the patient's Left (axial, coronal) or Posterior (sagittal): the
    radiological view. Oblique slices are never rotated; they count as the orientation they are nearest to.

    Attributes
    ----------
    permutation
        The file's axis of our slice, y and x.
    flips
        Whether the file runs the other way, in our order: slice, y, x.
    codes
        Where the file's i, j, k run to, such as ``"LPS"``.
    obliquity_deg
        Largest angle between an axis and the patient direction nearest to it, in degrees, in [0, 90).
    """

    permutation: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    codes: str
    obliquity_deg: float

    @classmethod
    def from_affine(
        cls,
        affine: NDArray[np.floating[Any]],
        spacing: Sequence[float] | None = None,
        shape: Sequence[int] | None = None,
        *,
        slice_axis: int | None = None,
    ) -> "Axes":
        """Find the slices, then the way they are looked at.

        The slice axis is `slice_axis` if given; else the one axis with a single voxel; else the axis whose spacing is
        at least 1.5 times the next coarsest; else the file's k. That last rule is for volumes that are near isotropic:
        scanners, converters and FreeSurfer store them slice after slice along k, so that a sagittal 3-D head is shown
        sagittally, as it was on the scanner's console.

        Parameters
        ----------
        affine
            ``(4, 4)`` voxel-to-world, RAS+.
        spacing
            Voxel size along i, j, k, in any one unit; the affine's own where omitted.
        shape
            Number of voxels along i, j, k; anything after is ignored.
        slice_axis
            The file's axis of the slices, 0 to 2, where the header or a person names it.

        Raises
        ------
        ValueError
            If the affine is not finite or singular, or `slice_axis` is no axis.
        """
        if not is_usable(affine):
            raise ValueError("The affine is not an invertible 4 by 4 matrix of finite numbers; give one that is.")
        if slice_axis is None:
            slice_axis = _slice_axis(spacing_of(affine) if spacing is None else spacing, shape)
        if slice_axis not in (0, 1, 2):
            raise ValueError(f"The slice axis is {slice_axis}; give 0, 1 or 2.")
        matched = nib.orientations.io_orientation(affine)
        world_axes = [int(axis) for axis in matched[:, 0]]
        codes = "".join(nib.orientations.ornt2axcodes(matched))
        # Left-right before front-back before head-foot: x is the earlier of the two, in every radiological view.
        x_axis, y_axis = sorted((axis for axis in range(3) if axis != slice_axis), key=lambda axis: world_axes[axis])
        permutation = (slice_axis, y_axis, x_axis)
        wanted = _DIRECTIONS[_ORIENTATION_OF[codes[slice_axis]]]
        flip_slice, flip_y, flip_x = (codes[axis] != way for axis, way in zip(permutation, wanted, strict=True))
        return cls(permutation, (flip_slice, flip_y, flip_x), codes, _obliquity_deg(affine, world_axes))

    @classmethod
    def as_acquired(cls, affine: NDArray[np.floating[Any]]) -> "Axes":
        """Of voxels whose (i, j, k) are our (x, y, slice) already: nothing is permuted for the eye, nothing flipped.

        Parameters
        ----------
        affine
            ``(4, 4)`` voxel-to-world, RAS+.

        Raises
        ------
        ValueError
            If the affine is not finite or singular.
        """
        if not is_usable(affine):
            raise ValueError("The affine is not an invertible 4 by 4 matrix of finite numbers; give one that is.")
        matched = nib.orientations.io_orientation(affine)
        codes = "".join(nib.orientations.ornt2axcodes(matched))
        obliquity = _obliquity_deg(affine, [int(axis) for axis in matched[:, 0]])
        return cls((2, 1, 0), (False, False, False), codes, obliquity)

    @property
    def orientation(self) -> str:
        """``"axial"``, ``"sagittal"`` or ``"coronal"``: the plane the slices are nearest to."""
        return _ORIENTATION_OF[self.codes[self.permutation[0]]]

    @property
    def directions(self) -> str:
        """Where our slice, y and x run to, such as ``"SPL"``."""
        return "".join(
            _OPPOSITE[self.codes[axis]] if flip else self.codes[axis]
            for axis, flip in zip(self.permutation, self.flips, strict=True)
        )

    def to_scan(self, array: NDArray[Any]) -> NDArray[Any]:
        """The file's (i, j, k) or (i, j, k, frame) as a (frame, slice, y, x) view.

        Raises
        ------
        ValueError
            If `array` is neither 3-D nor 4-D.
        """
        if array.ndim not in (3, 4):
            raise ValueError(f"An array in the file's order has 3 or 4 axes, not {array.ndim}.")
        frames = array if array.ndim == 4 else array[..., np.newaxis]
        return np.flip(frames.transpose(3, *self.permutation), self._flipped_axes)

    def to_file(self, array: NDArray[Any]) -> NDArray[Any]:
        """The inverse of `to_scan`: a view in the file's (i, j, k, frame) order, or (i, j, k) when there is one frame.

        Raises
        ------
        ValueError
            If `array` is not 4-D.
        """
        if array.ndim != 4:
            raise ValueError(f"A scan's image has the 4 axes (frame, slice, y, x), not {array.ndim}.")
        ours_of_file_axis = [1 + self.permutation.index(axis) for axis in range(3)]
        frames = np.flip(array, self._flipped_axes).transpose(*ours_of_file_axis, 0)
        return frames[..., 0] if frames.shape[-1] == 1 else frames

    @property
    def _flipped_axes(self) -> tuple[int, ...]:
        return tuple(axis for axis, flip in enumerate(self.flips, start=1) if flip)


def is_usable(affine: NDArray[np.floating[Any]]) -> bool:
    """Whether a (4, 4) affine is finite and its axes span space: what everything here takes for granted."""
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        return False
    spacing = spacing_of(affine)
    return bool(spacing.min() > 0 and abs(np.linalg.det(affine[:3, :3] / spacing)) > _SMALLEST_VOLUME)


def spacing_of(affine: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Voxel size along i, j, k in the affine's unit: the lengths of its columns, ``(3,)``."""
    columns = np.asarray(affine, dtype=np.float64)[:3, :3]
    return np.asarray(np.sqrt(np.sum(columns**2, axis=0)), dtype=np.float64)


def is_near_isotropic(spacing: Sequence[float]) -> bool:
    """Whether no axis is clearly (1.5 times) coarser than the other two, so that spacing does not tell the slices."""
    _, next_coarsest, coarsest = sorted(spacing)
    return coarsest < _CLEARLY_COARSER * next_coarsest


def _slice_axis(spacing: Sequence[float] | NDArray[np.float64], shape: Sequence[int] | None) -> int:
    single = [axis for axis, length in enumerate((shape or ())[:3]) if length == 1]
    if len(single) == 1:
        return single[0]
    lengths = [float(length) for length in spacing]
    return 2 if is_near_isotropic(lengths) else int(np.argmax(lengths))


def _obliquity_deg(affine: NDArray[np.floating[Any]], world_axes: Sequence[int]) -> float:
    directions = np.asarray(affine, dtype=np.float64)[:3, :3] / spacing_of(affine)
    cosines = np.abs(directions[world_axes, range(3)])
    # A sine from the other two components: an arccos would read float32's rounding as a fiftieth of a degree.
    sines = np.sqrt(np.maximum(np.sum(directions**2, axis=0) - cosines**2, 0))
    return float(np.degrees(np.arctan2(sines, cosines)).max())
