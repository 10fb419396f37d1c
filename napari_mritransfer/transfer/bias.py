"""Biases learn, weights stay."""

from torch import nn

from napari_mritransfer.transfer.layers import add_zero_bias, norms_with_parameters, weighted_layers


def apply(model: nn.Module, *, add_biases: bool = False) -> None:
    """Freeze all but the biases of convolutions, linear layers and norms.

    Parameters
    ----------
    model
        Changed in place.
    add_biases
        Give layers without a bias one as well; the network then has biases that the plain one lacks.

    Raises
    ------
    ValueError
        If there is no bias.
    """
    layers = [layer for _, layer in weighted_layers(model)]
    norms = norms_with_parameters(model)
    if not any(module.bias is not None for module in (*layers, *norms)) and not (add_biases and layers):
        raise ValueError("This network has no biases, so there is nothing that could learn; choose another strategy.")
    model.requires_grad_(False)
    for layer in layers:
        if add_biases and layer.bias is None:
            add_zero_bias(layer)
    for module in (*layers, *norms):
        if module.bias is not None:
            module.bias.requires_grad_(True)
