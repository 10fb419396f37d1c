"""No transfer: the network as it came."""

from torch import nn


def apply(model: nn.Module) -> None:
    """Freeze everything."""
    model.requires_grad_(False)
