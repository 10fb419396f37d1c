"""Encoders that learned from photographs, in files as torchvision saves them (with weights drawn here)."""

import functools
import re

import pytest
import torch
from monai.networks import nets
from safetensors.torch import save_file
from torch import nn

from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.zoo.card import UnknownModel
from napari_mritransfer.zoo.download import NotFetched
from napari_mritransfer.zoo.errors import UnreadableWeights
from napari_mritransfer.zoo.imagenet import encoder_state, load_encoder
from napari_mritransfer.zoo.published import PUBLISHED, published_weights
from napari_mritransfer.zoo.undrawn import Undrawn

COUNTER = "num_batches_tracked"


@functools.cache
def torchvisions(depth=18):
    """A whole network under torchvision's names, with a classifier and statistics that are not those of new ones."""
    torch.manual_seed(depth)
    make = getattr(nets, f"resnet{depth}")
    network = make(spatial_dims=2, n_input_channels=3, num_classes=10, conv1_t_stride=2, bias_downsample=False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(7)
    return network.eval().state_dict()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """As torchvision saved it: a bare state dict."""
    path = tmp_path_factory.mktemp("torchvision") / "resnet18-f37072fd.pth"
    torch.save(torchvisions(), path)
    return path


def network(encoder="resnet18", **options):
    """With small positive numbers for weights, which are quicker to make than drawn ones."""
    with Undrawn():
        ours = SliceSet(encoder, "mean", "off", grid=(3, 40, 36), **options).eval()
    for number, tensor in enumerate(ours.state_dict().values(), start=1):
        tensor.fill_(1 / number if tensor.is_floating_point() else 0)
    return ours


def refusal(action, *arguments):
    with pytest.raises(UnreadableWeights) as caught:
        action(*arguments)
    message = str(caught.value)
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message)
    return message


def test_an_encoder_begins_with_what_it_learned_and_the_rest_stays(file):
    ours = network()
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    load_encoder(ours, file)
    for name, tensor in ours.state_dict().items():
        inner = name.removeprefix("encoder_2d.encoder_2d.")
        assert torch.equal(tensor, before[name] if inner == name else torchvisions()[inner]), name


def test_the_classifier_alone_is_left_out(file):
    assert torchvisions().keys() - encoder_state(file).keys() == {"fc.weight", "fc.bias"}
    assert encoder_state(file).keys() < torchvisions().keys()


def outputs(state, channels, dtype):
    """First maps and embedding from a network that is the same but for the weights of its encoder."""
    ours = network(channels=channels).to(dtype)
    ours.encoder_2d.encoder_2d.load_state_dict(state, strict=True)
    torch.manual_seed(2)
    volume = torch.randn(1, 1, 3, 40, 36, dtype=torch.float64).to(dtype)
    with torch.no_grad():
        first = ours.encoder_2d.encoder_2d.conv1(volume[:, 0, :1].expand(-1, channels, -1, -1))
        return first, ours(volume).embedding


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)], ids=["float32", "float64"]
)
def test_one_channel_is_the_same_as_a_slice_repeated_three_times(tmp_path, dtype, tolerance):
    """Convolution is linear: the kernels' sum on one slice is the sum over three equal colours."""
    path = tmp_path / "resnet18.pth"
    doubles = {name: t.to(dtype) if t.is_floating_point() else t for name, t in torchvisions().items()}
    torch.save(doubles, path)
    repeated, summed = (outputs(encoder_state(path, channels), channels, dtype) for channels in (3, 1))
    for one, other in zip(repeated, summed, strict=True):
        assert one.abs().max() > 0.01
        assert (one - other).abs().max() <= tolerance * one.abs().max()


def test_one_channel_is_loaded_into_networks_of_one(file):
    ours = network(channels=1)
    load_encoder(ours, file)
    kernels = ours.encoder_2d.encoder_2d.conv1.weight
    torch.testing.assert_close(kernels, torchvisions()["conv1.weight"].sum(dim=1, keepdim=True))


