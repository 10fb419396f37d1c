"""Centred orthonormal Fourier transforms on native complex tensors: DC sits at index ``n // 2``."""

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_BLOCK = 2**18  # complex numbers, 2 MB in single precision


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
    if not signed:
        centred: Tensor = torch.fft.fftshift(transform(array, dim=everything, norm="ortho"), dim=shifted)
        return centred
    lengths = tuple(array.shape[axis] if axis in signed else 1 for axis in range(signed[0], array.ndim))
    corner = (-1) ** sum(array.shape[axis] // 2 for axis in signed)
    if not shifted and _is_worth_blocks(array, min(everything)):
        return _in_blocks(transform, array, everything, lengths, corner)
    precision = torch.float64 if array.dtype in (torch.float64, torch.complex128) else torch.float32
    array = array * _checkerboard(lengths, corner, precision, array.device)
    result = transform(array, dim=everything, norm="ortho")
    result.mul_(_checkerboard(lengths, 1, precision, array.device))
    return torch.fft.fftshift(result, dim=shifted) if shifted else result


def _is_worth_blocks(array: Tensor, independent: int) -> bool:
    """Whether the first axes, so many of them, can be taken apart, and whether anything is gained by it."""
    if (torch.is_grad_enabled() and array.requires_grad) or array.device.type != "cpu":
        return False  # what is written in place knows no gradient (nor torch.func's transforms)
    several = math.prod(array.shape[:independent]) > 1
    return several and array.numel() > _BLOCK and array.is_complex() and array.is_contiguous()


def _in_blocks(
    transform: Callable[..., Tensor], array: Tensor, axes: tuple[int, ...], lengths: tuple[int, ...], corner: int
) -> Tensor:
    """Sign, transform, sign, for as much at a time as stays in a processor's cache; `lengths` of the checkerboard."""
    independent = min(axes)
    images = array.resolve_conj().flatten(0, independent - 1)
    result = torch.empty(images.shape, dtype=images.dtype)
    count = max(1, _BLOCK // images[0].numel())
    held = torch.empty_like(result[:count])
    precision = images.real.dtype
    # as pairs of real numbers, which are multiplied faster than complex ones
    before, after = (_checkerboard(lengths, sign, precision, array.device, pairs=True) for sign in (corner, 1))
    dim = tuple(axis - independent + 1 for axis in axes)
    for block, finished in zip(images.split(count), result.split(count), strict=True):
        signed = held[: len(block)]
        torch.mul(_as_pairs(block), before, out=_as_pairs(signed))
        transform(signed, dim=dim, norm="ortho", out=finished)
        _as_pairs(finished).mul_(after)
    transformed: Tensor = result.unflatten(0, array.shape[:independent])
    return transformed


def _as_pairs(array: Tensor) -> Tensor:
    """``(…, n)`` complex to ``(…, 2n)`` real, a view where the last axis is contiguous."""
    return torch.view_as_real(array).flatten(-2)


@functools.lru_cache(maxsize=32)
def _checkerboard(
    lengths: tuple[int, ...], corner: int, precision: torch.dtype, device: torch.device, *, pairs: bool = False
) -> Tensor:
    """``corner · (-1)^(i + j + …)`` over an array of these lengths; not to be changed by whoever gets it.

    With `pairs` along the last axis as `_as_pairs` lays it out, unless nothing changes along it.
    """
    with torch.inference_mode(False):  # a tensor made in that mode could never take part in training afterwards
        signs = torch.full((), corner, dtype=precision, device=device)
        for axis, length in enumerate(lengths):
            alternating = 1 - 2 * (torch.arange(length, device=device) % 2).to(precision)
            signs = signs * alternating.view(-1, *([1] * (len(lengths) - axis - 1)))
        return signs.repeat_interleave(2, -1) if pairs and lengths[-1] > 1 else signs


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
