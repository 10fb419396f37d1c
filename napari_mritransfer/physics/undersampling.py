"""Image to simulated measurement, measurement to zero-filled image; `physics.measured` is for real measurements."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.physics.coils import root_sum_of_squares
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingMask, SamplingPattern, make_on_plane
from napari_mritransfer.physics.support import measured_support

PhaseEncode = Literal["y", "x"]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Undersampled Cartesian k-space, with what is needed to reconstruct and to judge it.

    Attributes
    ----------
    kspace
        ``(frame, slice, ky, kx)`` complex64, DC in the centre, zero where not measured; with several coils
        ``(frame, slice, coil, ky, kx)``.
    mask
        The phase-encode lines measured, along ky or kx, or the samples of the plane.
    phase_encode
        Image axis that a mask of lines runs along.
    matrix
        ``(y, x)`` of the image this was made from; larger than k-space where its outer part was empty.
    support
        ``(ky, kx)`` lines that really hold signal.
    reference
        ``(frame, slice, y, x)`` complex64 on the k-space's own matrix: everything measured, without added noise; None
        where the scan was undersampled when it was acquired, so that nobody knows.
    noise_sigma
        Standard deviation of the noise added to each real channel, in units of `reference`: intensities on the
        measured matrix are ``sqrt(voxels of the image / samples measured)`` times those of the image.
    maps
        ``(slice, coil, y, x)`` complex64 sensitivity maps on the k-space's matrix, of unit norm over the coils, from
        the fully sampled centre of what was measured; None where the coils were combined.
    crop
        ``(y, x)`` that images are centre-cropped to on the way out; None where the whole matrix is shown.
    is_real
        Whether the image behind it is a magnitude, without phase.
    """

    kspace: Tensor
    mask: SamplingMask
    phase_encode: PhaseEncode
    matrix: tuple[int, int]
    support: tuple[int, int]
    reference: Tensor | None
    noise_sigma: float = 0.0
    maps: Tensor | None = None
    crop: tuple[int, int] | None = None
    is_real: bool = False

    @property
    def effective_rate(self) -> float:
        """Measured fraction of the lines or samples that hold signal; the achieved rate where all of them do."""
        return self.mask.rate_within(self.mask_support)

    @property
    def mask_support(self) -> tuple[int, ...]:
        """`support` as the mask counts: of the lines alone, or of both axes of a plane."""
        return self.support if self.mask.is_plane else (self.support[0 if self.phase_encode == "y" else 1],)

    @property
    def sampled(self) -> NDArray[np.bool_]:
        """``(ky, kx)`` bool, True where measured."""
        rows, columns = self.kspace.shape[-2:]
        return np.broadcast_to(self.mask.on_plane(self.phase_encode), (rows, columns)).copy()

    @property
    def n_coils(self) -> int:
        """Receive coils; 1 where they were combined."""
        return self.kspace.shape[2] if self.kspace.ndim == 5 else 1

    @property
    def readout_positions(self) -> int:
        """Samples along the readout."""
        return self.kspace.shape[-1 if self.phase_encode == "y" else -2]

    def describe_rate(self) -> str:
        """The rates for a person: nominal, achieved and, where it differs, effective."""
        if self.mask.pattern is None:
            return f"as measured, {self.mask.achieved_rate:.1%} of the {self.mask.unit}"
        text = f"nominal {self.mask.pattern.rate:.1%}, achieved {self.mask.achieved_rate:.1%}"
        if abs(self.effective_rate - self.mask.achieved_rate) > 1e-9:
            text += f", effective {self.effective_rate:.1%} of the {self.mask.unit} that hold signal"
        return text

    def describe_sampling(self) -> str:
        """One sentence: the rates, where the samples lie, and how many coils saw them."""
        rate = self.describe_rate()
        where = "scattered over the plane" if self.mask.is_plane else f"lines along {self.phase_encode}"
        coils = f", {self.n_coils} coils" if self.n_coils > 1 else ""
        return f"{rate[0].upper()}{rate[1:]}, {where}{coils}."


