"""Sensitivity maps of an imagined head array, for volumes that come without coils."""

import math

import torch
from torch import Tensor

_DISTANCE = 1.5  # of the wires from the centre, in half fields of view: outside the image, so no map has a pole in it


def simulated_maps(n_coils: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Smooth maps of coils that stand in a circle around the image, as in a birdcage.

    With ``z = u + iv`` the position in half fields of view, u and v in [-1, 1), coil c is a straight wire through
    ``z_c = 1.5 exp(iθ_c)`` at right angles to the image, whose transverse field is ``exp(iθ_c) / (z - z_c)``. The
    angles θ_c are equally spaced from a random first one. The maps are divided by their norm over the coils.

    Parameters
    ----------
    n_coils
        At least 1; a single coil has magnitude 1 everywhere, and a smooth phase.
    size
        ``(y, x)`` of the image.
    seed
        Of the orientation of the array.

    Returns
    -------
    maps
        ``(coil, y, x)`` complex64, of unit norm over the coils in every voxel.

    Raises
    ------
    ValueError
        If there is no coil.
    """
    if n_coils < 1:
        raise ValueError(f"An array needs at least one coil, not {n_coils}.")
    first = torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 * math.pi
    angles = first + 2 * math.pi * torch.arange(n_coils, dtype=torch.float64) / n_coils
    v, u = (2 * (torch.arange(n, dtype=torch.float64) - n // 2) / n for n in size)
    position = torch.complex(*torch.broadcast_tensors(u, v[:, None]))
    turn = torch.polar(torch.ones_like(angles), angles)[:, None, None]
    field = turn / (position - _DISTANCE * turn)
    maps: Tensor = (field / torch.linalg.vector_norm(field, dim=0)).to(torch.complex64)
    return maps
