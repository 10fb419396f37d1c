"""The last layers learn: what makes the result adapts, what comes before stays, and no gradient reaches it."""

from torch import nn

from napari_mritransfer.transfer.order import last, learn_only


def apply(model: nn.Module, *, share: float = 0.25) -> None:
    """Freeze all but the last layers; see `order.last`."""
    learn_only(model, last(model, share))
