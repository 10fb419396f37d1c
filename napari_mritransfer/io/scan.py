"""`Scan`: one acquisition as every reader returns it and every other room takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.axes import Axes, is_near_isotropic, spacing_of
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.kspace import KSpace

__all__ = ["Axes", "Image", "Origin", "Scan"]

Image = NDArray[np.float32] | NDArray[np.complex64]

NO_SIDES = "Nothing records which side of the patient is which, so none is named."
NO_SPACING = "The file names no voxel size: 1 mm is assumed."
_TOLD_FROM_DEG = 1.0  # positioning is never exact; below this nobody would call slices oblique


class Origin(StrEnum):
    """Where the numbers come from, which decides what may be claimed with them."""

    RAW = "raw"
    MAGNITUDE = "magnitude"
    COIL_COMBINED = "coil-combined"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One acquisition: its image, its geometry and where it came from.

    Attributes
    ----------
    image
        ``(frame, slice, y, x)`` float32 or complex64, a.u.; of a scan with `kspace` a `LazyStack` of
        root-sum-of-squares magnitudes, so that opening a large file reads its header only.
    affine
        ``(4, 4)`` voxel-to-world of the file's (i, j, k), RAS+, untouched.
    axes
        The permutation and flips between the file's order and ours.
    spacing_mm
        Voxel size along slice, y, x.
    origin
        What the image is made of.
    phase_encode
        Our in-plane axis of the phase encoding where the file names it.
    name
        Short name for people: the file's name without its ending.
    path
        The file it was read from.
    header
        NIfTI header block (and any extensions after it) that `save` writes back; empty where the source had none.
    notes
        Quiet one-sentence remarks for the person who looks at the scan.
    sides_known
        Whether the source says which side of the patient is which; if not, `affine` and `axes` are a convention.
    kspace
        ``(frame, slice, coil, ky, kx)`` of files that hold it, read slice by slice; ky runs along our y, kx along x.
    files
        All that it was read from, where these are several and `path` is one of them or their folder.
    """

    image: Image
    affine: NDArray[np.float64]
    axes: Axes
    spacing_mm: tuple[float, float, float]
    origin: Origin
    phase_encode: Literal["y", "x"] | None = None
    name: str = ""
    path: Path | None = None
    header: bytes = b""
    notes: tuple[str, ...] = ()
    sides_known: bool = True
    kspace: KSpace | None = None
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.image.ndim != 4 or self.image.dtype not in (np.float32, np.complex64):
            raise ValueError(
                f"A scan's image is (frame, slice, y, x) in float32 or complex64, not {self.image.dtype} "
                f"with {self.image.ndim} axes; convert it first."
            )

    @classmethod
    def from_file_order(
        cls,
        array: NDArray[Any],
        affine: NDArray[np.floating[Any]],
        *,
        spacing_mm: Sequence[float] | None = None,
        slice_axis: int | None = None,
        phase_axis: int | None = None,
        origin: Origin | None = None,
        name: str = "",
        path: Path | None = None,
        header: bytes = b"",
        notes: Sequence[str] = (),
        sides_known: bool = True,
    ) -> "Scan":
        """A scan from voxels in a file's order, with the remarks its geometry and values call for.

        Parameters
        ----------
        array
            ``(i, j, k)`` or ``(i, j, k, frame)``, any number type.
        affine
            ``(4, 4)`` voxel-to-world, RAS+.
        spacing_mm
            Voxel size along i, j, k; the affine's own where omitted.
        slice_axis, phase_axis
            The file's axes (0 to 2) of the slices and of the phase encoding, where known; see `Axes.from_affine`.
        origin
            Coil-combined for complex and magnitude for real voxels where omitted.
        sides_known
            Whether `affine` was recorded rather than made up.

        Raises
        ------
        ValueError
            If the array is neither 3-D nor 4-D or the affine is singular.
        """
        own_affine = np.array(affine, dtype=np.float64)
        spacing = [float(length) for length in (spacing_of(own_affine) if spacing_mm is None else spacing_mm)]
        axes = Axes.from_affine(own_affine, spacing, array.shape, slice_axis=slice_axis)
        image = _as_image(axes.to_scan(array))
        if origin is None:
            origin = Origin.COIL_COMBINED if np.iscomplexobj(image) else Origin.MAGNITUDE
        slice_mm, y_mm, x_mm = (spacing[axis] for axis in axes.permutation)
        phase_encode: Literal["y", "x"] | None = None
        if phase_axis is not None and phase_axis != axes.permutation[0]:
            phase_encode = "y" if phase_axis == axes.permutation[1] else "x"
        remarks = [*notes]
        if not sides_known:
            remarks.append(NO_SIDES)
        if axes.obliquity_deg >= _TOLD_FROM_DEG:
            remarks.append(f"The slices are oblique by {axes.obliquity_deg:.1f}° and are shown unrotated.")
        if slice_axis is None and is_near_isotropic(spacing) and image.shape[1] > 1:
            remarks.append(
                f"The voxels are near isotropic and the header names no slices: the file's third axis is taken for "
                f"them ({axes.orientation})."
            )
        if origin is Origin.MAGNITUDE:
            remarks.append("This is a magnitude image: k-space made from it is simulated.")
            if image.min(initial=0) < 0:
                remarks.append("Some voxels are negative, which no plain magnitude image has.")
        return cls(
            image, own_affine, axes, (slice_mm, y_mm, x_mm), origin, phase_encode, name, path, header, tuple(remarks),
            sides_known,
        )  # fmt: skip

    @classmethod
    def from_kspace(
        cls,
        kspace: KSpace,
        *,
        affine: NDArray[np.floating[Any]] | None = None,
        spacing_mm: tuple[float, float, float] | None = None,
        phase_encode: Literal["y", "x"] | None = None,
        origin: Origin = Origin.RAW,
        name: str = "",
        path: Path | None = None,
        notes: Sequence[str] = (),
    ) -> "Scan":
        """A scan from k-space, shown as it was acquired: nothing is permuted or flipped.

        Parameters
        ----------
        affine
            ``(4, 4)`` voxel-to-world, RAS+ mm, of the image's (x, y, slice) indices, where the file records it.
        spacing_mm
            Voxel size along slice, y, x; the affine's own where omitted, 1 mm where there is neither.
        phase_encode
            Image axis the lines run along, where the file names it.
        """
        return cls._as_acquired(
            # array-like: what napari and NumPy ask of an array, it has
            cast(Image, kspace.image()), kspace, affine, spacing_mm, phase_encode, origin, name, path, notes
        )  # fmt: skip

    @classmethod
    def from_image(
        cls,
        image: Image,
        *,
        affine: NDArray[np.floating[Any]] | None = None,
        spacing_mm: tuple[float, float, float] | None = None,
        origin: Origin = Origin.MAGNITUDE,
        name: str = "",
        path: Path | None = None,
        notes: Sequence[str] = (),
    ) -> "Scan":
        """A scan from a ``(frame, slice, y, x)`` image without a file's order: nothing is permuted or flipped.

        The other parameters are those of `from_kspace`.
        """
        return cls._as_acquired(image, None, affine, spacing_mm, None, origin, name, path, notes)

    @classmethod
    def _as_acquired(
        cls,
        image: Image,
        kspace: KSpace | None,
        affine: NDArray[np.floating[Any]] | None,
        spacing_mm: tuple[float, float, float] | None,
        phase_encode: Literal["y", "x"] | None,
        origin: Origin,
        name: str,
        path: Path | None,
        notes: Sequence[str],
    ) -> "Scan":
        _, n_slices, rows, columns = image.shape
        sides_known = affine is not None
        remarks = [*notes]
        if affine is None:
            affine = _made_up_affine((n_slices, rows, columns), spacing_mm or (1.0, 1.0, 1.0))
            remarks.append(NO_SIDES)
            if spacing_mm is None:
                remarks.append(NO_SPACING)
        own_affine = np.array(affine, dtype=np.float64)
        x_mm, y_mm, slice_mm = (float(length) for length in spacing_of(own_affine))
        axes = Axes.as_acquired(own_affine)
        if axes.obliquity_deg >= _TOLD_FROM_DEG:
            remarks.append(f"The slices are oblique by {axes.obliquity_deg:.1f}° and are shown unrotated.")
        if origin is Origin.MAGNITUDE:
            remarks.append("This is a magnitude image: k-space made from it is simulated.")
        return cls(
            image, own_affine, axes, spacing_mm or (slice_mm, y_mm, x_mm), origin, phase_encode, name, path, b"",
            tuple(remarks), sides_known, kspace,
        )  # fmt: skip

    @property
    def orientation(self) -> str:
        """``"axial"``, ``"sagittal"`` or ``"coronal"``."""
        return self.axes.orientation

    def kspace_for(self, path: Path) -> KSpace:
        """The k-space to write to a file.

        Raises
        ------
        BadInput
            If the scan has none.
        """
        if self.kspace is None:
            name = self.name or "The scan"
            raise BadInput(f"{name} has no k-space to write to {path.name}; save it as .nii.gz instead.")
        return self.kspace

    def with_image(self, image: NDArray[Any], *, origin: Origin | None = None, name: str | None = None) -> "Scan":
        """The same geometry with new voxels, such as a reconstruction.

        Parameters
        ----------
        image
            ``(frame, slice, y, x)``; the number of frames may differ. Real becomes float32, complex becomes complex64.
        origin, name
            Those of this scan where omitted.

        Raises
        ------
        ValueError
            If (slice, y, x) differ from this scan's.
        """
        if image.ndim != 4 or image.shape[1:] != self.image.shape[1:]:
            raise ValueError(
                f"The new image is {image.shape}, but {self.name or 'this scan'} has (slice, y, x) = "
                f"{self.image.shape[1:]}; give (frame, slice, y, x) with the same last three."
            )
        return replace(
            self, image=_as_image(image), kspace=None, origin=origin or self.origin,
            name=self.name if name is None else name,
        )  # fmt: skip


def _made_up_affine(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
    """Of an axial stack about the origin whose columns run to the patient's left and whose rows run to the back."""
    n_slices, rows, columns = shape
    slice_mm, y_mm, x_mm = spacing_mm
    affine = np.diag([-x_mm, -y_mm, slice_mm, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array([columns, rows, n_slices]) - 1) / 2)
    return affine


def _as_image(array: NDArray[Any]) -> Image:
    """Contiguous, because slices are what every later step takes; no copy where it already is."""
    if np.iscomplexobj(array):
        return np.ascontiguousarray(array, dtype=np.complex64)
    return np.ascontiguousarray(array, dtype=np.float32)
