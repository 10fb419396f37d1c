"""Factors that hang on frozen layers: one per kernel, or one per output channel."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.layers import (
    Norm,
    WeightedLayer,
    channels_last,
    filters,
    in_layout_of,
    per_filter_on_weight,
)


class KernelScale(nn.Module):
    """``W ⊙ S``; stored as S − 1, so that weight decay pulls scales to 1 rather than to 0.

    Parameters
    ----------
    weight
        ``W``; its type and device are taken over.
    grid
        Shape of ``S``, broadcastable over the weight.
    """

    def __init__(self, weight: Tensor, grid: tuple[int, ...]) -> None:
        super().__init__()
        self.scale_minus_one = nn.Parameter(weight.new_zeros(grid))

    def forward(self, weight: Tensor) -> Tensor:
        """Weight of the same shape and memory layout."""
        return in_layout_of(weight, torch.addcmul(weight, weight, self.scale_minus_one))


class OutputFactors(nn.Module, ABC):
    """One scale and, where wanted, one shift per output channel.

    Stored as s − 1 and t, which weight decay pulls to 1 and 0. They are folded into the layer's weight and bias each
    time it computes, so that a layer with factors is as fast as one without; see `FoldedFactors` for how they learn.
    """

    shift: Tensor | None

    def __init__(self, layer: WeightedLayer | Norm, *, with_shift: bool) -> None:
        super().__init__()
        self.scale_minus_one = nn.Parameter(layer.weight.new_zeros(filters(layer)))
        self.register_parameter("shift", nn.Parameter(layer.weight.new_zeros(filters(layer))) if with_shift else None)

    @abstractmethod
    def on_bias(self, bias: Tensor) -> Tensor:
        """``(channel,)`` bias with the factors on it."""

    @abstractmethod
    def unscaled(self, bias: Tensor | None) -> Tensor | None:
        """``(channel,)``, the part of the output that does not grow with the scale; None for zero.

        Parameters
        ----------
        bias
            ``(channel,)`` without factors; None where the layer has none.
        """


class _Folded(nn.Module):
    """A weight or bias with factors in it, as a parametrization that passes no gradient on to the factors."""

    def __init__(self, layer: WeightedLayer | Norm, factors: OutputFactors, *, is_bias: bool) -> None:
        super().__init__()
        self._of = (layer, factors)  # in a tuple, so that they do not count as parts of this module
        self._is_bias = is_bias

    def forward(self, tensor: Tensor) -> Tensor:
        """The same shape and memory layout."""
        layer, factors = self._of
        if self._is_bias:
            return factors.on_bias(tensor.flatten()).detach().view_as(tensor)
        change = factors.scale_minus_one.detach()
        change = change.view_as(tensor) if isinstance(layer, Norm) else per_filter_on_weight(layer, change, tensor)
        return in_layout_of(tensor, torch.addcmul(tensor, tensor, change))


class FoldedFactors(torch.autograd.Function):
    """The identity; gradients that come back through it are also handed to factors that were folded into the layer.

    With ``y = s z + c`` the derivative by s is ``Σ g z = Σ g (y − c) / s``: one reduction over what the layer returned,
    in place of a weight gradient. A scale of exactly 0 has forgotten z, so it stays.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, scale_minus_one: Tensor, shift: Tensor | None, layer: Any, c: Any) -> Tensor:
        """See `teach`; `c` is ``(channel,)``."""
        ctx.layer, ctx.has_shift = layer, shift is not None
        inverse = (1 + scale_minus_one).reciprocal_().nan_to_num_(posinf=0, neginf=0)
        ctx.save_for_backward(output, c, inverse)
        return output.clone()  # whoever comes next may overwrite what it gets, as nn.ReLU(inplace=True) does

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of output, scale and shift."""
        output, c, inverse = ctx.saved_tensors
        gradients = channels_last(ctx.layer, gradient)
        by_shift = _total(gradients, c.dtype)
        by_scale = (_total(gradients * channels_last(ctx.layer, output), c.dtype) - c * by_shift) * inverse
        return gradient, by_scale, by_shift if ctx.has_shift else None, None, None


def _total(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """Sum over the rows.

    In one precision as a product (to some 1e-5), which several threads finish in half the time; in two by converting
    the sum alone, for to convert all rows first takes longer than all the rest. Torch adds up bfloat16 in float32, so
    that costs one rounding, to 0.2 %, as for every other gradient under autocast.
    """
    return torch.mv(rows.T, rows.new_ones(len(rows))) if rows.dtype == dtype else rows.sum(0).to(dtype)


def hang_on(layer: WeightedLayer | Norm, factors: OutputFactors) -> None:
    """Let the factors act on what the layer returns."""
    layer.add_module("filter_factors", factors)
    parametrize.register_parametrization(layer, "weight", _Folded(layer, factors, is_bias=False), unsafe=True)
    if layer.bias is not None:
        parametrize.register_parametrization(layer, "bias", _Folded(layer, factors, is_bias=True), unsafe=True)
    layer.register_forward_hook(teach)


def take_off(layer: nn.Module) -> None:
    """Undo `hang_on`, all but the parametrizations."""
    del layer.filter_factors
    for key in [key for key, hook in layer._forward_hooks.items() if hook is teach]:
        del layer._forward_hooks[key]


def teach(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    """Forward hook of a layer that has factors."""
    if not torch.is_grad_enabled():
        return output
    factors = layer.filter_factors
    assert isinstance(factors, OutputFactors)
    assert isinstance(layer.parametrizations, nn.ModuleDict)
    without = layer.parametrizations["bias"].original if "bias" in layer.parametrizations else None
    unscaled = factors.unscaled(without.flatten() if isinstance(without, Tensor) else None)
    c = torch.zeros_like(factors.scale_minus_one) if unscaled is None else unscaled.detach()
    learn_from: Callable[..., Tensor] = FoldedFactors.apply
    return learn_from(output, factors.scale_minus_one, factors.shift, layer, c)
