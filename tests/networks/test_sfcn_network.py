"""SFCN in other sizes than published; that it is the authors' network is what the golden documents prove."""

import copy

import pytest
import torch
from torch import nn

from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.model import merged_state, transfer

pytestmark = pytest.mark.usefixtures("one_thread")


def small(**changes):
    torch.manual_seed(0)
    network = SFCN(**{"widths": (2, 3, 4), "outputs": 5, "grid": (9, 11, 8)} | changes).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):  # as after some training
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.normal_()
    return network


def by_hand(network, volumes):
    """The published order of steps, with nothing but functional calls."""
    x = volumes
    for block in network.feature_extractor:
        conv, norm = block[0], block[1]
        x = nn.functional.conv3d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
        x = (x - norm.running_mean[:, None, None, None]) / (norm.running_var[:, None, None, None] + 1e-5).sqrt()
        x = x * norm.weight[:, None, None, None] + norm.bias[:, None, None, None]
        x = torch.relu(nn.functional.max_pool3d(x, 2) if conv.kernel_size[0] == 3 else x)
    return x.mean((2, 3, 4))


@torch.no_grad()
def test_what_is_left_of_the_grid_is_averaged():
    network, volumes = small().double(), torch.randn(3, 1, 9, 11, 8, dtype=torch.float64)
    features = network.features(volumes)
    torch.testing.assert_close(features, by_hand(network, volumes))
    assert features.shape == (3, network.features_out) == (3, 4)
    weight, bias = network.classifier.conv_6.weight.flatten(1), network.classifier.conv_6.bias
    torch.testing.assert_close(network.head(features), (features @ weight.T + bias).log_softmax(1))
    assert torch.equal(network(volumes), network.head(features))


@torch.no_grad()
@pytest.mark.parametrize("spacing", [1.5, 2, 3, 4])
def test_grids_of_other_spacings_leave_something_to_average(spacing):
    grid = [round(length / spacing) for length in (160, 192, 160)]
    network = small(widths=(2, 2, 2, 2, 2, 3), grid=grid)
    assert network(torch.rand(1, 1, *grid)).exp().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"grid": (9, 11, 3)}, "too small for 2 poolings"),
        ({"grid": (9, 11)}, "too small"),
        ({"widths": (4,)}, "cannot be built"),
        ({"widths": (4, 0, 2)}, "cannot be built"),
        ({"outputs": 1}, "cannot be built"),
    ],
)
def test_networks_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        small(**settings)


def test_volumes_of_another_grid_are_refused():
    """Also one voxel longer, which the poolings would cut off without a word."""
    for shape in ((9, 11, 9), (18, 22, 16), (9, 11)):
        with pytest.raises(ValueError, match=r"are not of the network's grid \(9, 11, 8\)"):
            small()(torch.zeros(1, 1, *shape))


def test_only_training_drops_features():
    network, features = small(dropout=0.5), torch.ones(1, 4)
    assert torch.equal(network.head(features), network.head(features))
    network.train()
    assert len({tuple(network.head(features)[0].tolist()) for _ in range(20)}) > 1


@torch.no_grad()
def test_the_order_of_memory_stays_and_changes_nothing():
    """It is what makes a whole brain fast, so loading weights must not undo it."""
    network, volumes = small(), torch.rand(2, 1, 9, 11, 8)
    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(network(volumes), plain(volumes))
    network.load_state_dict(plain.state_dict())
    kernel = network.feature_extractor.conv_1[0].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last_3d)
    assert not kernel.is_contiguous()


@pytest.mark.parametrize("strategy", [row.name for row in CATALOGUE if row.name != "scratch" and row.merges])
@pytest.mark.parametrize("part", ["", SFCN.feature_part], ids=["all", "features"])
def test_strategies_leave_the_pretrained_output_until_the_first_step(strategy, part):
    network, volumes = small(), torch.rand(2, 1, 9, 11, 8)
    before, names = network(volumes), list(network.state_dict())
    report = transfer(network, strategy, part=part)
    assert torch.equal(network(volumes), before)
    head = sum(parameter.numel() for parameter in network.classifier.parameters())
    assert report.trainable >= (head if part else strategy != "pretrained")
    plain = small()
    plain.load_state_dict(merged_state(network), strict=True)
    assert torch.equal(plain(volumes), before)
    assert list(plain.state_dict()) == names
