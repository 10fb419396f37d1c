"""ESPIRiT: sensitivity maps as eigenvectors, in as many sets as places share a voxel.

sigpy's ESPIRiT gives the first set only; a head that wraps around the field of view needs two.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mritransfer.physics.sensitivity import body_coil, calibration_data, with_body_coil_phase

KERNEL = 6  # samples: wide enough for the smoothness of head arrays, as in the paper
_VOXELS_AT_ONCE = 1 << 14  # bounds memory: one small matrix per voxel
_WRAPPED_SHARE = 0.05  # a real head that wraps has 0.21, the same kind of head that fits 0.0003: see docs/coils.md


@dataclass(frozen=True, slots=True, eq=False)
class EspiritMaps:
    """Sensitivity maps and how well they explain the calibration data.

    Attributes
    ----------
    maps
        ``(set, coil, y, x)`` complex, unit norm over the coils where the eigenvalue exceeds `crop`, zero elsewhere.
    eigenvalues
        ``(set, y, x)`` real, in [0, 1], falling over the sets: 1 where a set is fully consistent with the data.
    crop
        Eigenvalue below which a map is zero.
    """

    maps: Tensor
    eigenvalues: Tensor
    crop: float


def espirit(
    kspace: Tensor,
    region: tuple[int, int],
    *,
    kernel: int = KERNEL,
    threshold: float = 0.02,
    n_sets: int = 1,
    crop: float = 0.9,
    sigma: float = 0.0,
) -> EspiritMaps:
    """Sensitivity maps of one slice.

    Every `kernel` × `kernel` patch of the calibration samples of all coils lies in a small subspace. Projecting patches
    onto it and averaging leaves consistent k-space as it is; in the image this is one small Hermitian matrix G(r) per
    voxel, and the sensitivities are its eigenvectors with eigenvalue 1.

    Parameters
    ----------
    kspace
        ``(coil, ky, kx)`` complex, DC at index ``n // 2``.
    region
        ``(rows, columns)`` that were fully sampled (see `calibration_region`); at most 24 × 24 of them are used.
    kernel
        Width of the patches.
    threshold
        Singular values of the calibration matrix below this share of the largest count as noise.
    n_sets
        Map sets wanted, at most one per coil.
    crop
        Maps are zero where their eigenvalue is below this.
    sigma
        Standard deviation of the noise in the real part of a sample (see `physics.noise`). Singular values that noise
        alone could reach count as noise even above `threshold`: in noisy scans they would otherwise pass for a second
        place in every voxel.

    Raises
    ------
    ValueError
        If the region is smaller than a patch, or there are fewer coils than sets.

    References
    ----------
    Uecker et al.: ESPIRiT, an eigenvalue approach to autocalibrating parallel MRI, MRM 2014.
    """
    n_coils, n_rows, n_columns = kspace.shape
    if not 1 <= n_sets <= n_coils:
        raise ValueError(f"{n_coils} coils have 1 to {n_coils} sets of sensitivity maps, not {n_sets}.")
    calibration = calibration_data(kspace, region)
    if min(calibration.shape[-2:]) < kernel:
        raise ValueError(
            f"The fully sampled centre (ACS) has {calibration.shape[-2]} × {calibration.shape[-1]} samples, fewer than "
            f"ESPIRiT's kernel of {kernel} × {kernel}; measure a larger one or choose low-frequency maps."
        )
    lags = _lags(_signal_kernels(calibration, kernel, threshold, sigma))
    reference = body_coil(calibration)
    along_y, along_x = (_waves(n, kernel, kspace) for n in (n_rows, n_columns))
    rows_at_once = max(1, _VOXELS_AT_ONCE // n_columns)
    values, vectors = [], []
    for rows in along_y.split(rows_at_once):
        matrices = torch.einsum("yp,pqij,xq->yxij", rows, lags, along_x)
        all_values, all_vectors = torch.linalg.eigh(matrices)
        values.append(all_values[..., -n_sets:].flip(-1))
        vectors.append(all_vectors[..., -n_sets:].flip(-1))
    eigenvalues = torch.cat(values).movedim(-1, 0).clamp(0, 1)
    maps = with_body_coil_phase(torch.cat(vectors).permute(3, 2, 0, 1), reference)
    return EspiritMaps(torch.where(eigenvalues.unsqueeze(1) > crop, maps, 0), eigenvalues, crop)


def wrapped_share(found: EspiritMaps) -> float:
    """Share of the object's voxels in which two places lie on top of each other, in [0, 1].

    The object is where the first eigenvalue exceeds the crop; two places are there where the second one does as well.

    Raises
    ------
    ValueError
        If there are not two sets.
    """
    if len(found.eigenvalues) < 2:
        raise ValueError("Whether an object wraps shows in the second set of maps; estimate two.")
    inside = found.eigenvalues[:2] > found.crop
    return float(inside[1].sum() / inside[0].sum().clamp(min=1))


def wraps(found: EspiritMaps) -> bool:
    """Whether the object is wider than the field of view, so that one set of maps cannot describe it."""
    return wrapped_share(found) > _WRAPPED_SHARE


def _signal_kernels(calibration: Tensor, kernel: int, threshold: float, sigma: float) -> Tensor:
    """``(m, coil, kernel, kernel)`` orthonormal kernels that span the patches; those of mere noise are zero."""
    patches = calibration.unfold(1, kernel, 1).unfold(2, kernel, 1).permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
    # the Gram matrix squares singular values, which single precision would not survive
    wide = patches.to(torch.complex128)
    values, vectors = torch.linalg.eigh(wide.mT @ wide.conj())
    # the largest singular value of a matrix of independent complex noise (Marchenko and Pastur 1967)
    noise = math.sqrt(2) * sigma * (math.sqrt(patches.shape[0]) + math.sqrt(patches.shape[1]))
    signal = values > torch.clamp(threshold**2 * values[-1], min=noise**2)
    kernels: Tensor = torch.where(signal, vectors, 0).mT.unflatten(1, (len(calibration), kernel, kernel))
    return kernels.to(calibration.dtype)


def _lags(kernels: Tensor) -> Tensor:
    """Fourier coefficients of G(r), ``(2 kernel - 1, 2 kernel - 1, coil, coil)``, lag 0 in the centre.

    G is a trigonometric polynomial of degree ``kernel - 1`` in each direction, so its values on a grid of ``2 kernel -
    1`` points say everything, and no kernel is ever transformed at the size of the image.
    """
    kernel = kernels.shape[-1]
    n = 2 * kernel - 1
    # in units of the sum over a kernel's samples
    fields = torch.fft.ifftn(kernels, s=(n, n), dim=(-2, -1), norm="forward")
    values = torch.einsum("miyx,mjyx->yxij", fields, fields.conj()) / kernel**2
    coefficients: Tensor = torch.fft.fftshift(torch.fft.fftn(values, dim=(0, 1), norm="forward"), dim=(0, 1))
    return coefficients


def _waves(n: int, kernel: int, like: Tensor) -> Tensor:
    """``(n, 2 kernel - 1)``: the waves ``exp(2πi lag (j - n // 2) / n)`` along an image axis."""
    positions = torch.arange(n, device=like.device, dtype=like.real.dtype) - n // 2
    lags = torch.arange(1 - kernel, kernel, device=like.device, dtype=like.real.dtype)
    phase = 2 * math.pi / n * positions[:, None] * lags
    return torch.polar(torch.ones_like(phase), phase)
