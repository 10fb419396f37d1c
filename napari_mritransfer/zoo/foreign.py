"""Weights that other programs saved with ``torch.save``: read without running anything of theirs."""

import argparse
import pathlib
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.pickled import CODEC, LARGEST_BYTES, Nothing, look_into, unknown

FOREIGN_ENDINGS = (".pt", ".pth", ".ckpt", ".p", ".pkl")
"""File name endings that mean a pickle by PyTorch."""

DROPPED = re.compile(r"loss\.")
"""Beginnings of names that training checkpoints hold besides weights: fastMRI's SSIM loss keeps its window there."""

_LOADING = threading.Lock()  # torch keeps what may be loaded for the whole process, and jobs load beside tasks
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")
_PREFIXES = ("module.", "model.", "unet.", "varnet.", "net.", "network.")
_STORAGES = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped")
_NUMBERS = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
_PATHS = ("pathlib.PosixPath", "pathlib._local.PosixPath", "pathlib.WindowsPath", "pathlib._local.WindowsPath")
# numbers of NumPy beside the weights, such as the best score so far, as its releases 1 and 2 name what makes them
_NUMPY = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
ALLOWED: frozenset[str] = frozenset(
    {
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch.nn.parameter.Parameter", "torch.Size", "torch.device", "torch.serialization._get_layout",
        "argparse.Namespace", *_PATHS,  # Lightning's checkpoints keep the settings of their training
        *(f"torch.{kind}Storage" for kind in _STORAGES), *(f"torch.storage.{kind}Storage" for kind in _STORAGES),
        *(f"torch.cuda.{kind}Storage" for kind in _STORAGES),
        *(f"torch.{kind}" for kind in _NUMBERS),
        *_NUMPY, CODEC,  # stand-ins of ours take the place of the former, so that NumPy is never called
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
        with _LOADING, warnings.catch_warnings(), torch.serialization.safe_globals(_stand_ins()):
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


def _stand_ins() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What is built of settings and scores beside the weights: nothing of the program that wrote them.

    Folders become plain paths, whatever system they were written on, and numbers of NumPy nothing at all.
    """
    return [
        argparse.Namespace,
        *((pathlib.PurePath, name) for name in _PATHS),
        *((Nothing, name) for name in _NUMPY),
    ]
