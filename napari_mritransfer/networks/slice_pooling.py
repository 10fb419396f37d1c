"""What joins the codes of a set of slices into one: mean, maximum or attention, all deaf to the order of the slices."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Pooled(NamedTuple):
    """One code per volume.

    Attributes
    ----------
    embedding
        ``(batch, code)``.
    attention
        ``(batch, heads, slices)``, not negative, summing to 1 over the slices; None for poolings without weights.
    """

    embedding: Tensor
    attention: Tensor | None


def mean_of(codes: Tensor, present: Tensor | None) -> Tensor:
    """Mean over the slices that are there.

    Parameters
    ----------
    codes
        ``(batch, slices, code)``.
    present
        ``(batch, slices)`` bool; None where all are.
    """
    if present is None:
        return codes.mean(dim=1)
    there = present[..., None].to(codes.dtype)
    return (codes * there).sum(dim=1) / there.sum(dim=1)


def largest_of(codes: Tensor, present: Tensor | None) -> Tensor:
    """Largest value of each feature over the slices that are there; parameters as in `mean_of`."""
    if present is not None:
        codes = codes.masked_fill(~present[..., None], -torch.inf)
    return codes.amax(dim=1)


class AttentionPooling(nn.Module):
    """A learned query asks every slice; what they answer is averaged by how well their keys fit.

    Parameters
    ----------
    code
        Features of a slice's code, and of the result.
    heads
        Parts the features are split into, each with weights of its own; a divisor of `code`.
    output_layer
        Layer normalisation and a linear layer at the end (ISBI 2023); without them the weighted mean is the result
        (ISBI 2021).

    References
    ----------
    Gupta et al., ISBI 2021, arXiv 2102.04438; Gupta et al., ISBI 2023, arXiv 2303.01491; after Lee et al., Set
    Transformer, ICML 2019.
    """

    def __init__(self, code: int, heads: int = 1, *, output_layer: bool = True) -> None:
        super().__init__()
        if code % heads:
            raise ValueError(f"{code} features cannot be split into {heads} heads; choose a divisor.")
        self.heads = heads
        self.S = nn.Parameter(torch.empty(1, code))  # the query's name in the published checkpoints
        self.fc_k = nn.Linear(code, code)
        self.fc_v = nn.Linear(code, code)
        self.ln0 = nn.LayerNorm(code) if output_layer else None
        self.fc_o = nn.Linear(code, code) if output_layer else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw a new query; the layers draw their own weights."""
        nn.init.xavier_uniform_(self.S)

    def forward(self, codes: Tensor, present: Tensor | None = None) -> Pooled:
        """Codes ``(batch, slices, code)`` of which `present` ``(batch, slices)`` bool are there; see `Pooled`."""
        batch, slices, code = codes.shape
        width = code // self.heads
        # torch multiplies other layouts in an order that depends on what learns, and a transfer must change no bit
        codes = codes.contiguous()
        keys = self.fc_k(codes).view(batch, slices, self.heads, width)
        values = self.fc_v(codes).view(batch, slices, self.heads, width)
        fit = torch.einsum("hw,bshw->bhs", self.S.view(self.heads, width), keys) / width**0.5
        if present is not None:
            fit = fit.masked_fill(~present[:, None], -torch.inf)
        weights = fit.softmax(dim=-1)
        embedding = torch.einsum("bhs,bshw->bhw", weights, values).reshape(batch, code)
        if self.ln0 is not None and self.fc_o is not None:
            embedding = self.fc_o(self.ln0(embedding))
        return Pooled(embedding, weights)
