"""The last layers learn: what makes the result adapts, what comes before stays, and no gradient reaches it."""

from torch import nn

from napari_mritransfer.transfer.order import last


def apply(model: nn.Module, *, share: float = 0.25) -> None:
    """Freeze all but the last layers; see `order.last`."""
    learning = last(model, share)
    model.requires_grad_(False)
    for module in learning:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(True)
