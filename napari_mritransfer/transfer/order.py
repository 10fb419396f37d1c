"""In which order a network's layers compute, and the first or last of them."""

from collections.abc import Iterator

from torch import nn

from napari_mritransfer.transfer.layers import carries_weights


def in_order(model: nn.Module) -> Iterator[nn.Module]:
    """Modules with parameters of their own, once each, in the order in which they compute.

    A module whose ``forward`` calls its children in another order than they were registered in has a method
    ``in_order()`` that yields them as it calls them.
    """
    seen: set[nn.Module] = set()

    def visit(module: nn.Module) -> Iterator[nn.Module]:
        if module in seen:
            return
        seen.add(module)
        if any(True for _ in module.parameters(recurse=False)):
            yield module
        declared = getattr(module, "in_order", module.children)
        for child in (*declared(), *module.children()):  # what a declaration forgets comes last, not never
            yield from visit(child)

    yield from visit(model)


def first(model: nn.Module, share: float) -> list[nn.Module]:
    """The first layers, with what belongs to them, such as norms.

    Parameters
    ----------
    model
        Any network.
    share
        Of its weighted layers, above 0 and at most 1; at least one layer is taken.

    Raises
    ------
    ValueError
        If the share is out of range or there is no layer.
    """
    modules, starts = _layers(model, share)
    count = _count(share, len(starts))
    return modules[: starts[count]] if count < len(starts) else modules


def last(model: nn.Module, share: float) -> list[nn.Module]:
    """The last layers, with what belongs to them; see `first`."""
    modules, starts = _layers(model, share)
    return modules[starts[-_count(share, len(starts))] :]


def learn_only(model: nn.Module, modules: list[nn.Module]) -> None:
    """Freeze everything but what these modules hold themselves."""
    model.requires_grad_(False)
    for module in modules:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(True)


def _layers(model: nn.Module, share: float) -> tuple[list[nn.Module], list[int]]:
    """All modules in order, and the places of those that carry weights."""
    if not 0 < share <= 1:
        raise ValueError(f"The share of layers that learn is {share:g}; give a number above 0 and at most 1.")
    modules = list(in_order(model))
    starts = [place for place, module in enumerate(modules) if carries_weights(module)]
    if not starts:
        raise ValueError("This network has no convolution and no linear layer to begin or end with.")
    return modules, starts


def _count(share: float, layers: int) -> int:
    return max(1, round(share * layers))
