"""Centred orthonormal Fourier transforms on native complex tensors: DC sits at index ``n // 2``."""

import functools
from collections.abc import Callable, Sequence

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
    return _centred(torch.fft.fftn, image, axes)


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
    return _centred(torch.fft.ifftn, kspace, axes)


def _centred(transform: Callable[..., Tensor], array: Tensor, axes: Sequence[int]) -> Tensor:
    """``fftshift(transform(ifftshift(array)))``, along axes of even length without moving anything.

    There a shift on one side is a checkerboard of signs on the other (the shift theorem for half the length), and
    multiplying by them, the second time in place, costs a third of what copying does. The two shifts of an axis of
    length n bring one more sign, ``(-1)^(n/2)``.
    """
    everything = tuple(axis % array.ndim for axis in axes)
    # of more than two axes the board would be as large as a volume
    signed = tuple(sorted(axis for axis in everything if array.shape[axis] % 2 == 0))[-2:]
    shifted = tuple(axis for axis in everything if axis not in signed)
    if shifted:
        array = torch.fft.ifftshift(array, dim=shifted)
    if signed:
        lengths = tuple(array.shape[axis] if axis in signed else 1 for axis in range(signed[0], array.ndim))
        precision = torch.float64 if array.dtype in (torch.float64, torch.complex128) else torch.float32
        corner = (-1) ** sum(array.shape[axis] // 2 for axis in signed)
        array = array * _checkerboard(lengths, corner, precision, array.device)
    result = transform(array, dim=everything, norm="ortho")
    if signed:
        result.mul_(_checkerboard(lengths, 1, precision, array.device))
    return torch.fft.fftshift(result, dim=shifted) if shifted else result


@functools.lru_cache(maxsize=32)
def _checkerboard(lengths: tuple[int, ...], corner: int, precision: torch.dtype, device: torch.device) -> Tensor:
    """``corner · (-1)^(i + j + …)`` over an array of these lengths; not to be changed by whoever gets it."""
    with torch.inference_mode(False):  # a tensor made in that mode could never take part in training afterwards
        signs = torch.full((), corner, dtype=precision, device=device)
        for axis, length in enumerate(lengths):
            alternating = 1 - 2 * (torch.arange(length, device=device) % 2).to(precision)
            signs = signs * alternating.view(-1, *([1] * (len(lengths) - axis - 1)))
        return signs


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
