"""Coil compression: many coils to fewer virtual ones that see nearly everything the many do."""

import torch
from torch import Tensor


def compress_coils(kspace: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Keep the `n` strongest principal components of the coils.

    Parameters
    ----------
    kspace
        ``(…, coil, ky, kx)`` complex; samples that were not measured are zero and weigh nothing.
    n
        Virtual coils wanted, from 1 to the number of coils.

    Returns
    -------
    virtual
        ``(…, n, ky, kx)``, strongest first, of the dtype of `kspace`.
    matrix
        ``(n, coil)`` with orthonormal rows, ``virtual = matrix @ coils``: white noise stays white and keeps its level.

    Raises
    ------
    ValueError
        If `n` is out of range.

    References
    ----------
    Buehrer et al.: Array compression for MRI with large coil arrays, MRM 2007.
    """
    n_coils = kspace.shape[-3]
    if not 1 <= n <= n_coils:
        raise ValueError(f"{n_coils} coils can be compressed to 1 to {n_coils} virtual ones, not to {n}.")
    # double: single-precision sums over millions of samples would blur the weak components
    _, vectors = torch.linalg.eigh(_covariance(kspace))
    matrix = vectors[:, -n:].flip(-1).mH.to(kspace.dtype)
    return torch.einsum("nc,...cyx->...nyx", matrix, kspace), matrix


def energy_kept(kspace: Tensor, matrix: Tensor) -> float:
    """Share of the energy of ``(…, coil, ky, kx)`` k-space that a compression matrix ``(n, coil)`` keeps, in [0, 1]."""
    covariance = _covariance(kspace)
    rows = matrix.to(covariance.dtype)
    kept = torch.einsum("nc,cd,nd->", rows, covariance, rows.conj()).real
    total = covariance.diagonal().sum().real
    return float(kept / total) if total > 0 else 1.0


def _covariance(kspace: Tensor) -> Tensor:
    """``(coil, coil)`` complex128 sum of ``x xᴴ`` over all samples."""
    samples = kspace.movedim(-3, 0).flatten(1)
    total = torch.zeros((len(samples), len(samples)), dtype=torch.complex128, device=samples.device)
    for part in samples.split(1 << 18, dim=1):  # a few megabytes at a time in double precision
        wide = part.to(torch.complex128)
        total += wide @ wide.mH
    return total
