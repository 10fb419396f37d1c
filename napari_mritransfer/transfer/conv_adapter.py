"""Adapters beside convolutions: a thin detour whose result is added to what the frozen layer returns."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from napari_mritransfer.transfer.layers import TRANSPOSED, WeightedLayer, filters, spatial_axes, weighted_layers

_POINTWISE: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def apply(model: nn.Module, *, compression: int = 4) -> None:
    """Freeze every parameter and put an adapter beside each layer, in parallel to it.

    Adapters bend, so they cannot be folded into weights: whoever opens the result gets the network with its adapters.
    Kernels without a layer around them (`layers.bare_kernels`) have no place for one and stay as they are.

    Parameters
    ----------
    model
        Changed in place; its outputs stay bit-identical until the first step, for the last layer of each adapter begins
        at 0. Others are drawn from torch's global generator.
    compression
        How many times fewer channels the detour has than the layer's input.

    Raises
    ------
    ValueError
        If the compression is below 1 or the model has no layer.

    References
    ----------
    Chen et al., Conv-Adapter, CVPR workshops 2024, arXiv:2208.07463, in its form "convolution, parallel". Its scale per
    channel is left out, for a last layer that begins at 0 has one per channel already.
    """
    if compression < 1:
        raise ValueError(f"The compression is {compression}; give a whole number of at least 1.")
    layers = [layer for _, layer in weighted_layers(model)]
    if not layers:
        raise ValueError("This network has no convolution and no linear layer to put an adapter beside.")
    model.requires_grad_(False)
    for layer in layers:
        layer.add_module("transfer_adapter", Adapter(layer, compression))
        layer.register_forward_hook(add_detour)


class Adapter(nn.Module):
    """Down by grouped kernels of the layer's own size, ReLU, up by 1×1 kernels that begin at 0."""

    def __init__(self, layer: WeightedLayer, compression: int) -> None:
        super().__init__()
        where: dict[str, Any] = {"device": layer.weight.device, "dtype": layer.weight.dtype}
        self.down: nn.Module
        self.up: nn.Module
        if isinstance(layer, nn.Linear):
            thin = max(1, layer.in_features // compression)
            self.down = nn.Linear(layer.in_features, thin, bias=False, **where)
            self.up = nn.Linear(thin, layer.out_features, **where)
        else:
            thin = max(1, layer.in_channels // compression)
            geometry: dict[str, Any] = {
                name: getattr(layer, name) for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
            }
            if isinstance(layer, TRANSPOSED):
                geometry["output_padding"] = layer.output_padding
            groups = math.gcd(thin, layer.in_channels)
            alike: Callable[..., nn.Module] = type(layer)
            self.down = alike(layer.in_channels, thin, groups=groups, bias=False, **geometry, **where)
            self.up = _POINTWISE[spatial_axes(layer)](thin, filters(layer), 1, **where)
        for parameter in self.up.parameters():
            nn.init.zeros_(parameter)
        if layer.weight.ndim == 4 and layer.weight.is_contiguous(memory_format=torch.channels_last):
            for kernel in (p for p in self.parameters() if p.ndim == 4):  # or convolutions would run half as fast
                kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)

    def forward(self, features: Tensor) -> Tensor:
        """What the layer gets, to what is added to its output."""
        added: Tensor = self.up(self.down(features).relu())
        return added


def add_detour(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    """Forward hook of a layer that has an adapter."""
    adapter = layer.transfer_adapter
    assert isinstance(adapter, Adapter)
    added: Tensor = adapter(inputs[0])
    return output + added
