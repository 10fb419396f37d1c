"""Encoders that learned from photographs: torchvision's ResNets as the beginning of a slice-set network."""

from pathlib import Path

import torch
from torch import Tensor

from napari_mritransfer.networks.slice_encoders import ResNetEncoder
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.zoo.card import UnknownModel
from napari_mritransfer.zoo.download import fetched_file
from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.families import resnet_name
from napari_mritransfer.zoo.foreign import FOREIGN_ENDINGS, read_foreign
from napari_mritransfer.zoo.published import PUBLISHED, published_weights
from napari_mritransfer.zoo.weights import load_strictly, read_safetensors

_CLASSIFIER = "fc."
_FIRST = "conv1.weight"
_KERNEL_AXES = 4
_COUNTER = "num_batches_tracked"  # of batch norms; files of old releases of PyTorch do not have it


def load_encoder(network: SliceSet, source: str | Path) -> None:
    """Let a network's ResNet begin with weights for photographs; everything else of it stays as it is.

    Parameters
    ----------
    network
        With a ResNet as its encoder; its number of channels decides about the first layer, see `encoder_state`.
    source
        See `encoder_state`.

    Raises
    ------
    UnknownModel, NotFetched, UnreadableWeights
        If there are no such weights here, they cannot be trusted, or belong to another encoder.
    """
    encoder = network.encoder_2d
    if not isinstance(encoder, ResNetEncoder):
        raise UnreadableWeights(
            "Weights for photographs fit ResNets only, and this network has an encoder of its own; choose resnet18, "
            "resnet34 or resnet50 as its encoder."
        )
    state = encoder_state(source, encoder.channels)
    has, needs = resnet_name(state), resnet_name(encoder.encoder_2d.state_dict())
    if has != needs:
        raise UnreadableWeights(
            f"{Path(source).name} holds a {has}, but the network's encoder is a {needs}; choose one of the same depth."
        )
    load_strictly(encoder.encoder_2d, state, Path(source))


def encoder_state(source: str | Path, channels: int = 3) -> dict[str, Tensor]:
    """Weights of a ResNet-18, -34 or -50 under torchvision's names, without its classifier.

    Parameters
    ----------
    source
        Name of fetched weights, such as ``imagenet-resnet18``, or a file: what torchvision saved, or the same as
        safetensors.
    channels
        3 as published. 1 for slices that are not repeated: the first kernels are summed over their colours, which
        gives the same output as a slice repeated three times with a third of the work in that layer.

    Returns
    -------
    state
        Names and shapes of `networks.slice_encoders.ResNetEncoder.encoder_2d`.

    Raises
    ------
    UnknownModel, NotFetched, UnreadableWeights
        If there are no such weights here, they cannot be trusted, or are those of another network.
    """
    path = _file(source)
    state = read_foreign(path)[0] if path.suffix.lower() in FOREIGN_ENDINGS else read_safetensors(path)[0]
    state = {name: tensor for name, tensor in state.items() if not name.startswith(_CLASSIFIER)}
    if not resnet_name(state) or state[_FIRST].dim() != _KERNEL_AXES:
        raise UnreadableWeights(
            f"{path.name} holds no ResNet-18, -34 or -50 under torchvision's names; choose a file that torchvision "
            "published, or fetch one with `mritransfer models fetch`."
        )
    if not any(name.endswith(_COUNTER) for name in state):
        norms = [name.removesuffix("running_mean") for name in state if name.endswith("running_mean")]
        state |= {f"{norm}{_COUNTER}": torch.zeros((), dtype=torch.int64) for norm in norms}
    return state | {_FIRST: _first_layer(state[_FIRST], channels, path)}


def _first_layer(kernels: Tensor, channels: int, path: Path) -> Tensor:
    """Kernels ``(out, channels, y, x)`` for slices of so many channels."""
    if kernels.shape[1] == channels:
        return kernels
    if channels != 1:
        raise UnreadableWeights(
            f"The first layer in {path.name} is for {kernels.shape[1]} channels, the network's for {channels}; use a "
            "network of as many."
        )
    # in double precision, so that what is rounded is the sum alone
    return kernels.double().sum(dim=1, keepdim=True).to(kernels.dtype)


def _file(source: str | Path) -> Path:
    if entry := published_weights(str(source), "encoder"):
        return fetched_file(entry)
    path = Path(source)
    if not path.exists() and not path.suffix and len(path.parts) == 1:
        names = ", ".join(entry.name for entry in PUBLISHED if entry.kind == "encoder")
        raise UnknownModel(f"There is no encoder called '{source}'; choose one of: {names}, or give a file.")
    return path
