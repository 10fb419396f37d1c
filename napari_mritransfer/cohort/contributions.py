"""What each slice adds to a prediction: its attention where there is some, the equivalent where slices are averaged."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.networks.sliceset import SliceSet

Kind = Literal["attention", "contribution"]


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """How much each slice counts.

    Attributes
    ----------
    kind
        ``"attention"``: the weights that the network itself computed; ``"contribution"``: derived from gradients.
    weights
        ``(slice,)``, not negative, summing to 1, 0 where a slice is missing. Of attention, the mean over the heads.
    heads
        ``(head, slice)``, each summing to 1, where there are several.
    signed
        ``(slice,)`` contributions in the unit of the network's output; None with attention. They sum to `total`.
    total
        Gradient · embedding: the part of the output that depends on the embedding, as far as the head is linear there.
    """

    kind: Kind
    weights: NDArray[np.float64]
    heads: NDArray[np.float64] | None = None
    signed: NDArray[np.float64] | None = None
    total: float | None = None


def shares_of(network: SliceSet, codes: Tensor, present: Tensor | None = None, output: int = 0) -> Shares:
    """How much each slice of one volume counts for one output.

    With mean pooling a slice contributes gradient · code ÷ number of slices, with maximum pooling gradient · embedding
    over the features whose maximum it holds, ties shared. Both are measured from a code of zero. In the place of
    attention stand their absolute values, scaled to sum to 1; if all are zero, every slice counts alike.

    Parameters
    ----------
    codes
        ``(1, slice, code)``, with their positions.
    present
        ``(1, slice)`` bool; all if None.
    output
        Index of the network's output.
    """
    there = torch.ones(codes.shape[:2], dtype=torch.bool, device=codes.device) if present is None else present
    with torch.no_grad():
        embedding, attention = network.pool(codes, present)
    if attention is not None:
        heads = attention[0].double().cpu().numpy()
        return Shares("attention", heads.mean(axis=0), heads if len(heads) > 1 else None)
    with torch.enable_grad():
        leaf = embedding.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(network.head(leaf)[0, output], leaf)
    parts = _mean_parts(codes[0], there[0]) if network.pooling == "mean" else _largest_parts(codes[0], there[0])
    signed = (parts.double() @ gradient[0].double()).detach().cpu().numpy()
    sizes = np.abs(signed)
    weights = sizes / sizes.sum() if sizes.sum() > 0 else there[0].cpu().numpy() / int(there.sum())
    return Shares("contribution", weights, None, signed, float(gradient[0].double() @ embedding[0].double()))


def _mean_parts(codes: Tensor, there: Tensor) -> Tensor:
    """``(slice, code)`` whose sum over the slices is the mean of the codes that are there."""
    return codes * there[:, None] / there.sum()


def _largest_parts(codes: Tensor, there: Tensor) -> Tensor:
    """``(slice, code)`` whose sum over the slices is the largest code that is there."""
    known = codes.masked_fill(~there[:, None], -torch.inf)
    largest = known.amax(dim=0)
    holds = known == largest
    return holds * largest / holds.sum(dim=0)
