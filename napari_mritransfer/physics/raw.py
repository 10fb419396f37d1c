"""Raw multi-coil k-space to a measurement: as it was measured, or with more lines left out."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.physics.coils import combine, expand, root_sum_of_squares
from napari_mritransfer.physics.extent import has_holes, inside_box, measured_box
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingMask, SamplingPattern
from napari_mritransfer.physics.raw_mask import drawn_mask, found_mask
from napari_mritransfer.physics.sensitivity import calibration_region, low_frequency_maps
from napari_mritransfer.physics.simulated_coils import simulated_maps
from napari_mritransfer.physics.undersampling import Measurement, PhaseEncode, added_noise, signal_level, support_of

_ALREADY = (
    "The scan was undersampled when it was acquired, so lines that are missing cannot be left out for a test; take it "
    "as measured."
)
_FULL = "Every sample of this k-space was measured, so nothing was left out; undersample it instead."

_FEWEST_LINES = 4  # of a fully sampled centre: from fewer, low-resolution coil images tell nothing of the coils


@dataclass(frozen=True, slots=True, eq=False)
class Acquired:
    """Raw k-space cut to the centred box that holds all measured samples, with what is known of it.

    Attributes
    ----------
    kspace
        ``(frame, slice, coil, ky, kx)`` complex64.
    sampled
        ``(ky, kx)`` bool on that box.
    matrix
        ``(ky, kx)`` before it was cut.
    support
        ``(ky, kx)`` of the centred box that the scanner reached; smaller than `box` where nothing was cut.
    crop
        ``(y, x)`` that images are centre-cropped to.
    """

    kspace: Tensor
    sampled: NDArray[np.bool_]
    matrix: tuple[int, int]
    support: tuple[int, int]
    crop: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        kspace: Tensor,
        sampled: NDArray[np.bool_],
        *,
        reached: tuple[int, int] | None = None,
        cut: bool = True,
        crop: tuple[int, int] | None = None,
    ) -> "Acquired":
        """Cut away k-space that was only zero-padded, unless `cut` is false.

        Parameters
        ----------
        reached
            ``(ky, kx)`` of the centred box that the scanner could measure, where the file says it; else the smallest
            one that holds all measured samples.

        Raises
        ------
        ValueError
            If nothing was measured.
        """
        extent = reached or measured_box(sampled)
        matrix = (kspace.shape[-2], kspace.shape[-1])
        box = extent if cut else matrix
        inside = inside_box(sampled, box).copy()  # torch shares memory with writable arrays only
        return cls(centre_crop_or_pad(kspace, box), inside, matrix, extent, crop if crop != matrix else None)

    @property
    def box(self) -> tuple[int, int]:
        """``(ky, kx)`` of what is left."""
        return self.kspace.shape[-2], self.kspace.shape[-1]

    def measurement(
        self, mask: SamplingMask, phase_encode: PhaseEncode, reference: Tensor | None, maps: Tensor | None,
        sigma: float = 0.0,
    ) -> Measurement:  # fmt: skip
        """What `mask` leaves of it."""
        kept = torch.from_numpy(mask.on_plane(phase_encode)).to(self.kspace.device)
        measured = torch.where(kept, self.kspace, 0)
        if measured.shape[2] == 1:
            measured = measured[:, :, 0]
        return Measurement(
            measured, mask, phase_encode, self.matrix, self.support, reference, sigma, maps, self.crop
        )  # fmt: skip


def as_measured(acquired: Acquired, phase_encode: PhaseEncode) -> Measurement:
    """The measurement that the raw data are, without reference: nobody knows what was left out.

    Raises
    ------
    ValueError
        If nothing was left out.
    """
    if acquired.sampled.all():
        raise ValueError(_FULL)
    mask = found_mask(acquired.sampled, phase_encode)
    return acquired.measurement(mask, phase_encode, None, maps_of(acquired.kspace, mask, phase_encode))


def undersample_raw(
    acquired: Acquired,
    pattern: SamplingPattern,
    phase_encode: PhaseEncode,
    *,
    snr_db: float | None = None,
    noise_seed: int = 0,
) -> Measurement:
    """Leave out measured lines or samples of raw k-space; what was left out is the reference.

    The pattern is laid over what was measured only, so that its rate counts nothing that the scanner filled with
    zeros. The reference has the root sum of squares of all coils as its magnitude and the phase of their combination.

    Parameters
    ----------
    pattern
        Sampling along `phase_encode`, or over the plane; every slice gets the same mask.
    snr_db, noise_seed
        Noise added to every coil, as in `undersample`.

    Raises
    ------
    ValueError
        If lines are missing already, or the pattern does not fit.
    """
    if has_holes(acquired.sampled):
        raise ValueError(_ALREADY)
    mask = drawn_mask(pattern, acquired.sampled, acquired.support, phase_encode)
    maps = maps_of(acquired.kspace, mask, phase_encode)
    coil_images = inverse_fourier(acquired.kspace)
    reference = _reference(coil_images, maps if maps is not None else maps_of(acquired.kspace, None, phase_encode))
    sigma = 0.0
    if snr_db is not None:
        sigma = signal_level(reference.abs()) / 10 ** (snr_db / 20)
        acquired = replace(acquired, kspace=acquired.kspace + added_noise(acquired.kspace, sigma, noise_seed))
        maps = maps_of(acquired.kspace, mask, phase_encode)
    return acquired.measurement(mask, phase_encode, reference, maps, sigma)


def combined(acquired: Acquired) -> Acquired:
    """Fully sampled coils combined to one: the single-coil problem.

    Raises
    ------
    ValueError
        If samples are missing.
    """
    if not acquired.sampled.all():
        raise ValueError(_ALREADY)
    image = _reference(inverse_fourier(acquired.kspace), maps_of(acquired.kspace, None, "y"))
    return replace(acquired, kspace=fourier(image)[:, :, None])


def simulated_coils(
    image: Tensor, n_coils: int, seed: int, *, crop_to_support: bool, support: tuple[int, int] | None = None
) -> Acquired:
    """Fully sampled k-space of an image as `n_coils` simulated coils would see it.

    Parameters
    ----------
    image
        ``(frame, slice, y, x)``.
    crop_to_support
        Leave out k-space that the scanner only zero-filled, as `undersample` does.
    support
        ``(ky, kx)`` that hold signal; found in `image` if omitted.
    """
    matrix = (image.shape[-2], image.shape[-1])
    kspace = fourier(image.to(torch.complex64))
    if crop_to_support:
        kspace = centre_crop_or_pad(kspace, support or support_of(image))
    box = (kspace.shape[-2], kspace.shape[-1])
    coils = expand(inverse_fourier(kspace), simulated_maps(n_coils, box, seed).to(torch.complex64))
    return Acquired(fourier(coils), np.ones(box, dtype=bool), matrix, box)


def maps_of(kspace: Tensor, mask: SamplingMask | None, phase_encode: PhaseEncode) -> Tensor | None:
    """``(slice, coil, y, x)`` sensitivity maps from the fully sampled centre; None where there is none, or one coil.

    A centre of fewer than four lines counts as none.

    Parameters
    ----------
    kspace
        ``(frame, slice, coil, ky, kx)``; of several frames the first is looked at.
    mask
        What of it may be looked at; all where None.
    """
    if kspace.shape[2] == 1:
        return None
    shape = (kspace.shape[-2], kspace.shape[-1])
    try:
        lines = np.ones(shape, dtype=bool) if mask is None else mask.lines
        region = calibration_region(lines, shape, phase_encode)
    except ValueError:
        return None
    if min(region) < _FEWEST_LINES:
        return None
    return low_frequency_maps(kspace[0], region)


def _reference(coil_images: Tensor, maps: Tensor | None) -> Tensor:
    if maps is None:
        return coil_images[:, :, 0]
    phase = torch.angle(combine(coil_images, maps))
    return torch.polar(root_sum_of_squares(coil_images), phase)
