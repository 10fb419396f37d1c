"""Several receive coils: images seen through sensitivity maps, SENSE's forward operator and its adjoint.

Maps have unit norm over the coils wherever they describe anything, so `combine` undoes `expand` there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_mritransfer.physics.fourier import fourier, inverse_fourier

_PLANE = (-2, -1)


def expand(image: Tensor, maps: Tensor) -> Tensor:
    """What every coil sees of an image.

    Parameters
    ----------
    image
        ``(…, y, x)``.
    maps
        ``(…, coil, y, x)`` complex sensitivity maps.

    Returns
    -------
    coil_images
        ``(…, coil, y, x)`` complex.
    """
    return image.unsqueeze(-3) * maps


def combine(coil_images: Tensor, maps: Tensor) -> Tensor:
    """Coil images to one image, ``Σ conj(S) x`` over the coils: the adjoint of `expand`.

    Parameters
    ----------
    coil_images
        ``(…, coil, y, x)``.
    maps
        ``(…, coil, y, x)`` complex sensitivity maps.

    Returns
    -------
    image
        ``(…, y, x)`` complex. With maps of unit norm it is the combination with the best signal-to-noise ratio.

    References
    ----------
    Roemer et al.: The NMR phased array, MRM 1990.
    """
    return (maps.conj() * coil_images).sum(-3)


def root_sum_of_squares(coil_images: Tensor) -> Tensor:
    """``(…, coil, y, x)`` coil images to a ``(…, y, x)`` real magnitude image that needs no maps."""
    magnitude: Tensor = torch.linalg.vector_norm(coil_images, dim=-3)
    return magnitude


def sense_forward(image: Tensor, maps: Tensor, mask: Tensor, axes: Sequence[int] = _PLANE) -> Tensor:
    """Image to the samples that every coil measures of it.

    Parameters
    ----------
    image
        ``(…, y, x)``.
    maps
        ``(…, coil, y, x)`` complex sensitivity maps.
    mask
        Bool, True where measured; broadcasts against ``(…, coil, ky, kx)``.
    axes
        Axes that are transformed; ``(-1,)`` in hybrid space.

    Returns
    -------
    kspace
        ``(…, coil, ky, kx)`` complex, zero where not measured.

    References
    ----------
    Pruessmann et al.: SENSE, sensitivity encoding for fast MRI, MRM 1999.
    """
    kspace = fourier(expand(image, maps), axes)
    return torch.where(mask, kspace, torch.zeros_like(kspace))


def sense_adjoint(kspace: Tensor, maps: Tensor, mask: Tensor, axes: Sequence[int] = _PLANE) -> Tensor:
    """Adjoint of `sense_forward`: measured samples to the coil-combined zero-filled image.

    Parameters
    ----------
    kspace
        ``(…, coil, ky, kx)``; what it holds where `mask` is False is ignored.
    maps, mask, axes
        As for `sense_forward`.

    Returns
    -------
    image
        ``(…, y, x)`` complex.
    """
    return combine(inverse_fourier(torch.where(mask, kspace, torch.zeros_like(kspace)), axes), maps)


def soft_sense_forward(images: Tensor, maps: Tensor, mask: Tensor, axes: Sequence[int] = _PLANE) -> Tensor:
    """Several images, each seen through its own set of maps, to the samples that every coil measures of their sum.

    Where an object is wider than the field of view, two places share a voxel and two maps are needed there.

    Parameters
    ----------
    images
        ``(…, set, y, x)``.
    maps
        ``(…, set, coil, y, x)`` complex.
    mask, axes
        As for `sense_forward`.

    Returns
    -------
    kspace
        ``(…, coil, ky, kx)`` complex, zero where not measured.

    References
    ----------
    Uecker et al.: ESPIRiT, an eigenvalue approach to autocalibrating parallel MRI, MRM 2014.
    """
    kspace = fourier(expand(images, maps).sum(-4), axes)
    return torch.where(mask, kspace, torch.zeros_like(kspace))


def soft_sense_adjoint(kspace: Tensor, maps: Tensor, mask: Tensor, axes: Sequence[int] = _PLANE) -> Tensor:
    """Adjoint of `soft_sense_forward`: ``(…, coil, ky, kx)`` samples to ``(…, set, y, x)`` images."""
    coil_images = inverse_fourier(torch.where(mask, kspace, torch.zeros_like(kspace)), axes)
    return combine(coil_images.unsqueeze(-4), maps)


def combine_sets(images: Tensor) -> Tensor:
    """One image of all map sets: the root-sum-of-squares magnitude with the phase of the first set.

    Parameters
    ----------
    images
        ``(…, set, y, x)`` complex.

    Returns
    -------
    image
        ``(…, y, x)`` complex; of a single set, that set.
    """
    first = images.select(-3, 0)
    return torch.polar(torch.linalg.vector_norm(images, dim=-3), first.angle())
