"""Which layers carry weights that a transfer can scale, and how their filters are laid out."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor, nn

WeightedLayer: TypeAlias = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d | nn.Linear
)
Norm: TypeAlias = (
    nn.modules.batchnorm._BatchNorm | nn.modules.instancenorm._InstanceNorm | nn.GroupNorm | nn.LayerNorm
)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)


def weighted_layers(model: nn.Module) -> Iterator[tuple[str, WeightedLayer]]:
    """Every convolution, transposed convolution and linear layer, once each, with its dotted name."""
    for name, module in model.named_modules():
        if isinstance(module, (*_CONVOLUTIONS, nn.Linear)):
            yield name, module


def bare_kernels(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Every kernel that is a parameter without a layer around it, as its module and its name there.

    A network that convolves with parameters of its own declares them: a module's attribute ``bare_kernels`` names those
    laid out as ``(out, in, …)``.
    """
    for module in list(model.modules()):
        for name in getattr(module, "bare_kernels", ()):
            yield module, name


def carries_weights(module: nn.Module) -> bool:
    """Whether a module is a layer of `weighted_layers` or has bare kernels."""
    return isinstance(module, (*_CONVOLUTIONS, nn.Linear)) or bool(getattr(module, "bare_kernels", ()))


def norms_with_parameters(model: nn.Module) -> list[Norm]:
    """Every batch, instance, group or layer norm that has a scale (and mostly a shift) of its own."""
    return [module for module in model.modules() if isinstance(module, Norm) and module.weight is not None]


def filters(layer: WeightedLayer | Norm) -> int:
    """Output channels of a layer."""
    if isinstance(layer, nn.Linear):
        return layer.out_features
    return layer.weight.numel() if isinstance(layer, Norm) else layer.out_channels


def spatial_axes(layer: WeightedLayer) -> int:
    """Axes that a convolution runs along; 0 of a linear layer."""
    return layer.weight.ndim - 2


def in_layout_of(weight: Tensor, changed: Tensor) -> Tensor:
    """A weight that was changed element by element, with the strides of the unchanged one.

    Computing forgets the strides of axes of length 1, and by those a 1×1 convolution chooses its algorithm.
    """
    if weight.stride() == changed.stride():
        return changed
    strides = zip(weight.shape, weight.stride(), changed.stride(), strict=True)
    same = all(old == new for size, old, new in strides if size > 1)
    return changed.as_strided(weight.shape, weight.stride()) if same else changed


def kernel_grid(layer: WeightedLayer) -> tuple[int, ...]:
    """Shape that has one entry per kernel and broadcasts over the weight.

    ``(out, in / groups, 1, …)`` for convolutions, ``(in, out / groups, 1, …)`` for transposed ones, ``(out, in)``
    for linear layers (which are 1×1 convolutions: as many kernels as weights).
    """
    return one_per_kernel(layer.weight)


def one_per_kernel(weight: Tensor) -> tuple[int, ...]:
    """``(out, in, 1, …)`` for a weight ``(out, in, …)``."""
    return (*weight.shape[:2], *([1] * (weight.ndim - 2)))


def one_per_filter(weight: Tensor) -> tuple[int, ...]:
    """``(out, 1, …)`` for a weight ``(out, in, …)``."""
    return (weight.shape[0], *([1] * (weight.ndim - 1)))


def per_filter_on_weight(layer: WeightedLayer, factor: Tensor, weight: Tensor) -> Tensor:
    """Lay one factor per filter, ``(out,)``, out so that it broadcasts over the layer's weight, which is given."""
    if isinstance(layer, TRANSPOSED):  # (in, out / groups, …): the group of an input row picks the filters
        grouped = factor.reshape(layer.groups, -1)
        rows = grouped.repeat_interleave(layer.in_channels // layer.groups, dim=0)
        return rows.reshape(*rows.shape, *([1] * (weight.ndim - 2)))
    return factor.reshape(-1, *([1] * (weight.ndim - 1)))


def channels_last(layer: WeightedLayer | Norm, output: Tensor) -> Tensor:
    """What a layer returned, batched or not, as ``(place, channel)``; a view where it lies in memory like that."""
    if isinstance(layer, nn.Linear | nn.LayerNorm):
        return output.reshape(-1, filters(layer))
    # instance norms and convolutions also take what has no batch; with and without one look alike
    if isinstance(layer, nn.modules.instancenorm._InstanceNorm):
        without_batch: int = layer._get_no_batch_dim()
    else:
        without_batch = 0 if isinstance(layer, Norm) else 1 + len(layer.kernel_size)
    channel = 0 if output.ndim == without_batch else 1
    return output.movedim(channel, -1).reshape(-1, output.shape[channel])


def cancelled_by_norm(model: nn.Module) -> set[str]:
    """Names of layers whose filter-wise scale and shift the next layer takes away again.

    Found where a layer stands right before a norm without memory inside one ``nn.Sequential``: an instance norm, or a
    batch norm that uses batch statistics. A norm called from hand-written ``forward`` code is not seen.
    """
    names: set[str] = set()
    for parent, sequence in model.named_modules():
        if not isinstance(sequence, nn.Sequential):
            continue
        for (name, layer), (_, follower) in pairwise(sequence.named_children()):
            is_norm = isinstance(follower, nn.modules.instancenorm._InstanceNorm | nn.modules.batchnorm._BatchNorm)
            memoryless = is_norm and (follower.training or not follower.track_running_stats)
            if memoryless and isinstance(layer, (*_CONVOLUTIONS, nn.Linear)):
                names.add(f"{parent}.{name}" if parent else name)
    return names


@torch.no_grad()
def add_zero_bias(layer: WeightedLayer) -> None:
    """Give a bias-free layer a frozen bias of zeros, on its weight's device."""
    layer.bias = nn.Parameter(layer.weight.new_zeros(filters(layer)), requires_grad=False)
