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


def transfer(
    model: nn.Module, strategy: str, options: Mapping[str, object] | None = None, part: str = ""
) -> TransferReport:
    """Apply a strategy to a plain model, in place.

    Parameters
    ----------
    model
        A network without another strategy on it. `scratch` draws new weights from torch's global generator.
    strategy
        Name in the catalogue.
    options
        Those of the strategy; left-out ones take their defaults.
    part
        Dotted name of the submodule that the strategy is for, such as a pretrained encoder: everything outside of it is
        new and learns. The whole model if empty.

    Raises
    ------
    ValueError
        If the strategy, an option or the part is unknown, or does not fit the network.
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
    try:
        target = model.get_submodule(part)
    except AttributeError as error:
        raise ValueError(f"This network has no part '{part}' to apply a strategy to.") from error
    total = sum(p.numel() for p in model.parameters())
    new = set(model.parameters()) - set(target.parameters())
    importlib.import_module(f"{__package__}.{row.name}").apply(target, **dict(options or {}))
    for parameter in new:
        parameter.requires_grad_(True)
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
    """What has to be stored beside the base to restore the model.

    The factors, with everything outside of the part that they are for; or everything if weights learn.
    """
    return {name: t.detach().clone() for name, t in _learned(model).items()}


def load_learned_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put back what `learned_state` took out of a model with the same strategy.

    Raises
    ------
    ValueError
        If names or shapes do not match.
    """
    own = _learned(model)
    if own.keys() != state.keys() or any(own[name].shape != state[name].shape for name in own):
        raise ValueError("These learned weights belong to another network or another strategy.")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def _learned(model: nn.Module) -> dict[str, Tensor]:
    state: dict[str, Tensor] = dict(model.state_dict())
    if not is_adapted(model):
        return state
    learned: dict[str, Tensor] = dict(trainable_parameters(model))
    for prefix, module in model.named_modules():
        if any(p.requires_grad for p in module.parameters(recurse=False)):  # a norm that learns counts as it goes
            names = [f"{prefix}.{name}".lstrip(".") for name, _ in module.named_buffers(recurse=False)]
            learned |= {name: state[name] for name in names if name in state}
    return learned


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
def merged_state(model: nn.Module) -> dict[str, Tensor]:
    """The state dict that `merge` would leave, while the model goes on learning.

    A copy of the model could not be merged instead: copies share the class that holds their parametrizations.
    """
    state = {name: tensor.detach().clone() for name, tensor in base_state(model).items()}
    for prefix, module in model.named_modules():
        found: dict[str, Tensor] = {}
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            found = {name: getattr(module, name) for name in module.parametrizations}
        factors = getattr(module, "filter_factors", None)
        if isinstance(factors, FilterFactors):
            found = factors.merged(module)
        state |= {f"{prefix}.{name}".lstrip("."): tensor.detach().clone() for name, tensor in found.items()}
    return state


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
            for tensor_name, tensor in factors.merged(layer).items():
                getattr(layer, tensor_name).copy_(tensor)
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
