"""Weights that other programs saved with ``torch.save``: read without running anything, recognised by their names."""

import argparse
import pathlib
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.pickled import LARGEST_BYTES, look_into, unknown

FOREIGN_ENDINGS = (".pt", ".pth", ".ckpt", ".p", ".pkl")
"""File name endings that mean a pickle by PyTorch."""

DROPPED = re.compile(r"loss\.")
"""Beginnings of names that training checkpoints hold besides weights: fastMRI's SSIM loss keeps its window there."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")
_PREFIXES = ("module.", "model.", "unet.", "varnet.", "net.", "network.")
_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped")
_NUMBERS = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
ALLOWED: frozenset[str] = frozenset(
    {
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch.nn.parameter.Parameter", "torch.Size", "torch.device", "torch.serialization._get_layout",
        # Lightning's checkpoints keep the settings of their training
        "argparse.Namespace", "pathlib.PosixPath", "pathlib._local.PosixPath",
        "pathlib.WindowsPath", "pathlib._local.WindowsPath",
        *(f"torch.{kind}Storage" for kind in _STORAGES), *(f"torch.storage.{kind}Storage" for kind in _STORAGES),
        *(f"torch.cuda.{kind}Storage" for kind in _STORAGES),
        *(f"torch.{kind}" for kind in _NUMBERS),
    }
)  # fmt: skip
"""All that a checkpoint may import: containers, tensors and settings, nothing that does anything."""


def read_foreign(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """State dict of a checkpoint, on the CPU, under the names its network gives them.

    Both formats of ``torch.save`` are read. What it would import is compared with `ALLOWED` before anything is loaded,
    and loading is ``torch.load(weights_only=True)``, which is strict on its own.

    Parameters
    ----------
    path
        A bare state dict, or one inside a dictionary with a common name, such as Lightning's ``state_dict``.

    Returns
    -------
    state
        Without prefixes such as ``module.``, which wrappers add.
    dropped
        Names in the file that are no weights and were left out, see `DROPPED`.

    Raises
    ------
    UnreadableWeights
        If the file would execute something, which is then named; if it is damaged, announces more than it holds, or
        has no weights.
    """
    stranger = next(unknown(look_into(path), ALLOWED), None)
    if stranger is not None:
        raise UnreadableWeights(
            f"{path.name} would run '{stranger}' when it is loaded, so it was not; ask its author for "
            "the weights alone, saved with torch.save(network.state_dict(), …)."
        )
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace, *_paths()]):
            warnings.simplefilter("ignore")  # on storages of old releases, which is what these files hold
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a stranger's bytes can break the loader in any way; none of them is a bug of ours
        reason = " ".join(str(error).split())[:120].rstrip(".")
        raise UnreadableWeights(
            f"{path.name} is no whole PyTorch checkpoint ({type(error).__name__}: {reason.partition('. ')[0]}); "
            "copy it again or export it anew."
        ) from error
    state = _state_dict(loaded)
    if state is None:
        raise UnreadableWeights(f"{path.name} holds no state dict of named weights; save one with torch.save.")
    if sum(tensor.numel() * tensor.element_size() for tensor in state.values()) > LARGEST_BYTES:
        raise UnreadableWeights(f"The weights in {path.name} unfold to more than 4 GiB; choose another file.")
    return _stripped(state)


def identify(state: Mapping[str, Tensor]) -> tuple[str, dict[str, object]]:
    """Architecture and settings of a network, from the names and shapes of its weights.

    Parameters
    ----------
    state
        As `read_foreign` returns it.

    Returns
    -------
    architecture, settings
        What `zoo.weights.build` takes.

    Raises
    ------
    UnreadableWeights
        If these are weights of no network that is known by its names.
    """
    try:
        if "sens_net.norm_unet.unet.conv.layers.0.weight" in state:
            return "varnet", _varnet(state)
        if "down_sample_layers.0.layers.0.weight" in state:
            return "unet", _unet(state)
        if "fcs.0.conv_D" in state:
            return "istanet", {"layers": _count(state, "fcs."), "width": state["fcs.0.conv_D"].shape[0]}
    except (KeyError, IndexError):
        pass
    first = next(iter(state), "none")
    raise UnreadableWeights(
        f"These weights, first '{first[:80]}', belong to no network that is known by its names "
        "(fastMRI's U-Net and VarNet, ISTA-Net+); convert them to a safetensors file with 'architecture' and "
        "'settings' metadata."
    )


def _unet(state: Mapping[str, Tensor]) -> dict[str, object]:
    chans, in_chans = state["down_sample_layers.0.layers.0.weight"].shape[:2]
    pools = _count(state, "down_sample_layers.")
    settings: dict[str, object] = {"chans": chans, "pools": pools}
    out_chans = state[f"up_conv.{pools - 1}.1.weight"].shape[0]
    # said only where it differs from a network that stands alone
    return settings | ({} if (in_chans, out_chans) == (1, 1) else {"in_chans": in_chans, "out_chans": out_chans})


def _varnet(state: Mapping[str, Tensor]) -> dict[str, object]:
    cascade, maps = "cascades.0.model.unet.down_sample_layers.", "sens_net.norm_unet.unet.down_sample_layers."
    return {
        "cascades": _count(state, "cascades."),
        "chans": state[f"{cascade}0.layers.0.weight"].shape[0],
        "pools": _count(state, cascade),
        "sens_chans": state[f"{maps}0.layers.0.weight"].shape[0],
        "sens_pools": _count(state, maps),
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbers follow a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in state if name.startswith(prefix)})


def _state_dict(loaded: object) -> dict[str, Tensor] | None:
    """The named tensors, however they are wrapped."""
    if not isinstance(loaded, Mapping) or not loaded:
        return None
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()):
        return dict(loaded)
    for wrapper in _WRAPPERS:
        if (state := _state_dict(loaded.get(wrapper))) is not None:
            return state
    return None


def _stripped(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    dropped = tuple(name for name in state if DROPPED.match(name))
    kept = {name: tensor for name, tensor in state.items() if name not in dropped}
    while prefix := next((p for p in _PREFIXES if kept and all(name.startswith(p) for name in kept)), ""):
        kept = {name.removeprefix(prefix): tensor for name, tensor in kept.items()}
    return kept, dropped


def _paths() -> list[type | tuple[type, str]]:
    """Folders in the settings of somebody else's training: plain paths here, whatever system they were written on."""
    names = ("pathlib.PosixPath", "pathlib._local.PosixPath", "pathlib.WindowsPath", "pathlib._local.WindowsPath")
    return [(pathlib.PurePath, name) for name in names]
