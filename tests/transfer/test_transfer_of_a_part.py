"""A strategy for a pretrained encoder inside a network whose other layers are new."""

import copy

import pytest
import torch
from small_networks import WithBatchNorm, disturb
from torch import nn

from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.model import (
    base_state,
    fingerprint,
    learned_state,
    load_learned_state,
    merge,
    trainable_parameters,
    training_mode,
    transfer,
)


class Judge(nn.Module):
    """An encoder that came from somewhere, and a head that did not; the head has running statistics of its own."""

    def __init__(self):
        super().__init__()
        self.encoder = WithBatchNorm()
        self.head = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, image):
        return self.head(self.encoder(image)) * self.temperature


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Judge()


def trained(network, steps=5):
    """A few steps on noise."""
    optimiser = torch.optim.SGD(trainable_parameters(network).values(), lr=0.1)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        training_mode(network)
        optimiser.zero_grad()
        network(torch.randn(4, 2, 9, 9, generator=generator)).square().mean().backward()
        optimiser.step()
    return network.eval()


OUTSIDE = {"head.0.weight", "head.0.bias", "head.1.weight", "head.1.bias", "temperature"}


@pytest.mark.parametrize("granularity", ["kernel", "filter"])
def test_the_base_of_the_part_stays_and_everything_outside_learns(network, granularity):
    before, outside = fingerprint(network.encoder.state_dict()), copy.deepcopy(network.head.state_dict())
    report = transfer(network, "lft", {"granularity": granularity}, part="encoder")
    learning = trainable_parameters(network)
    assert {name for name in learning if not name.startswith("encoder.")} == OUTSIDE
    assert all("scale_minus_one" in name or "shift" in name for name in learning.keys() - OUTSIDE)
    trained(network)
    assert fingerprint(base_state(network.encoder)) == before
    assert all(not torch.equal(value, outside[name]) for name, value in network.head.state_dict().items())
    assert report.trainable == sum(p.numel() for p in learning.values())


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_the_report_counts_the_part_and_what_is_outside(network, row):
    alone = transfer(copy.deepcopy(network.encoder), row.name)
    report = transfer(network, row.name, part="encoder")
    new = 2 + 2 + 2 + 1 + 1
    assert (report.strategy, report.trainable, report.total) == (row.name, alone.trainable + new, alone.total + new)
    assert report.effective == alone.effective + new


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_what_was_learned_can_be_stored_and_put_back(network, row):
    """With the running statistics of norms outside of the part, which learn although they are no parameters."""
    plain, image = copy.deepcopy(network), torch.randn(3, 2, 9, 9)
    transfer(network, row.name, part="encoder")
    expected = trained(network)(image)
    transfer(plain, row.name, part="encoder")
    if row.name == "scratch":  # what was drawn is among what was learned
        assert learned_state(plain).keys() == network.state_dict().keys()
    load_learned_state(plain, learned_state(network))
    assert torch.equal(plain.eval()(image), expected)


def test_factors_merge_and_the_frozen_norm_of_the_part_is_not_stored(network):
    transfer(network, "lft", part="encoder")
    stored = learned_state(network)
    assert not any(name.endswith("running_mean") for name in stored if name.startswith("encoder."))
    assert "head.0.running_mean" in stored
    disturb(network, spread=0.1)
    image = torch.randn(3, 2, 9, 9)
    expected = network.eval()(image)
    merge(network)
    fresh = Judge().eval()
    fresh.load_state_dict(network.state_dict())
    torch.testing.assert_close(fresh(image), expected)


def test_from_scratch_forgets_the_part_alone(network):
    head, encoder = copy.deepcopy(network.head.state_dict()), copy.deepcopy(network.encoder.state_dict())
    transfer(network, "scratch", part="encoder")
    assert all(torch.equal(value, head[name]) for name, value in network.head.state_dict().items())
    assert not torch.equal(network.encoder.features[0].weight, encoder["features.0.weight"])


@pytest.mark.parametrize("part", ["decoder", "encoder.features.9"])
def test_a_part_that_is_not_there_is_refused_and_nothing_changes(network, part):
    before = {name: p.requires_grad for name, p in network.named_parameters()}
    with pytest.raises(ValueError, match=f"has no part '{part}'"):
        transfer(network, "lft", part=part)
    assert {name: p.requires_grad for name, p in network.named_parameters()} == before