@pytest.mark.parametrize("kind", ["without counters", "wrapped", "safetensors"])
def test_the_same_weights_come_in_other_files(tmp_path, kind):
    """Files of old releases have no counters of batches; others wrap the network."""
    state = torchvisions()
    path = tmp_path / ("resnet.safetensors" if kind == "safetensors" else "resnet.pth")
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "wrapped":
        torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 90}, path)
    else:
        torch.save({name: tensor for name, tensor in state.items() if COUNTER not in name}, path)
    ours = network()
    load_encoder(ours, path)
    for name, tensor in ours.encoder_2d.encoder_2d.state_dict().items():
        expected = torch.tensor(0) if kind == "without counters" and COUNTER in name else state[name]
        assert torch.equal(tensor, expected), name


@pytest.mark.parametrize("depth", [34, 50])
def test_deeper_ones_fit_their_networks(tmp_path, depth, monkeypatch):
    path = tmp_path / f"imagenet-resnet{depth}.pth"
    torch.save(torchvisions(depth), path)
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    ours = network(f"resnet{depth}")
    load_encoder(ours, f"imagenet-resnet{depth}")  # by its name, once it lies in the cache
    assert torch.equal(ours.encoder_2d.encoder_2d.layer4[2].conv2.weight, torchvisions(depth)["layer4.2.conv2.weight"])


def test_the_sizes_are_those_of_the_parameters():
    for depth in (18, 34, 50):
        with torch.device("meta"):
            state = getattr(nets, f"resnet{depth}")(
                spatial_dims=2, n_input_channels=3, num_classes=1000, conv1_t_stride=2, bias_downsample=False
            )
        entry = published_weights(f"imagenet-resnet{depth}", "encoder")
        assert entry.size_bytes == 4 * sum(parameter.numel() for parameter in state.parameters())
        assert entry.architecture == f"resnet{depth}"


def test_what_was_not_fetched_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path))
    with pytest.raises(NotFetched, match=r"run `mritransfer models fetch imagenet-resnet18` \(about 47 MB\)"):
        encoder_state("imagenet-resnet18")


def test_an_unknown_name_lists_the_encoders():
    with pytest.raises(UnknownModel, match="no encoder called 'resnet101'; choose one of: imagenet-resnet18, "):
        encoder_state("resnet101")
    with pytest.raises(UnknownModel):
        encoder_state(PUBLISHED[0].name)  # reconstructs
    assert "There is no weights file at" in refusal(encoder_state, "folder/resnet18.pth")


def test_weights_of_another_depth_are_refused(file):
    ours = network("resnet34")
    assert "holds a resnet18, but the network's encoder is a resnet34" in refusal(load_encoder, ours, file)


def test_an_encoder_of_five_convolutions_takes_none(file):
    ours = SliceSet("conv5", "mean", "off", widths=(2, 3), features=5, code=4)
    assert "choose resnet18, resnet34 or resnet50" in refusal(load_encoder, ours, file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("layer1.0.conv1.weight"), "holds no ResNet-18"),
        (lambda s: s.pop("conv1.weight"), "holds no ResNet-18"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64)}), "holds no ResNet-18"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 4, 7, 7)}), "for 4 channels, the network's for 3"),
        (lambda s: s.pop("layer2.0.bn1.bias"), "first 'layer2.0.bn1.bias'"),
        (lambda s: s.update({"layer2.0.bn1.bias": torch.zeros(7)}), "first 'layer2.0.bn1.bias'"),
        (lambda s: s.update({"head.weight": torch.zeros(7)}), "first 'head.weight'"),
        (lambda s: s["bn1.bias"].fill_(torch.nan), "not finite numbers, first in 'bn1.bias'"),
    ],
)
def test_what_almost_fits_is_refused(tmp_path, change, said):
    state = {name: tensor.clone() for name, tensor in torchvisions().items()}
    change(state)
    torch.save(state, tmp_path / "almost.pth")
    assert said in refusal(load_encoder, network(), tmp_path / "almost.pth")
