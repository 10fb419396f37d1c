"""Linear fine-tuning: frozen weights, learned scale and shift."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.factors import KernelScale, OutputFactors, hang_on
from napari_mritransfer.transfer.layers import (
    WeightedLayer,
    add_zero_bias,
    bare_kernels,
    filters,
    kernel_grid,
    one_per_filter,
    one_per_kernel,
    weighted_layers,
)

Granularity = Literal["kernel", "filter"]


def apply(
    model: nn.Module, *, granularity: Granularity = "kernel", shift: bool = True, add_biases: bool = False
) -> None:
    """Freeze every parameter and add factors: ``W' = W ⊙ S`` and ``b' = b + t``.

    Norm-affine and data-consistency parameters, step lengths and thresholds stay frozen, and so do buffers such as
    running statistics (see `transfer.training_mode`). Bare kernels (see `layers.bare_kernels`) are scaled like those of
    layers; they have no bias to shift.

    Parameters
    ----------
    model
        Changed in place; its outputs stay bit-identical until the first step.
    granularity
        ``"kernel"``: one scale per kernel, as in the paper. ``"filter"``: one per output channel, learned from the
        layer's output, so that no weight gradient is ever computed; bare kernels have no output to hook, so there it
        is learned from the kernels themselves.
    shift
        Learn ``t``, one per filter, where the layer has a bias.
    add_biases
        Learn it for layers without a bias as well; the merged network then has biases that the plain one lacks.

    Raises
    ------
    ValueError
        If `granularity` is unknown or the model has no layer to scale.

    References
    ----------
    Bi et al., Front Neurosci 2023, doi 10.3389/fnins.2023.1202143; shapes after the published code of Sun et al.,
    Meta-transfer learning, CVPR 2019.
    """
    if granularity not in ("kernel", "filter"):
        raise ValueError(f"LFT scales per 'kernel' or per 'filter', not per '{granularity}'.")
    layers = [layer for _, layer in weighted_layers(model)]
    kernels = list(bare_kernels(model))
    if not layers and not kernels:
        raise ValueError("This network has no convolution and no linear layer, so LFT has nothing to scale.")
    model.requires_grad_(False)
    for layer in layers:
        if add_biases and layer.bias is None:
            add_zero_bias(layer)
        with_shift = shift and layer.bias is not None
        if granularity == "kernel":
            parametrize.register_parametrization(
                layer, "weight", KernelScale(layer.weight, kernel_grid(layer)), unsafe=True
            )
            if with_shift:
                parametrize.register_parametrization(layer, "bias", Shift(layer), unsafe=True)
        else:
            hang_on(layer, FilterFactors(layer, with_shift=with_shift))
    for module, name in kernels:
        weight = getattr(module, name)
        grid = one_per_kernel(weight) if granularity == "kernel" else one_per_filter(weight)
        parametrize.register_parametrization(module, name, KernelScale(weight, grid), unsafe=True)


class Shift(nn.Module):
    """``b + t``."""

    def __init__(self, layer: WeightedLayer) -> None:
        super().__init__()
        self.shift = nn.Parameter(layer.weight.new_zeros(filters(layer)))

    def forward(self, bias: Tensor) -> Tensor:
        """Bias of the same shape."""
        return bias + self.shift


class FilterFactors(OutputFactors):
    """``s (y − b) + b + t``: the scale is on the weight alone, as it is per kernel."""

    def on_bias(self, bias: Tensor) -> Tensor:
        """See `OutputFactors`."""
        return bias if self.shift is None else bias + self.shift

    def unscaled(self, bias: Tensor | None) -> Tensor | None:
        """See `OutputFactors`."""
        return None if bias is None else self.on_bias(bias)
