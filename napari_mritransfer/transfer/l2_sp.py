"""Full fine-tuning with a penalty on the distance from where it began."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.layers import in_layout_of


def apply(model: nn.Module, *, strength: float = 0.01) -> None:
    """Freeze every parameter and learn what is added to it; `penalty` keeps that small.

    Parameters
    ----------
    model
        Changed in place; its outputs stay bit-identical until the first step.
    strength
        α of the penalty ``α / 2 ‖w − w₀‖²`` that is added to the loss.

    Raises
    ------
    ValueError
        If the strength is negative or no number, or there is nothing to learn.
    """
    if not 0 <= strength < math.inf:
        raise ValueError(f"The strength of the penalty is {strength:g}; give a number of at least 0.")
    found = [
        (module, name) for module in model.modules() for name, _ in list(module.named_parameters(recurse=False))
    ]
    if not found:
        raise ValueError("This network has no parameters, so there is nothing that could learn.")
    model.requires_grad_(False)
    for module, name in found:
        parametrize.register_parametrization(module, name, Drift(getattr(module, name), strength), unsafe=True)


class Drift(nn.Module):
    """``w₀ + d``, where d is penalised.

    References
    ----------
    Li, Grandvalet and Davoine, ICML 2018, equation 3.
    """

    def __init__(self, parameter: Tensor, strength: float) -> None:
        super().__init__()
        self.strength = strength
        self.drift = nn.Parameter(torch.zeros_like(parameter))

    def forward(self, parameter: Tensor) -> Tensor:
        """Parameter of the same shape."""
        return in_layout_of(parameter, parameter + self.drift)


def penalty(model: nn.Module) -> Tensor | None:
    """What to add to the loss, a number; None for a network without this strategy."""
    drifts = [module for module in model.modules() if isinstance(module, Drift)]
    if not drifts:
        return None
    return torch.stack([module.strength / 2 * module.drift.square().sum() for module in drifts]).sum()
