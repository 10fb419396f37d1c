"""A head in an array of simulated coils, for tests of what estimates coils and what uses them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_mritransfer.physics.coils import expand
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier
from napari_mritransfer.physics.simulated_coils import simulated_maps

ACS = (20, 20)


@dataclass(frozen=True)
class CoilScan:
    """``image`` (y, x) and ``maps`` (coil, y, x) are the truth; ``kspace`` (coil, ky, kx) is zero outside ``mask``."""

    image: Tensor
    maps: Tensor
    kspace: Tensor
    mask: Tensor
    inside: Tensor


def head(size: tuple[int, int], *, width: float = 0.7) -> Tensor:
    """Ellipses with folds and a smooth phase, ``(y, x)`` complex64, brightest about 1; `width` in half FOVs."""
    v, u = torch.meshgrid(*((torch.arange(n) - n // 2) * 2 / n for n in size), indexing="ij")
    image = torch.zeros(size)
    for intensity, cv, cu, rv, ru in (
        *((0.6, 0, 0, 0.8, width), (0.4, 0, 0, 0.72, 0.88 * width), (-0.5, 0.1, 0.2, 0.25, 0.12)),
        *((-0.4, 0.1, -0.2, 0.25, 0.12), (0.3, -0.4, 0.1, 0.1, 0.15), (-0.2, 0.5, 0, 0.1, 0.3)),
    ):
        image += intensity * (((v - cv) / rv) ** 2 + ((u - cu) / ru) ** 2 < 1)
    folds = 1 + 0.25 * torch.sign(torch.sin(20 * u) * torch.sin(17 * v))  # detail that the centre of k-space lacks
    return torch.polar(image.abs() * folds, u - 0.7 * v + 0.5 * u * v)


def coil_scan(
    size: tuple[int, int] = (64, 60), *, n_coils: int = 8, sigma: float = 0.01, rate: float = 0.3, seed: int = 0
) -> CoilScan:
    """Random samples, denser towards the centre, of a head that fits the field of view."""
    image, maps = head(size), simulated_maps(n_coils, size, seed=3)
    mask = plane_mask(size, rate, seed)
    kspace = measured(fourier(expand(image, maps)), mask, sigma, seed)
    return CoilScan(image, maps, kspace, mask, image.abs() > 0.05)


def wrapped_kspace(
    size: tuple[int, int] = (64, 60), *, sigma: float = 0.005, rate: float = 1.0
) -> tuple[Tensor, Tensor]:
    """K-space and mask of a head that is wider than the field of view, so that its sides lie on each other."""
    wide = (size[0], 3 * size[1] // 2)
    coil_images = expand(head(wide, width=0.9), simulated_maps(8, wide, seed=3))
    folded = centre_crop_or_pad(coil_images, (size[0], 3 * size[1])).unflatten(-1, (3, size[1])).sum(-2)
    mask = plane_mask(size, rate, 0)
    return measured(fourier(folded), mask, sigma, 0), mask


def plane_mask(size: tuple[int, int], rate: float, seed: int) -> Tensor:
    """``(ky, kx)`` bool: a fully sampled centre of `ACS`, and random samples around it."""
    v, u = torch.meshgrid(*((torch.arange(n) - n // 2) * 2 / n for n in size), indexing="ij")
    density = 3 - torch.hypot(u, v)
    drawn = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    mask = drawn < rate * density / density.mean() if rate < 1 else torch.ones(size, dtype=torch.bool)
    top, left = (n // 2 - acs // 2 for n, acs in zip(size, ACS, strict=True))
    mask[top : top + ACS[0], left : left + ACS[1]] = True
    return mask


def measured(kspace: Tensor, mask: Tensor, sigma: float, seed: int) -> Tensor:
    """With complex Gaussian noise of `sigma` per real channel, and zero outside the mask."""
    noise = torch.randn((*kspace.shape, 2), generator=torch.Generator().manual_seed(seed))
    return torch.where(mask, kspace + sigma * torch.view_as_complex(noise), 0)


def nrmse(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).norm() / truth.norm())
