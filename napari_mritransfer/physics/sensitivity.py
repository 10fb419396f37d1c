"""Where k-space is fully sampled, and a fast estimate of the coils' sensitivities from there."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.physics.centre import WIDEST_CALIBRATION, whole_centre
from napari_mritransfer.physics.fourier import centre_crop_or_pad, inverse_fourier


def calibration_region(
    mask: NDArray[np.bool_], shape: tuple[int, int], phase_encode: Literal["y", "x"] = "y"
) -> tuple[int, int]:
    """Size of the fully sampled rectangle around DC (the ACS) that tells most about coils, see `whole_centre`.

    Parameters
    ----------
    mask
        ``(ky, kx)`` bool, True where measured, or ``(n_lines,)`` along `phase_encode`.
    shape
        ``(ky, kx)`` of k-space.
    phase_encode
        Axis that a mask of lines runs along; a mask of the plane does not need it.

    Returns
    -------
    rows, columns
        The rectangle covers ``n // 2 - size // 2`` up to ``size`` more along each axis: what a centre crop cuts out.

    Raises
    ------
    ValueError
        If the mask does not fit, or DC was not measured, so that there is no such rectangle.
    """
    plane = mask if mask.ndim == 2 else np.broadcast_to(mask[:, None] if phase_encode == "y" else mask, shape)
    if plane.shape != tuple(shape):
        raise ValueError(f"A mask of shape {mask.shape} does not fit k-space of shape {tuple(shape)}.")
    found = whole_centre(plane)
    if 0 in found:
        raise ValueError(
            "There is no fully sampled centre (ACS) to estimate coil sensitivities from: DC was not measured; choose a "
            "scan or a mask with one."
        )
    return found


def calibration_data(kspace: Tensor, region: tuple[int, int]) -> Tensor:
    """``(…, coil, ky, kx)`` k-space cut to the fully sampled `region`, and to at most 24 samples along each axis."""
    rows, columns = (min(size, WIDEST_CALIBRATION) for size in region)
    return centre_crop_or_pad(kspace, (rows, columns))


def low_frequency_maps(kspace: Tensor, region: tuple[int, int]) -> Tensor:
    """Sensitivity maps from low-resolution coil images: fast, smooth, slightly blurred at the object's edges.

    Each coil's calibration samples, under a Hann window against ringing, give a low-resolution image; divided by the
    root-sum-of-squares over the coils it is the coil's sensitivity.

    Parameters
    ----------
    kspace
        ``(…, coil, ky, kx)`` complex, DC at index ``n // 2``.
    region
        ``(rows, columns)`` that were fully sampled, see `calibration_region`.

    Returns
    -------
    maps
        ``(…, coil, y, x)`` complex, of unit norm over the coils in every voxel, empty ones included; the phase is
        relative to a virtual body coil (see `body_coil`), so that the combined image keeps the object's phase.

    References
    ----------
    McKenzie et al.: Self-calibrating parallel imaging with automatic coil sensitivity extraction, MRM 2002.
    """
    calibration = calibration_data(kspace, region)
    size = (kspace.shape[-2], kspace.shape[-1])
    reference = body_coil(calibration)
    windowed = calibration * _hann(calibration.shape[-2:], kspace)
    images = inverse_fourier(centre_crop_or_pad(windowed, size))
    # where a voxel saw nothing at all, the maps are those of the virtual body coil
    images = torch.where(images.abs().amax(-3, keepdim=True) > 0, images, reference[..., None, None])
    maps = images / torch.linalg.vector_norm(images, dim=-3, keepdim=True)
    return with_body_coil_phase(maps, reference)


def body_coil(calibration: Tensor) -> Tensor:
    """Weights of the one combination of the coils that sees most of the object: their first principal component.

    Parameters
    ----------
    calibration
        ``(…, coil, ky, kx)`` complex.

    Returns
    -------
    weights
        ``(…, coil)`` complex, of unit norm, the coil with the largest weight real: ``Σ conj(w) x`` is the body coil.
    """
    samples = calibration.flatten(-2)
    _, vectors = torch.linalg.eigh(samples @ samples.mH)
    weights = vectors[..., -1]
    largest = weights.gather(-1, weights.abs().argmax(-1, keepdim=True))
    turned: Tensor = weights * torch.polar(torch.ones_like(largest.real), -largest.angle())
    return turned


def with_body_coil_phase(maps: Tensor, weights: Tensor) -> Tensor:
    """Turn the phase that all coils of a voxel share so that the virtual body coil's sensitivity is real there.

    Estimated maps are defined up to that phase; this choice is smooth, and the same for every way to estimate them.

    Parameters
    ----------
    maps
        ``(…, coil, y, x)`` complex.
    weights
        ``(…, coil)`` complex, see `body_coil`.
    """
    seen = (weights.conj()[..., None, None] * maps).sum(-3, keepdim=True)
    return maps * torch.polar(torch.ones_like(seen.real), -seen.angle())


def _hann(size: torch.Size, like: Tensor) -> Tensor:
    """Hann window that reaches zero one sample outside, centred on DC."""
    rows, columns = (
        torch.cos(torch.pi * (torch.arange(n, device=like.device, dtype=like.real.dtype) - n // 2) / (n + 2)) ** 2
        for n in size
    )
    return rows[:, None] * columns
