"""The first layers learn: what meets the image adapts to it, what comes after stays."""

from torch import nn

from napari_mritransfer.transfer.order import first


def apply(model: nn.Module, *, share: float = 0.25) -> None:
    """Freeze all but the first layers; see `order.first`."""
    learning = first(model, share)
    model.requires_grad_(False)
    for module in learning:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(True)
