"""How the weights step: the optimiser and its learning rate over the job."""

import math

import torch
from torch import nn

from napari_mritransfer.training.config import Optimiser
from napari_mritransfer.training.settings import Settings
from napari_mritransfer.transfer.model import trainable_parameters

_WARM_UP_STEPS = 10


def make_optimiser(settings: Settings, network: nn.Module) -> torch.optim.Optimizer | None:
    """The optimiser a job asks for, over what learns in the network; None if nothing does."""
    parameters = list(trainable_parameters(network).values())
    if not parameters:
        return None
    rate, decay = settings.rate_of_learning, settings.weight_decay
    # fused: one pass over all parameters; a network has many small ones, and the calls would cost more than the sums
    if settings.optimiser is Optimiser.ADAM:
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
    if settings.optimiser is Optimiser.ADAMW:
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay, fused=True)


def set_learning_rate(optimiser: torch.optim.Optimizer, settings: Settings, step: int) -> None:
    """Short linear warm-up, then a cosine down to 1 %; a function of the step alone, so resuming needs no memory."""
    warm_up = min(1.0, (step + 1) / _WARM_UP_STEPS)
    cosine = 0.5 + 0.5 * math.cos(math.pi * step / max(1, settings.steps))
    for group in optimiser.param_groups:
        group["lr"] = settings.rate_of_learning * warm_up * (0.01 + 0.99 * cosine)
