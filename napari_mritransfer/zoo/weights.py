"""Networks by name, and their weights from files that may come from strangers: sizes checked, checksums verified."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.istanet import ISTANetPlus
from napari_mritransfer.networks.multiscale import MultiscaleCascade
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.networks.unet import UNet
from napari_mritransfer.networks.varnet import VarNet
from napari_mritransfer.zoo.card import ModelCard
from napari_mritransfer.zoo.download import sha256_of as sha256_of
from napari_mritransfer.zoo.errors import UnreadableWeights as UnreadableWeights
from napari_mritransfer.zoo.families import identify
from napari_mritransfer.zoo.foreign import FOREIGN_ENDINGS, read_foreign
from napari_mritransfer.zoo.pickled import LARGEST_BYTES as _LARGEST_BYTES
from napari_mritransfer.zoo.undrawn import Undrawn

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "dccnn": DCCNN,
    "multiscale": MultiscaleCascade,
    "unet": UNet,
    "varnet": VarNet,
    "istanet": ISTANetPlus,
    "sliceset": SliceSet,
    "sfcn": SFCN,
}
PREDICTORS = frozenset({"sliceset", "sfcn"})
"""Architectures that predict a label from a volume; all others reconstruct an image."""
_KERNEL_AXES = 4
_LARGEST_SETTING = 512  # channels, cascades, …: no network here comes near, and a stranger's file may say 10⁹


def build(architecture: str, settings: dict[str, object]) -> nn.Module:
    """A network with fresh weights.

    Raises
    ------
    UnreadableWeights
        If the architecture is unknown or does not take these settings.
    """
    if architecture not in ARCHITECTURES:
        raise UnreadableWeights(
            f"The network architecture '{architecture}' is not known here; update napari-mritransfer or choose one of: "
            f"{', '.join(ARCHITECTURES)}."
        )
    numbers = [n for value in settings.values() for n in (value if isinstance(value, list | tuple) else [value])]
    if len(numbers) > _LARGEST_SETTING or any(isinstance(n, int | float) and n > _LARGEST_SETTING for n in numbers):
        raise UnreadableWeights(f"The settings of this {architecture} network are too large; check where it came from.")
    try:
        network = ARCHITECTURES[architecture](**settings)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        raise UnreadableWeights(f"The settings of this {architecture} network do not make sense ({error}).") from error
    # complex images arrive channels-last, and convolutions run twice as fast when the weights do too
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == _KERNEL_AXES:  # other tensors know no such order
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return network


def load_base(card: ModelCard) -> nn.Module:
    """A shipped network with its pretrained weights, on the CPU, in evaluation mode.

    Raises
    ------
    UnreadableWeights
        If the file is missing, or is not the one the card was written for.
    """
    path = card.weights
    if not path.is_file():
        raise UnreadableWeights(f"The weights of {card.name} are missing here; reinstall the package.")
    found = sha256_of(path)
    if found != card.sha256:
        raise UnreadableWeights(
            f"The weights of {card.name} have SHA-256 {found[:12]}… instead of {card.sha256[:12]}…: "
            "the file was damaged or changed, so reinstall the package."
        )
    return build_with(card.architecture, dict(card.settings), read_safetensors(path)[0], path)


def load_file(path: Path, **known: object) -> tuple[nn.Module, dict[str, str]]:
    """A network from a file that says which one it belongs to, with the file's metadata (see `read_weights`).

    The metadata names the ``architecture`` and, as JSON, its ``settings``.

    Parameters
    ----------
    path
        The file.
    **known
        Settings that the caller knows better, such as ``pooling="max"`` where the names of the weights do not tell.

    Raises
    ------
    UnreadableWeights
        If the file cannot be read, or does not say which network it belongs to.
    """
    state, metadata = read_weights(path, **known)
    return assemble(state, metadata, path), metadata


def assemble(state: dict[str, Tensor], metadata: Mapping[str, str], path: Path) -> nn.Module:
    """The network that weights and metadata of `path` belong to, in evaluation mode; see `load_file`.

    Raises
    ------
    UnreadableWeights
        If the metadata does not say which network it is, or the weights are not its.
    """
    if "architecture" not in metadata:
        raise UnreadableWeights(
            f"{path.name} does not say which network its weights belong to; give it 'architecture' and 'settings' "
            "metadata, as `mritransfer finetune` writes them."
        )
    return build_with(metadata["architecture"], _settings(metadata, path), state, path)


def build_with(architecture: str, settings: dict[str, object], state: dict[str, Tensor], path: Path) -> nn.Module:
    """A network with the weights that were read from `path`, in evaluation mode.

    Raises
    ------
    UnreadableWeights
        If there is no such network, or the weights are not its.
    """
    with torch.device("meta"):  # takes no memory before names and shapes are known to match
        _check_names(build(architecture, settings), state, path)
    with Undrawn():
        network = build(architecture, settings)
    load_strictly(network, state, path)
    return network.eval()


def read_weights(path: Path, **known: object) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, on the CPU, and its metadata, whoever saved it; nothing in it is ever executed.

    Files by PyTorch (see `foreign.FOREIGN_ENDINGS`) carry no metadata; their network is recognised by the names of its
    weights; ``dropped`` lists, as JSON, what was left out of them, and ``guessed`` what their names do not tell (see
    `families.Family`).

    Parameters
    ----------
    path
        The file.
    **known
        See `load_file`.

    Raises
    ------
    UnreadableWeights
        If the file cannot be read, would execute something, or belongs to no known network.
    """
    if path.suffix.lower() not in FOREIGN_ENDINGS:
        state, metadata = read_safetensors(path)
        return state, metadata | ({"settings": json.dumps(_settings(metadata, path) | known)} if known else {})
    state, dropped = read_foreign(path)
    family = identify(state)
    guessed = {name: sentence for name, sentence in family.guessed.items() if name not in known}
    return state, {
        "architecture": family.architecture, "settings": json.dumps(family.settings | known),
        "dropped": json.dumps(dropped), "guessed": json.dumps(guessed),
    }  # fmt: skip


