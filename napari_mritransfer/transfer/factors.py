"""Factors that hang on frozen layers: on their kernels, or on what they return."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from napari_mritransfer.transfer.layers import Norm, WeightedLayer, filters, in_layout_of, per_filter_on_output


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
        return in_layout_of(weight, weight * (1 + self.scale_minus_one))


class OutputFactors(nn.Module, ABC):
    """One scale and, where wanted, one shift per output channel, acting on what the layer returns.

    Stored as s − 1 and t, which weight decay pulls to 1 and 0.
    """

    shift: Tensor | None

    def __init__(self, layer: WeightedLayer | Norm, *, with_shift: bool) -> None:
        super().__init__()
        self.scale_minus_one = nn.Parameter(layer.weight.new_zeros(filters(layer)))
        self.register_parameter("shift", nn.Parameter(layer.weight.new_zeros(filters(layer))) if with_shift else None)

    @abstractmethod
    def on_output(self, layer: WeightedLayer | Norm, output: Tensor) -> Tensor:
        """The layer's output with the factors on it; to the last bit the same where s = 1 and t = 0."""

    @abstractmethod
    def merged(self, layer: WeightedLayer | Norm) -> dict[str, Tensor]:
        """The layer's weight and, where it has one, bias, with the factors in them."""

    def laid_out(self, layer: WeightedLayer | Norm, factor: Tensor, output: Tensor) -> Tensor:
        """One factor per channel, laid out so that it broadcasts over the output."""
        return per_filter_on_output(layer, factor, output)


def hang_on(layer: nn.Module, factors: OutputFactors) -> None:
    """Let the factors act on what the layer returns."""
    layer.add_module("filter_factors", factors)
    layer.register_forward_hook(scale_output)


def take_off(layer: nn.Module) -> None:
    """Undo `hang_on`."""
    del layer.filter_factors
    for key in [key for key, hook in layer._forward_hooks.items() if hook is scale_output]:
        del layer._forward_hooks[key]


def scale_output(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    """Forward hook of a layer that has factors."""
    factors = layer.filter_factors
    assert isinstance(factors, OutputFactors)
    assert isinstance(layer, WeightedLayer | Norm)
    return factors.on_output(layer, output)
