"""One model, one strategy: apply it, count what learns, take out what was learned, merge it away."""

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.catalogue import strategy as find_strategy
from napari_mritransfer.transfer.layers import cancelled_by_norm, filters, weighted_layers
from napari_mritransfer.transfer.lft import FilterFactors, KernelScale, Shift, scale_output


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What a strategy lets learn in one network.

    Attributes
    ----------
    strategy
        Its name in the catalogue.
    trainable
        Number of trainable parameters.
    total
        Number of parameters of the plain network.
    effective
        Those of `trainable` that can have an effect: a filter-wise scale or shift right before a norm without
        memory has none.
    warning
        Empty, or one sentence.
    """

    strategy: str
    trainable: int
    total: int
    effective: int
    warning: str = ""


def transfer(model: nn.Module, strategy: str, options: Mapping[str, object] | None = None) -> TransferReport:
    """Apply a strategy to a plain model, in place.

    Parameters
    ----------
    model
        A network without another strategy on it. `scratch` draws new weights from torch's global generator.
    strategy
        Name in the catalogue.
    options
        Those of the strategy; left-out ones take their defaults.

    Raises
    ------
    ValueError
        If the strategy or an option is unknown, or does not fit the network.
    """
    row = find_strategy(strategy)
    unknown = set(options or {}) - set(row.options)
    if unknown:
        raise ValueError(
            f"Strategy '{strategy}' has no option {', '.join(sorted(unknown))}; it has: "
            f"{', '.join(row.options) or 'none'}."
        )
    if is_adapted(model):
        raise ValueError("This model already carries a strategy's factors; merge them first.")
    total = sum(p.numel() for p in model.parameters())
    importlib.import_module(f"{__package__}.{row.name}").apply(model, **dict(options or {}))
    return _report(model, strategy, total)


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Dotted names and parameters that learn."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def training_mode(model: nn.Module) -> None:
    """Training mode for what learns; layers with nothing to learn stay in evaluation mode.

    A frozen batch norm would otherwise let its running statistics drift: buffers belong to the frozen base too.
    """
    for module in model.modules():
        module.training = any(p.requires_grad for p in module.parameters()) or not any(True for _ in module.buffers())


def is_adapted(model: nn.Module) -> bool:
    """Whether factors hang on the model that `merge` would fold away."""
    return any(parametrize.is_parametrized(m) or hasattr(m, "filter_factors") for m in model.modules())


def learned_state(model: nn.Module) -> dict[str, Tensor]:
    """What has to be stored beside the base to restore the model: the factors, or everything if weights learn."""
    if is_adapted(model):
        return {name: p.detach().clone() for name, p in trainable_parameters(model).items()}
    return {name: t.detach().clone() for name, t in model.state_dict().items()}


def load_learned_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put back what `learned_state` took out of a model with the same strategy.

    Raises
    ------
    ValueError
        If names or shapes do not match.
    """
    own = dict(trainable_parameters(model)) if is_adapted(model) else dict(model.state_dict())
    if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
        raise ValueError("These learned weights belong to another network or another strategy.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def base_state(model: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of the network underneath the factors, under their plain names."""
    state: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if ".filter_factors." in f".{name}":
            continue
        if ".parametrizations." in f".{name}" and not name.endswith(".original"):
            continue
        state[name.replace("parametrizations.", "").removesuffix(".original")] = tensor
    return state


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of a state dict, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Fold the factors into plain weights, in place; the state dict then loads into the plain network, strictly."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            for tensor_name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, tensor_name, leave_parametrized=True)
    for _, layer in weighted_layers(model):
        factors = getattr(layer, "filter_factors", None)
        if isinstance(factors, FilterFactors):
            factors.merge_into(layer)
            del layer.filter_factors
            for key in [key for key, hook in layer._forward_hooks.items() if hook is scale_output]:
                del layer._forward_hooks[key]


def _report(model: nn.Module, strategy: str, total: int) -> TransferReport:
    trainable = sum(p.numel() for p in trainable_parameters(model).values())
    lost = 0
    cancelled = cancelled_by_norm(model)
    for name, layer in weighted_layers(model):
        if name in cancelled:
            # a norm takes away one overall scale and one shift per filter, whatever form they come in
            factors = [m for m in layer.modules() if isinstance(m, KernelScale | FilterFactors)]
            shifts = [m for m in layer.modules() if isinstance(m, Shift | FilterFactors) and m.shift is not None]
            lost += filters(layer) * (len(factors) + len(shifts))
    warning = ""
    if trainable and lost > trainable / 2:
        warning = (
            f"Only {trainable - lost:,} of the {trainable:,} factors can have an effect: "
            "the normalisation after the other layers cancels them."
        )
    return TransferReport(strategy, trainable, total, trainable - lost, warning)
