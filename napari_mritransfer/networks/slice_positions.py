"""Where a slice comes from: codes that tell a set of slices its order, and normalise it as one."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

Slicing = Literal["sagittal", "coronal", "axial"]
Positions = Literal["off", "learned", "sinusoidal"]
SLICINGS: tuple[Slicing, ...] = ("sagittal", "coronal", "axial")
"""The axis of ``(batch, channel, i, j, k)`` volumes in L-A-S order that is cut along: i, j or k."""

_SMALL = 0.02


class PositionEncoder(nn.Module):
    """Adds a code per slice, then normalises features and slices of a volume together.

    Because of that normalisation a slice's code depends on all slices of its volume. Where some are missing, the
    statistics are those of the slices that are there; with all of them it is the published layer.

    Parameters
    ----------
    features
        Of a slice.
    slices
        Of a volume.
    slicing
        The axis they are cut along, which the shape of the published parameters shows.
    learned
        Codes that learn, beginning near zero; otherwise sines and cosines, which are not stored.

    References
    ----------
    Gupta et al., ISBI 2023, arXiv 2303.01491; sines after Vaswani et al., NeurIPS 2017, section 3.5.
    """

    sines: Tensor | None

    def __init__(self, features: int, slices: int, slicing: Slicing, *, learned: bool = True) -> None:
        super().__init__()
        axis = SLICINGS.index(slicing)
        shape = [features, *(slices if other == axis else 1 for other in range(3))]
        self.ln = nn.LayerNorm(shape)
        if learned:
            self.position_encoding = nn.Parameter(torch.empty(1, *shape))
            self.sines = None
            self.reset_parameters()
        else:
            self.register_buffer("sines", sinusoids(features, slices), persistent=False)

    def reset_parameters(self) -> None:
        """Draw new codes where they learn: small ones, for features of different slices differ by little at first."""
        if self.sines is None:
            nn.init.normal_(self.position_encoding, std=_SMALL)

    def forward(self, features: Tensor, present: Tensor | None = None) -> Tensor:
        """Features ``(batch, slices, features)`` of which `present` ``(batch, slices)`` bool are there; same shape.

        What comes out where a slice is missing means nothing.
        """
        codes = self.position_encoding.flatten(2)[0] if self.sines is None else self.sines.to(features.dtype)
        placed = features.transpose(1, 2) + codes
        scale, shift = self.ln.weight.flatten(1), self.ln.bias.flatten(1)
        if present is None:
            return nn.functional.layer_norm(placed, placed.shape[1:], scale, shift, self.ln.eps).transpose(1, 2)
        there = present[:, None].to(placed.dtype)
        count = there.sum(dim=(1, 2), keepdim=True) * placed.shape[1]
        mean = (placed * there).sum(dim=(1, 2), keepdim=True) / count
        centred = placed - mean
        variance = (centred.square() * there).sum(dim=(1, 2), keepdim=True) / count
        return (centred / (variance + self.ln.eps).sqrt() * scale + shift).transpose(1, 2)


def sinusoids(features: int, slices: int) -> Tensor:
    """``(features, slices)``: pairs of sine and cosine, wavelengths growing geometrically from 2π to 20000π slices."""
    pair = torch.arange(features) // 2
    angle = torch.arange(slices) / torch.exp(pair[:, None] * (2 / features) * math.log(10_000.0))
    return torch.where((torch.arange(features) % 2 == 0)[:, None], angle.sin(), angle.cos())
