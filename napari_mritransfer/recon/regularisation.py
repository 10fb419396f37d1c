"""How strongly to regularise: rules that follow from the noise, so that nobody turns a knob until it looks right.

The constants were chosen on simulated 8-coil scans (a brain and the Shepp-Logan phantom, four noise levels, lines and
planes undersampled three- and fivefold) and, for SENSE, on one real scan; see docs/coils.md.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TIKHONOV = 4.0
_SPARSITY = 1.0
# Without noise the equations of an undersampled scan are still ill-conditioned; and at λ = 1 the image is already half
# of what the data say.
_LEAST, _MOST = 1e-6, 1.0


def array_noise(sigma: NDArray[np.float64]) -> float:
    """One noise level for an array of coils: the root mean square over `sigma`, ``(coil,)``."""
    return float(np.sqrt(np.mean(np.square(sigma))))


def tikhonov_weight(kspace: Tensor, mask: Tensor, sigma: float) -> float:
    """λ of ``‖A x - y‖² + λ ‖x‖²``: four times the noise power over the image's mean power.

    For an image of independent voxels the noise power over the image's power would be the best λ (Wiener). Voxels are
    not independent: the aliasing that SENSE has to undo comes from outer k-space, where the image has less power than
    on average, hence four times.

    Parameters
    ----------
    kspace
        ``(coil, ky, kx)`` complex, zero where not measured; with maps of unit norm and an orthonormal transform its
        energy without the noise is that of the image, but for the little that was not measured.
    mask
        ``(ky, kx)`` bool.
    sigma
        Standard deviation of the noise in the real part of a sample, in the units of `kspace`.

    Returns
    -------
    weight
        From 1e-6 to 1, without unit: the operator's norm is at most 1.
    """
    noise = 2 * sigma**2
    energy = float(torch.linalg.vector_norm(kspace) ** 2) - noise * len(kspace) * int(mask.sum())
    power = energy / mask.numel()
    return min(_MOST, max(_LEAST, _TIKHONOV * noise / power)) if power > 0 else _MOST


def sparsity_weight(mask: Tensor, sigma: float) -> float:
    """λ of ``½ ‖A x - y‖² + λ ‖T x‖₁`` for an orthonormal wavelet transform or finite differences T: ``σ √rate``.

    This is the standard deviation that the noise gives the data term's gradient in a voxel: a coefficient that the data
    do not support by more than the noise moves it is set to zero.

    Parameters
    ----------
    mask
        ``(ky, kx)`` bool; its mean is the rate.
    sigma
        As for `tikhonov_weight`.

    Returns
    -------
    weight
        In the units of `sigma`.
    """
    return _SPARSITY * sigma * math.sqrt(float(mask.double().mean()))
