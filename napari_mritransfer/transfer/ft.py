"""Full fine-tuning: everything learns."""

from torch import nn


def apply(model: nn.Module) -> None:
    """Let every parameter learn, norm and data-consistency weights included."""
    model.requires_grad_(True)
