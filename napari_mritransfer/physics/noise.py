"""How noisy raw k-space is, estimated where it holds the least signal. NumPy only."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_OUTERMOST = 0.05  # of the measured samples
_FEWEST = 64  # the median of fewer is itself noise
_MAD_TO_SIGMA = 1.4826  # median absolute deviation of a Gaussian to its standard deviation


def noise_sigma(kspace: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Standard deviation of the noise in each coil, from the outermost measured samples.

    The 5 % of the measured samples that are farthest from DC (at least 64), in units of how far the measured samples
    reach along each axis, hold the corners of k-space, where anatomy has hardly any energy left. Their median absolute
    value, times 1.4826, ignores what is left of it as long as noise is the larger part.

    Parameters
    ----------
    kspace
        ``(…, coil, ky, kx)`` complex, DC at index ``n // 2``; leading axes (frames, slices) are pooled.
    mask
        ``(ky, kx)`` bool, True where measured.

    Returns
    -------
    sigma
        ``(coil,)`` standard deviation of the real (or imaginary) part, in the units of `kspace`; with orthonormal
        transforms also that of a coil image. Zero for noise-free simulations.

    Raises
    ------
    ValueError
        If nothing was measured or the shapes do not fit.
    """
    if kspace.ndim < 3 or kspace.shape[-2:] != mask.shape:
        raise ValueError(
            f"K-space (…, coil, ky, kx) of shape {kspace.shape} does not fit a mask (ky, kx) of shape {mask.shape}."
        )
    rows, columns = _outermost(mask)
    samples = np.moveaxis(kspace[..., rows, columns], -2, 0).reshape(kspace.shape[-3], -1)
    parts = np.concatenate([samples.real, samples.imag], axis=1)
    return np.asarray(_MAD_TO_SIGMA * np.median(np.abs(parts), axis=1), dtype=np.float64)


def _outermost(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the measured samples farthest from DC."""
    rows, columns = np.nonzero(mask)
    if not rows.size:
        raise ValueError("The mask is empty, so there is no sample to estimate noise from; choose another scan.")
    from_dc = [np.abs(at - n // 2) for at, n in zip((rows, columns), mask.shape, strict=True)]
    distance = sum((along / max(1, along.max())) ** 2 for along in from_dc)
    count = min(rows.size, max(_FEWEST, round(_OUTERMOST * rows.size)))
    chosen = np.argpartition(distance, -count)[-count:]
    return rows[chosen], columns[chosen]
