"""The first layers learn: what meets the image adapts to it, what comes after stays."""

from torch import nn

from napari_mritransfer.transfer.order import first, learn_only


def apply(model: nn.Module, *, share: float = 0.25) -> None:
    """Freeze all but the first layers; see `order.first`."""
    learn_only(model, first(model, share))
