"""The common grid on which scans of different people are compared: FSL's MNI152 box at any spacing."""

import math
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import BadInput

Slicing = Literal["sagittal", "coronal", "axial"]
SLICINGS: tuple[Slicing, ...] = get_args(Slicing)
"""Ways to cut a volume into slices, in the order of the axis that each runs along."""

Scalar = TypeVar("Scalar", bound=np.generic)

CODES = "LAS"
"""Where i, j and k run to."""

_BOX_MM = (182, 218, 182)
_FIRST_VOXEL_MM = (90.0, -126.0, -72.0)
_FINEST_MM, _COARSEST_MM = 0.5, 20.0  # 80 million voxels and 900: beyond, it is a slip of the finger


def axis_of(slicing: str) -> int:
    """The grid's axis that slices follow each other along: 0 for sagittal, 1 for coronal, 2 for axial.

    Raises
    ------
    BadInput
        If there is no such slicing.
    """
    if slicing not in SLICINGS:
        raise BadInput(f"There is no slicing '{slicing}'; choose one of {', '.join(SLICINGS)}.")
    return SLICINGS.index(slicing)


@dataclass(frozen=True, slots=True)
class Grid:
    """A box of 182 x 218 x 182 mm about the head in MNI152 space, stored as FSL's templates are.

    i runs to the patient's left, j forward, k up; voxel (0, 0, 0) has its centre at (90, -126, -72) mm. A spacing of
    2 mm gives the 91 x 109 x 91 voxels of the published slice-set networks, 1 mm the 182 x 218 x 182 of SFCN.

    Attributes
    ----------
    spacing_mm
        Edge of a voxel.
    """

    spacing_mm: float = 2.0

    def __post_init__(self) -> None:
        """Refuse spacings that are none."""
        if not _FINEST_MM <= self.spacing_mm <= _COARSEST_MM:  # written so that NaN fails too
            raise BadInput(
                f"A grid of {self.spacing_mm:g} mm cannot work; choose from {_FINEST_MM:g} to {_COARSEST_MM:g} mm, "
                "such as 2."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k: as many as cover the box."""
        i, j, k = (math.ceil(length / self.spacing_mm) for length in _BOX_MM)
        return i, j, k

    @property
    def affine(self) -> NDArray[np.float64]:
        """``(4, 4)`` voxel-to-world, RAS+ mm."""
        affine = np.diag([-self.spacing_mm, self.spacing_mm, self.spacing_mm, 1.0])
        affine[:3, 3] = _FIRST_VOXEL_MM
        return affine

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """``(3,)`` world position of the middle of the grid."""
        middle = (np.array(self.shape) - 1) / 2
        return np.asarray(self.affine[:3, :3] @ middle + self.affine[:3, 3], dtype=np.float64)

    def slice_count(self, slicing: str) -> int:
        """Number of slices that a volume is cut into."""
        return self.shape[axis_of(slicing)]

    def positions_mm(self, slicing: str) -> NDArray[np.float64]:
        """``(slice,)`` world coordinate of each slice: x of sagittal ones, y of coronal, z of axial.

        Sagittal positions fall: x grows towards the patient's right, and i runs to the left.
        """
        axis = axis_of(slicing)
        return np.asarray(_FIRST_VOXEL_MM[axis] + self.affine[axis, axis] * np.arange(self.shape[axis]), dtype=float)


def upright(volume: NDArray[Scalar], axis: int, place: int) -> NDArray[Scalar]:
    """A slice of ``(i, j, k)`` across an axis, as ``(row, column)`` of a picture.

    Up, or front, is on top; the patient's front is on the left of sagittal slices, and right on the left of the others.
    """
    turned = np.moveaxis(volume, axis, 0)[place].T[::-1]
    # j runs forward, and faces look to the left; i runs to the patient's left, which is on the right already
    return np.asarray(turned[:, ::-1] if axis == 0 else turned)
