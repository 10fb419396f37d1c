"""One model, one strategy: apply it, count what learns, take out what was learned, merge it away."""

import hashlib
import importlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.catalogue import strategy as find_strategy
from napari_mritransfer.transfer.conv_adapter import Adapter
from napari_mritransfer.transfer.factors import KernelScale, OutputFactors, take_off
from napari_mritransfer.transfer.layers import WeightedLayer, cancelled_by_norm, filters, weighted_layers
from napari_mritransfer.transfer.lft import Shift


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
    if not is_mergeable(model):
        raise ValueError("This network carries adapters, which cannot be folded into weights; begin from its base.")
    if is_adapted(model):
        raise ValueError("This model already carries a strategy's factors; merge them first.")
    try:
        target = model.get_submodule(part)
    except AttributeError as error:
        raise ValueError(f"This network has no part '{part}' to apply a strategy to.") from error
    total = sum(p.numel() for p in model.parameters())
    new = set(model.parameters()) - set(target.parameters())
    importlib.import_module(f"{__package__}.{row.module}").apply(target, **dict(options or {}))
    report = _report(target, strategy, total)
    outside = sum(parameter.numel() for parameter in new)
    if row.trains and not report.effective + outside:
        merge(model)
        model.requires_grad_(True)
        raise ValueError(
            f"'{strategy}' could not change what this network does: the normalisation after its layers cancels all "
            "that would learn; choose 'ft'."
        )
    for parameter in new:
        parameter.requires_grad_(True)
    return replace(report, trainable=report.trainable + outside, effective=report.effective + outside)


def trainable_by_strategy(model: nn.Module) -> dict[str, int]:
    """Number of parameters that each strategy of the catalogue lets learn; 0 where it has nothing to do.

    Counted on a device without memory: no weight is copied, and nothing is drawn from the random generator, which a job
    in the same process may be drawing from.
    """
    outline = deepcopy(model).to("meta")
    counts: dict[str, int] = {}
    for row in CATALOGUE:
        try:
            counts[row.name] = transfer(deepcopy(outline), row.name).trainable
        except ValueError:
            counts[row.name] = 0
    return counts


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Dotted names and parameters that learn."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def training_mode(model: nn.Module) -> None:
    """Training mode for what learns; layers with nothing to learn stay in evaluation mode.

    A frozen batch norm would otherwise let its running statistics drift: buffers belong to the frozen base too. One of
    which a part is frozen, such as its scale, keeps them as well.
    """
    for module in model.modules():
        learns = any(p.requires_grad for p in module.parameters())
        if isinstance(module, nn.modules.batchnorm._NormBase):
            learns = learns and all(p.requires_grad for p in module.parameters())
        module.training = learns or not any(True for _ in module.buffers())


def is_adapted(model: nn.Module) -> bool:
    """Whether something hangs on the model that was learned beside its own weights."""
    return not is_mergeable(model) or any(
        parametrize.is_parametrized(m) or hasattr(m, "filter_factors") for m in model.modules()
    )


def is_mergeable(model: nn.Module) -> bool:
    """Whether all that hangs on the model can be folded into its weights; adapters that bend cannot."""
    return not any(isinstance(module, Adapter) for module in model.modules())


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
        if ".filter_factors." in f".{name}" or ".transfer_adapter." in f".{name}":
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

    Raises
    ------
    ValueError
        If it carries adapters.
    """
    _check_mergeable(model)
    state = {name: tensor.detach().clone() for name, tensor in base_state(model).items()}
    for prefix, module in model.named_modules():
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            names = {name: f"{prefix}.{name}".lstrip(".") for name in module.parametrizations}
            state |= {full: getattr(module, name).detach().clone() for name, full in names.items()}
    return state


@torch.no_grad()
def merge(model: nn.Module) -> None:
    """Fold the factors into plain weights, in place; the state dict then loads into the plain network, strictly.

    A deep copy shares the class that holds its parametrizations with the original, so merging one breaks the other;
    `merged_state` leaves both alone.

    Raises
    ------
    ValueError
        If the model carries adapters.
    """
    _check_mergeable(model)
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            assert isinstance(module.parametrizations, nn.ModuleDict)
            for tensor_name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, tensor_name, leave_parametrized=True)
        if isinstance(getattr(module, "filter_factors", None), OutputFactors):
            take_off(module)


def _check_mergeable(model: nn.Module) -> None:
    if not is_mergeable(model):
        raise ValueError("Adapters bend, so they cannot be folded into weights; keep the network with its adapters.")


def _report(part: nn.Module, strategy: str, total: int) -> TransferReport:
    """Of the part that the strategy is for."""
    trainable = sum(p.numel() for p in trainable_parameters(part).values())
    cancelled = cancelled_by_norm(part)
    lost = sum(_cancelled(layer) for name, layer in weighted_layers(part) if name in cancelled)
    warning = ""
    if trainable and lost > trainable / 2:
        warning = (
            f"Only {trainable - lost:,} of the {trainable:,} parameters that learn can have an effect: "
            "the normalisation after the other layers cancels them."
        )
    return TransferReport(strategy, trainable, total, trainable - lost, warning)


def _cancelled(layer: WeightedLayer) -> int:
    """Parameters without effect of a layer before a norm without memory.

    The norm takes away one overall scale and one shift per filter, in whatever form factors or biases bring them.
    """
    scales = [m for m in layer.modules() if isinstance(m, KernelScale | OutputFactors)]
    shifts = [m for m in layer.modules() if isinstance(m, Shift | OutputFactors) and m.shift is not None]
    only_bias = isinstance(layer.bias, nn.Parameter) and layer.bias.requires_grad and not layer.weight.requires_grad
    return filters(layer) * (len(scales) + len(shifts) + only_bias)