def undersample(
    image: Tensor,
    pattern: SamplingPattern,
    *,
    phase_encode: PhaseEncode = "y",
    crop_to_support: bool = True,
    support: tuple[int, int] | None = None,
    snr_db: float | None = None,
    noise_seed: int = 0,
) -> Measurement:
    """Simulate an undersampled acquisition of an image.

    Clinical images are often zero-filled by the scanner: part of their k-space was never measured, and sampling it
    flatters every method. By default it is cut away first, so that the rate counts measured lines only; otherwise
    `Measurement.effective_rate` tells the difference.

    Parameters
    ----------
    image
        ``(frame, slice, y, x)`` real or complex.
    pattern
        Sampling along `phase_encode`, or over the plane; every slice gets the same mask.
    crop_to_support
        Cut k-space to its measured support along both in-plane axes.
    support
        ``(ky, kx)`` lines that hold signal; found in `image` if omitted. Give it where `image` is a few slices of a
        scan (see `support_of`): it is the scan's, and a single slice shows it poorly.
    snr_db
        Add complex Gaussian noise so that ``20 log10(mean foreground / sigma)`` is this, sigma per real channel;
        None adds none. The one realisation is part of the measurement, hence shared by every method.
    noise_seed
        Of the noise.

    Raises
    ------
    ValueError
        If the image is not four-dimensional, the axis is not y or x, or the pattern does not fit (see `masks.make`).
    """
    if image.ndim != 4:
        raise ValueError(f"An image has four axes (frame, slice, y, x), not {image.ndim}.")
    if phase_encode not in ("y", "x"):
        raise ValueError(f"The phase-encode axis is 'y' or 'x', not '{phase_encode}'.")
    if snr_db is not None and not math.isfinite(snr_db):
        raise ValueError(f"The SNR is {snr_db} dB; give a finite number, such as 30.")
    matrix = (image.shape[-2], image.shape[-1])
    support = support or support_of(image)
    kspace = fourier(image.to(torch.complex64))
    if crop_to_support:
        kspace = centre_crop_or_pad(kspace, support)
    reference = inverse_fourier(kspace)
    sigma = 0.0
    if snr_db is not None:
        sigma = signal_level(reference.abs()) / 10 ** (snr_db / 20)
        kspace = kspace + added_noise(kspace, sigma, noise_seed)
    mask = make_on_plane(pattern, (kspace.shape[-2], kspace.shape[-1]), phase_encode)
    lines = torch.from_numpy(mask.on_plane(phase_encode)).to(kspace.device)
    measured = torch.where(lines, kspace, 0)
    return Measurement(
        measured, mask, phase_encode, matrix, support, reference, sigma, is_real=not image.is_complex()
    )  # fmt: skip


def added_noise(kspace: Tensor, sigma: float, seed: int) -> Tensor:
    """Complex Gaussian noise of the shape and on the device of `kspace`, `sigma` per real channel."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.view_as_complex(torch.randn((*kspace.shape, 2), generator=generator))
    return sigma * noise.to(kspace.device)


def assumed_axis(phase_encode: PhaseEncode) -> str:
    """What to tell a person whose file is silent on the direction of its lines."""
    return f"The file does not name its phase-encode axis, so {phase_encode} was assumed."


def support_of(image: Tensor) -> tuple[int, int]:
    """``(ky, kx)`` lines that hold signal in the k-space of a ``(frame, slice, y, x)`` image."""
    pixels = image.detach().cpu().numpy()
    return measured_support(pixels, 2), measured_support(pixels, 3)


def zero_filled(measurement: Measurement) -> Tensor:
    """Inverse FFT of what was measured: ``(frame, slice, y, x)`` complex64 on the k-space's own matrix.

    Of several coils the root sum of squares.
    """
    image = inverse_fourier(measurement.kspace)
    return image if image.ndim == 4 else root_sum_of_squares(image).to(torch.complex64)


def on_image_matrix(image: Tensor, matrix: tuple[int, int]) -> Tensor:
    """Interpolate (zero-fill k-space) from the measured matrix to the image's own, as the scanner did.

    Parameters
    ----------
    image
        ``(…, y, x)`` complex.
    matrix
        ``(y, x)`` wanted.
    """
    if tuple(image.shape[-2:]) == matrix:
        return image
    return inverse_fourier(centre_crop_or_pad(fourier(image), matrix))


def as_shown(image: Tensor, measurement: Measurement) -> Tensor:
    """A reconstruction as people see it: on the image's own matrix, cut to the part that is shown.

    Parameters
    ----------
    image
        ``(…, y, x)`` complex on the measured matrix.
    """
    whole = on_image_matrix(image, measurement.matrix)
    return whole if measurement.crop is None else centre_crop_or_pad(whole, measurement.crop)


def signal_level(magnitude: Tensor) -> float:
    """Mean over the foreground, here the voxels above 10 % of the 99th percentile; air does not count."""
    values = magnitude.flatten()
    bright = values.kthvalue(max(1, round(0.99 * values.numel()))).values
    inside = values[values > 0.1 * bright]
    return float(inside.mean()) if inside.numel() else 0.0
