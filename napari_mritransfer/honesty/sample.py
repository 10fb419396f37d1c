"""The few slices that checks look at: a 10 GB file is not read to be examined."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.scan import Scan
from napari_mritransfer.physics.centred import centre_crop, inverse_transform, transform

_IMAGES = 8
_RAW_SLICES, _RAW_COILS = 3, 8
_MIDDLE = 0.6  # the outermost slices of a stack show little but air


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Some slices of a scan in both domains.

    Attributes
    ----------
    coil_images
        ``(slice, coil, y, x)`` complex64 on k-space's matrix; one coil where they were combined.
    kspace
        ``(slice, coil, ky, kx)`` complex64, DC in the centre; of scans without k-space the transform of the image.
    measured
        ``(ky, kx)`` bool; True everywhere for scans without k-space.
    magnitude
        ``(slice, y, x)`` float32 as it is shown: root sum of squares over all coils.
    is_raw
        Whether the file holds k-space.
    has_phase
        Whether the numbers are complex.
    slices
        Which slices these are; of a scan with one slice, which frames.
    """

    coil_images: NDArray[np.complex64]
    kspace: NDArray[np.complex64]
    measured: NDArray[np.bool_]
    magnitude: NDArray[np.float32]
    is_raw: bool
    has_phase: bool
    slices: tuple[int, ...]

    @classmethod
    def of(cls, scan: Scan) -> "Sample":
        """Eight slices of an image, three slices and eight coils of k-space, from the middle 60 % of the first frame.

        A scan with one slice gives frames instead. Coils are those spread evenly over the numbers.

        Raises
        ------
        UnreadableScan
            If the file cannot be read there.
        """
        frames, slices = scan.image.shape[:2]
        along_slices = slices > 1 or frames == 1
        count = _IMAGES if scan.kspace is None else _RAW_SLICES
        chosen = _from_the_middle(slices if along_slices else frames, count)
        places = [(0, index) if along_slices else (index, 0) for index in chosen]
        if scan.kspace is None:
            planes = np.stack([np.asarray(scan.image[frame, index]) for frame, index in places])
            images = planes.astype(np.complex64)[:, None]
            everything = np.ones(planes.shape[-2:], dtype=bool)
            magnitude = np.abs(planes).astype(np.float32) if np.iscomplexobj(planes) else planes
            return cls(images, transform(images), everything, magnitude, False, np.iscomplexobj(planes), chosen)
        coils = np.unique(np.linspace(0, scan.kspace.n_coils - 1, min(scan.kspace.n_coils, _RAW_COILS)).round())
        raw = np.stack([scan.kspace.slice(*place)[coils.astype(int)] for place in places])
        images = inverse_transform(raw)
        squares = np.sum(np.abs(images) ** 2, axis=1)
        shown = centre_crop(np.sqrt(squares), scan.kspace.image_matrix)
        return cls(images, raw, scan.kspace.measured(), shown.astype(np.float32), True, True, chosen)

    @property
    def line_power(self) -> dict[str, NDArray[np.float64]]:
        """Energy of each k-space line along ``y`` and ``x``, summed over everything else."""
        power = np.sum(np.abs(self.kspace.astype(np.complex128)) ** 2, axis=(0, 1))
        return {"y": power.sum(axis=1), "x": power.sum(axis=0)}


def _from_the_middle(length: int, count: int) -> tuple[int, ...]:
    first = (1 - _MIDDLE) / 2 * (length - 1)
    return tuple(sorted({round(place) for place in np.linspace(first, length - 1 - first, min(count, length))}))
