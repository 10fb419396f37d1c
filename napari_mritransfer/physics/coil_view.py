"""What people look at in raw k-space: coils combined to one complex image, samples in decibels. NumPy only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.physics.centred import centre_crop, inverse_transform, transform

LOW_FREQUENCIES = 24  # samples about DC along each axis: sensitivities and the phases of coils vary no faster


def combine_by_low_frequencies(
    coil_images: NDArray[Any], calibration: tuple[int, int] = (LOW_FREQUENCIES, LOW_FREQUENCIES)
) -> NDArray[np.complex64]:
    """One complex image from several coils, each weighted by its own low-resolution image.

    The low frequencies of each coil, under a Hann window, give its weight: divided by their root sum of squares they
    have unit norm over the coils. The phase that all coils share is taken relative to their first principal component
    (a virtual body coil), so that the object's own phase stays. It is a view: nothing that is missing is filled in.

    Parameters
    ----------
    coil_images
        ``(…, coil, y, x)`` complex, real where there is none.
    calibration
        ``(ky, kx)`` samples about DC that are taken for low frequencies; at most what there is.

    Returns
    -------
    image
        ``(…, y, x)`` complex64, as bright as the root sum of squares where sensitivities are smooth; zero where all
        coils are.

    References
    ----------
    McKenzie et al.: Self-calibrating parallel imaging with automatic coil sensitivity extraction, MRM 2002.
    """
    images = np.asarray(coil_images, dtype=np.complex64)
    size = images.shape[-2:]
    rows, columns = (min(wanted, there) for wanted, there in zip(calibration, size, strict=True))
    centre = centre_crop(transform(images), (rows, columns))
    smooth = np.zeros_like(images)
    centre_crop(smooth, (rows, columns))[...] = centre * (_hann(rows)[:, None] * _hann(columns))
    low = inverse_transform(smooth)
    weights = _body_coil(centre)[..., None, None]
    shared = np.sum(weights.conj() * low, axis=-3)
    norm = np.sqrt(np.sum(np.abs(low) ** 2, axis=-3))
    seen = np.sum(low.conj() * images, axis=-3)
    direction = np.exp(1j * np.angle(shared))
    combined = np.divide(seen * direction, norm, out=np.zeros_like(seen), where=norm > 0)
    return np.asarray(combined, dtype=np.complex64)


def decibels(samples: NDArray[Any], peak: float, *, floor: float = -80.0) -> NDArray[np.float32]:
    """Magnitude of samples in dB below `peak`.

    Parameters
    ----------
    samples
        Any shape, complex.
    peak
        Magnitude that becomes 0 dB; the largest sample, for a picture.
    floor
        What samples that are fainter, or zero, become.
    """
    if not peak > 0:
        return np.full(samples.shape, floor, dtype=np.float32)
    relative = np.maximum(np.abs(samples) / np.float32(peak), np.float32(10 ** (floor / 20)))
    return np.asarray(20 * np.log10(relative), dtype=np.float32)


def _body_coil(centre: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """``(…, coil)`` of unit norm, the largest weight real: the combination that sees most of the object."""
    samples = centre.reshape(*centre.shape[:-2], -1)
    _, vectors = np.linalg.eigh(samples @ np.swapaxes(samples.conj(), -1, -2))
    weights = vectors[..., -1]
    largest = np.take_along_axis(weights, np.abs(weights).argmax(-1, keepdims=True), -1)
    turned: NDArray[np.complex64] = weights * np.exp(-1j * np.angle(largest))
    return turned


def _hann(length: int) -> NDArray[np.float32]:
    """Reaches zero one sample outside; 1 at DC."""
    window: NDArray[np.float32] = (
        np.cos(np.pi * (np.arange(length, dtype=np.float32) - length // 2) / (length + 2)) ** 2
    )
    return window
