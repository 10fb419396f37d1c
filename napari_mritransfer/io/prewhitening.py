"""Coils whose noise is equally strong and independent: what SENSE and every noise estimate take for granted."""

import numpy as np
from numpy.typing import NDArray

_LEAST_PER_COIL = 4  # samples; with fewer the covariance is mostly chance


def whitening(noise: NDArray[np.complex64]) -> NDArray[np.complex64] | None:
    """The matrix that whitens noise like this, by the Cholesky factor of its covariance.

    Parameters
    ----------
    noise
        ``(coil, sample)`` without signal.

    Returns
    -------
    whiten
        ``(coil, coil)``; ``whiten @ samples`` has noise of one variance in every coil, the mean of the variances
        before, so that intensities stay in their range. None if the samples are too few or a coil is dead.

    References
    ----------
    Pruessmann et al.: Advances in sensitivity encoding with arbitrary k-space trajectories, MRM 2001, appendix B.
    """
    coils, samples = noise.shape
    if samples < _LEAST_PER_COIL * coils:
        return None
    wide = noise.astype(np.complex128)
    covariance = wide @ wide.conj().T / samples
    try:
        factor = np.linalg.cholesky(covariance)
        whiten = np.linalg.inv(factor) * np.sqrt(np.trace(covariance).real / coils)
    except np.linalg.LinAlgError:
        return None
    return whiten.astype(np.complex64) if np.isfinite(whiten).all() else None
