"""Low-rank adaptation: frozen weights, and a product of two thin matrices that is added to them."""

import math

from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.layers import bare_kernels, in_layout_of, weighted_layers


def apply(model: nn.Module, *, rank: int = 4) -> None:
    """Freeze every parameter and add ``B A`` to each weight, laid out as a matrix.

    Rows of that matrix are filters, its columns all that a filter sees (for transposed convolutions rows are input
    channels). The usual factor α / rank is 1: with Adam it would be another name for the learning rate.

    Parameters
    ----------
    model
        Changed in place; its outputs stay bit-identical until the first step, for B begins at 0. A is drawn from
        torch's global generator.
    rank
        Of the product; less where a weight has fewer rows or columns.

    Raises
    ------
    ValueError
        If the rank is below 1 or the model has no weight to adapt.

    References
    ----------
    Hu et al., ICLR 2022, arXiv:2106.09685.
    """
    if rank < 1:
        raise ValueError(f"The rank is {rank}; give a whole number of at least 1.")
    found: list[tuple[nn.Module, str]] = [(layer, "weight") for _, layer in weighted_layers(model)]
    found += bare_kernels(model)
    if not found:
        raise ValueError("This network has no convolution and no linear layer, so there is no weight to adapt.")
    model.requires_grad_(False)
    for module, name in found:
        parametrize.register_parametrization(module, name, LowRank(getattr(module, name), rank), unsafe=True)


class LowRank(nn.Module):
    """``W + B A``."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.inner = nn.Parameter(weight.new_empty(rank, columns))
        self.outer = nn.Parameter(weight.new_zeros(rows, rank))
        nn.init.kaiming_uniform_(self.inner, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Weight of the same shape and memory layout."""
        return in_layout_of(weight, weight + (self.outer @ self.inner).view(weight.shape))
