"""Networks of others, recognised by the names and shapes of their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from napari_mritransfer.networks.slice_positions import SLICINGS
from napari_mritransfer.zoo.errors import UnreadableWeights

_SLICE = "encoder_2d.encoder_2d."
_PLACES = "encoder_2d.position_encoder."
_GRIDS = ((91, 109, 91), (182, 218, 182), (61, 73, 61))  # of MNI space at 2, 1 and 3 mm; the first is the published one
# blocks in each of the four stages, and convolutions in a block
_RESNETS: dict[tuple[tuple[int, ...], int], str] = {
    ((2, 2, 2, 2), 2): "resnet18",
    ((3, 4, 6, 3), 2): "resnet34",
    ((3, 4, 6, 3), 3): "resnet50",
}


@dataclass(frozen=True, slots=True)
class Family:
    """Which network a file holds.

    Attributes
    ----------
    architecture, settings
        What `zoo.weights.build` takes.
    guessed
        Settings that neither names nor shapes tell, with a sentence on what was assumed.
    """

    architecture: str
    settings: dict[str, object]
    guessed: dict[str, str] = field(default_factory=dict)


def identify(state: Mapping[str, Tensor]) -> Family:
    """The network that weights belong to, from their names and shapes.

    Parameters
    ----------
    state
        As `zoo.foreign.read_foreign` returns it.

    Raises
    ------
    UnreadableWeights
        If these are weights of no network that is known by its names.
    """
    try:
        if "sens_net.norm_unet.unet.conv.layers.0.weight" in state:
            return Family("varnet", _varnet(state))
        if "down_sample_layers.0.layers.0.weight" in state:
            return Family("unet", _unet(state))
        if "fcs.0.conv_D" in state:
            return Family("istanet", {"layers": _count(state, "fcs."), "width": state["fcs.0.conv_D"].shape[0]})
        if f"{_SLICE}0.0.weight" in state or f"{_SLICE}conv1.weight" in state:
            return _sliceset(state)
        if "feature_extractor.conv_0.0.weight" in state:
            return _sfcn(state)
    except (KeyError, IndexError, ValueError):
        pass
    if encoder := resnet_name(state):
        raise UnreadableWeights(
            f"These are the weights of a {encoder} for photographs, an encoder and no whole network; a slice-set "
            "network can start from them, so name them as its encoder's weights."
        )
    first = next(iter(state), "none")
    raise UnreadableWeights(
        f"These weights, first '{first[:80]}', belong to no network that is known by its names "
        "(fastMRI's U-Net and VarNet, ISTA-Net+, 2D-slice-set networks, SFCN); convert them to a safetensors file with "
        "'architecture' and 'settings' metadata."
    )


def resnet_name(state: Mapping[str, Tensor], prefix: str = "") -> str:
    """``resnet18``, ``resnet34`` or ``resnet50`` from the names of its blocks; empty if it is another network."""
    if f"{prefix}conv1.weight" not in state:
        return ""
    blocks = tuple(_count(state, f"{prefix}layer{stage}.") for stage in (1, 2, 3, 4))
    convolutions = sum(f"{prefix}layer1.0.conv{number}.weight" in state for number in (1, 2, 3))
    return _RESNETS.get((blocks, convolutions), "")


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


def _sliceset(state: Mapping[str, Tensor]) -> Family:
    """Of both published versions: 2021 without, 2023 with a layer after the attention."""
    settings, guessed = _slice_encoder(state), {}
    settings |= {"outputs": state["regressor.1.weight"].shape[0]}
    if "pooled_attention.S" in state:
        settings |= {"pooling": "attention", "heads": 1, "output_layer": "pooled_attention.fc_o.weight" in state}
        guessed["heads"] = "Its names do not tell how many heads its attention has; one was assumed, as published."
    else:
        settings["pooling"] = "mean"
        guessed["pooling"] = (
            "Its names do not tell whether the mean or the maximum over slices was taken; the mean was assumed."
        )
    settings["positions"] = "off"
    slicing, slices = 0, _GRIDS[0][0]
    if f"{_PLACES}ln.weight" in state:
        settings["positions"] = "learned" if f"{_PLACES}position_encoding" in state else "sinusoidal"
        lengths = list(state[f"{_PLACES}ln.weight"].shape[1:])
        # a single slice, of which nobody can tell the axis, counts as sagittal
        slicing, slices = next(((axis, n) for axis, n in enumerate(lengths) if n > 1), (0, 1))
    else:
        guessed["slicing"] = (
            "Its names do not tell along which axis volumes are cut; sagittal slices were assumed, as published."
        )
    settings["slicing"] = SLICINGS[slicing]
    grid = next((list(known) for known in _GRIDS if known[slicing] == slices), None)
    if grid is None:
        grid = [slices if axis == slicing else length for axis, length in enumerate(_GRIDS[0])]
        guessed["grid"] = (
            f"It was trained with {slices} slices, and its names do not tell how large these are; a volume of "
            f"{' × '.join(map(str, grid))} voxels was assumed."
        )
    return Family("sliceset", settings | {"grid": grid}, guessed)


def _sfcn(state: Mapping[str, Tensor]) -> Family:
    blocks = range(_count(state, "feature_extractor."))
    widths = [state[f"feature_extractor.conv_{block}.0.weight"].shape[0] for block in blocks]
    settings: dict[str, object] = {"widths": widths, "outputs": state["classifier.conv_6.weight"].shape[0]}
    return Family("sfcn", settings)  # its names do not tell the grid; the published one is the default


def _slice_encoder(state: Mapping[str, Tensor]) -> dict[str, object]:
    """What the names and shapes of the encoder tell."""
    if f"{_SLICE}conv1.weight" in state:
        name = resnet_name(state, _SLICE)
        if not name:
            raise KeyError("a ResNet of another depth")
        channels = state[f"{_SLICE}conv1.weight"].shape[1]
        return {"encoder": name, "code": state["encoder_2d.post_proc.0.weight"].shape[0], "channels": channels}
    code, features = state["encoder_2d.post_position_encoding.1.weight"].shape[:2]
    blocks = range(_count(state, _SLICE))
    widths = [state[f"{_SLICE}{block}.0.weight"].shape[0] for block in blocks]
    return {"encoder": "conv5", "widths": widths, "features": features, "code": code}


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbers follow a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in state if name.startswith(prefix)})
