"""Scale and shift of features: one of each per channel, after every layer and every norm."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.factors import KernelScale, OutputFactors, hang_on
from napari_mritransfer.transfer.layers import (
    add_zero_bias,
    bare_kernels,
    norms_with_parameters,
    one_per_filter,
    weighted_layers,
)


def apply(model: nn.Module, *, add_biases: bool = False) -> None:
    """Freeze every parameter; ``y' = s y + t`` after each layer and each norm that has parameters.

    In contrast to linear fine-tuning per filter the scale is on the bias too, and norms take part. Bare kernels (see
    `layers.bare_kernels`) are scaled themselves and not shifted.

    Parameters
    ----------
    model
        Changed in place; its outputs stay bit-identical until the first step.
    add_biases
        Shift layers without a bias as well; the merged network then has biases that the plain one lacks.

    Raises
    ------
    ValueError
        If the model has no layer to scale.

    References
    ----------
    Lian et al., NeurIPS 2022, arXiv:2210.08823.
    """
    layers = [layer for _, layer in weighted_layers(model)]
    kernels = list(bare_kernels(model))
    if not layers and not kernels:
        raise ValueError("This network has no convolution and no linear layer, so there are no features to scale.")
    model.requires_grad_(False)
    for layer in layers:
        if add_biases and layer.bias is None:
            add_zero_bias(layer)
    for layer_or_norm in (*layers, *norms_with_parameters(model)):
        hang_on(layer_or_norm, FeatureFactors(layer_or_norm, with_shift=layer_or_norm.bias is not None))
    for module, name in kernels:
        weight = getattr(module, name)
        scale = KernelScale(weight, one_per_filter(weight))
        parametrize.register_parametrization(module, name, scale, unsafe=True)


class FeatureFactors(OutputFactors):
    """``s y + t``."""

    def on_bias(self, bias: Tensor) -> Tensor:
        """See `OutputFactors`."""
        scaled = torch.addcmul(bias, bias, self.scale_minus_one)
        return scaled if self.shift is None else scaled + self.shift

    def unscaled(self, bias: Tensor | None) -> Tensor | None:
        """See `OutputFactors`."""
        return self.shift
