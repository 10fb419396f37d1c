"""A smooth phase for images that have none, as coils, motion and off-resonance give to real ones."""

import torch
from torch import Tensor

# of 1, y, x, yx, y², x² over the field of view, in radians: about half a turn from edge to edge
_STRENGTHS = (3.0, 1.5, 1.5, 0.7, 0.7, 0.7)


def smooth_phase(shape: tuple[int, int], seed: int) -> Tensor:
    """Unit phasors of a random quadratic phase over the field of view.

    An image without phase has a k-space with Hermitian symmetry: either half of it tells the other, which flatters
    every reconstruction. Multiplied by these it has not.

    Parameters
    ----------
    shape
        ``(y, x)``.
    seed
        The same seed gives the same phase, whatever the matrix.

    Returns
    -------
    phasors
        ``(y, x)`` complex64 of magnitude 1.
    """
    drawn = torch.randn(6, generator=torch.Generator().manual_seed(seed))
    return quadratic_phase(shape, drawn * torch.tensor(_STRENGTHS))


def quadratic_phase(shape: tuple[int, int], coefficients: Tensor) -> Tensor:
    """Unit phasors, ``(y, x)`` complex64, of a quadratic over a field of view from -1 to 1.

    Parameters
    ----------
    coefficients
        ``(6,)`` of 1, y, x, yx, y², x², in radians.
    """
    y, x = (torch.linspace(-1, 1, n) for n in shape)
    y, x = y[:, None], x[None, :]
    c = coefficients
    phase = c[0] + c[1] * y + c[2] * x + c[3] * (y * x) + c[4] * y**2 + c[5] * x**2
    return torch.polar(torch.ones_like(phase), phase)
