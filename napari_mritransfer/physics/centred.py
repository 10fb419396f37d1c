"""Centred orthonormal Fourier transforms in NumPy, for the process that shows k-space and must not load torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLANE = (-2, -1)


def transform(image: NDArray[Any], axes: tuple[int, ...] = _PLANE) -> NDArray[np.complex64]:
    """Image to k-space over `axes`; the same convention as `physics.fourier.fourier`, DC at ``n // 2``.

    Parameters
    ----------
    image
        Any shape, real or complex; computed in single precision.
    """
    from scipy import fft  # slow to import, and most commands transform nothing in NumPy

    shifted = np.fft.ifftshift(np.asarray(image, dtype=np.complex64), axes)
    result: NDArray[np.complex64] = np.fft.fftshift(fft.fftn(shifted, axes=axes, norm="ortho"), axes)
    return result


def inverse_transform(kspace: NDArray[Any], axes: tuple[int, ...] = _PLANE) -> NDArray[np.complex64]:
    """K-space to image: the inverse, and the adjoint, of `transform`."""
    from scipy import fft

    shifted = np.fft.ifftshift(np.asarray(kspace, dtype=np.complex64), axes)
    result: NDArray[np.complex64] = np.fft.fftshift(fft.ifftn(shifted, axes=axes, norm="ortho"), axes)
    return result


def centre_crop(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """A view of the last two axes cut to `size` about index ``n // 2``; `size` is at most what is there."""
    rows, columns = image.shape[-2:]
    top, left = rows // 2 - size[0] // 2, columns // 2 - size[1] // 2
    return image[..., top : top + size[0], left : left + size[1]]
