"""Centred orthonormal Fourier transforms on native complex tensors: DC sits at index ``n // 2``."""

from collections.abc import Sequence

import torch
from torch import Tensor


def fourier(image: Tensor, axes: Sequence[int] = (-2, -1)) -> Tensor:
    """Image to k-space.

    Parameters
    ----------
    image
        Any shape, real or complex; the image centre is at index ``n // 2`` of every transformed axis.
    axes
        Axes to transform.

    Returns
    -------
    kspace
        Same shape, complex, same energy as `image` (Parseval), DC at ``n // 2``.
    """
    shifted = torch.fft.ifftshift(image, dim=tuple(axes))
    kspace: Tensor = torch.fft.fftshift(torch.fft.fftn(shifted, dim=tuple(axes), norm="ortho"), dim=tuple(axes))
    return kspace


def inverse_fourier(kspace: Tensor, axes: Sequence[int] = (-2, -1)) -> Tensor:
    """K-space to image: the inverse, and, because the transform is orthonormal, the adjoint of `fourier`.

    Parameters
    ----------
    kspace
        Any shape, real or complex, DC at index ``n // 2`` of every transformed axis.
    axes
        Axes to transform.

    Returns
    -------
    image
        Same shape, complex.
    """
    shifted = torch.fft.ifftshift(kspace, dim=tuple(axes))
    image: Tensor = torch.fft.fftshift(torch.fft.ifftn(shifted, dim=tuple(axes), norm="ortho"), dim=tuple(axes))
    return image


def centre_crop_or_pad(array: Tensor, size: Sequence[int], axes: Sequence[int] = (-2, -1)) -> Tensor:
    """Cut or zero-pad about the centre so that index ``n // 2`` stays index ``size // 2``.

    Cropping k-space lowers the resolution, padding it interpolates the image (sinc); the two are adjoint.

    Parameters
    ----------
    array
        Any shape.
    size
        New length of each of `axes`, at least 1.
    """
    result = array
    for axis, new in zip(axes, size, strict=True):
        old = result.shape[axis]
        start = old // 2 - new // 2
        if new < old:
            result = result.narrow(axis, start, new)
        elif new > old:
            shape = list(result.shape)
            shape[axis] = new
            padded = result.new_zeros(shape)
            padded.narrow(axis, -start, old).copy_(result)
            result = padded
    return result