def _settings(metadata: Mapping[str, str], path: Path) -> dict[str, object]:
    try:
        settings = json.loads(metadata.get("settings", "{}"))
    except (ValueError, RecursionError) as error:
        raise UnreadableWeights(f"The settings stored in {path.name} are not JSON; save the file again.") from error
    if not isinstance(settings, dict):
        raise UnreadableWeights(f"The settings stored in {path.name} are not a JSON object; save the file again.")
    return settings


def guesses(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences on what was assumed of a network because its weights do not tell; metadata as of `read_weights`."""
    try:
        guessed = json.loads(metadata.get("guessed", "{}"))
    except (ValueError, RecursionError):
        return ()
    return tuple(str(sentence) for sentence in guessed.values()) if isinstance(guessed, dict) else ()


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file, on the CPU, and its metadata; nothing in it is ever executed.

    Raises
    ------
    UnreadableWeights
        If the file is missing, too large, or not a whole safetensors file.
    """
    if not path.is_file():
        raise UnreadableWeights(f"There is no weights file at {path}; check the path.")
    if path.stat().st_size > _LARGEST_BYTES:
        raise UnreadableWeights(f"{path.name} is larger than 4 GiB, which no network here needs; choose another file.")
    try:
        with safe_open(path, framework="pt") as file:  # checks header and sizes before a tensor is allocated
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise UnreadableWeights(
            f"{path.name} is not a whole safetensors file ({error}); copy it again or export the weights anew."
        ) from error


def load_strictly(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load a state dict, all names, shapes and kinds of number matching.

    Raises
    ------
    UnreadableWeights
        If they do not match, or a weight is not finite.
    """
    _check_names(network, state, path)
    network.load_state_dict(state, strict=True)
    damaged = [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]
    if damaged:
        raise UnreadableWeights(
            f"{path.name} holds weights that are not finite numbers, first in '{damaged[0]}'; choose another file."
        )


def _check_names(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    own = network.state_dict()
    wrong = sorted(own.keys() ^ state.keys()) or [
        name
        for name, tensor in own.items()
        if tensor.shape != state[name].shape or tensor.is_floating_point() != state[name].is_floating_point()
    ]
    if wrong:
        raise UnreadableWeights(
            f"{path.name} holds weights of another network: {len(wrong)} names or shapes differ, first '{wrong[0]}'; "
            "choose the file that belongs to this architecture."
        )
