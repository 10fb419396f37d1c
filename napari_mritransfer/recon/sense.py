"""SENSE by conjugate gradients: the image whose coil images agree best with what was measured."""

import torch
from torch import Tensor

from napari_mritransfer.physics.coils import soft_sense_adjoint, soft_sense_forward
from napari_mritransfer.recon.iteration import OnIteration, ShouldStop, counted, never

_TOLERANCE = 1e-4  # of the residual's first norm: further iterations no longer change what a person can see


@torch.no_grad()
def cg_sense(
    kspace: Tensor,
    mask: Tensor,
    maps: Tensor,
    *,
    regularisation: float,
    iterations: int = 50,
    on_iteration: OnIteration | None = None,
    should_stop: ShouldStop = never,
) -> Tensor:
    """Minimise ``‖A x - y‖² + λ ‖x‖²`` by conjugate gradients on ``(Aᴴ A + λ) x = Aᴴ y``, from zero.

    It ends when the norm of the residual of these equations has fallen to 1e-4 of its first value, or after
    `iterations`, whichever comes first.

    Parameters
    ----------
    kspace
        ``(coil, ky, kx)`` complex.
    mask
        Bool, True where measured; broadcasts against ``(ky, kx)``.
    maps
        ``(coil, y, x)`` complex, or ``(set, coil, y, x)`` for an object wider than the field of view (soft-SENSE).
    regularisation
        λ, at least 0; see `recon.regularisation`.
    iterations
        At most so many.
    on_iteration
        Told (iterations done, `iterations`) after each one.
    should_stop
        Asked before each iteration.

    Returns
    -------
    image
        ``(y, x)`` complex, or ``(set, y, x)`` where `maps` has sets (see `combine_sets`).

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.

    References
    ----------
    Pruessmann et al.: Advances in sensitivity encoding with arbitrary k-space trajectories, MRM 2001.
    """
    sets = maps if maps.ndim == 4 else maps.unsqueeze(0)
    residual = soft_sense_adjoint(kspace, sets, mask)
    image = torch.zeros_like(residual)
    direction = residual
    energy = _energy(residual)
    goal = _TOLERANCE**2 * energy
    for _ in counted(iterations, on_iteration, should_stop):
        if energy <= goal:
            break
        seen = soft_sense_forward(direction, sets, mask)
        normal = soft_sense_adjoint(seen, sets, mask) + regularisation * direction
        step = energy / (_energy(seen) + regularisation * _energy(direction))
        image = image + step * direction
        residual = residual - step * normal
        before, energy = energy, _energy(residual)
        direction = residual + energy / before * direction
    return image if maps.ndim == 4 else image[0]


def _energy(x: Tensor) -> Tensor:
    energy: Tensor = torch.linalg.vector_norm(x) ** 2
    return energy
