"""The strategies on slice-set networks: what is promised of any network holds, on the encoder and on the whole."""

import pytest
import torch
from small_networks import UNSUITED

from napari_mritransfer.cohort import strategies
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.model import (
    base_state,
    fingerprint,
    is_adapted,
    merge,
    merged_state,
    trainable_parameters,
    training_mode,
    transfer,
)

pytestmark = pytest.mark.usefixtures("one_thread")

GRID = (6, 33, 34)
NETWORKS = {
    "conv5": lambda: SliceSet(grid=GRID, widths=(4, 6), features=8, code=6),
    "resnet18": lambda: SliceSet("resnet18", "mean", grid=GRID),
    "max, no positions": lambda: SliceSet("conv5", "max", "off", grid=GRID, widths=(4, 6), features=8, code=6),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def made(name):
    torch.manual_seed(1)
    return NETWORKS[name]().eval()


def volumes():
    return torch.randn(2, 1, *GRID, generator=torch.Generator().manual_seed(0))


def fit(network, steps=2):
    training_mode(network)
    steer = torch.optim.Adam(trainable_parameters(network).values(), lr=0.01)
    for _ in range(steps):
        steer.zero_grad()
        network(volumes()).prediction.square().sum().backward()
        steer.step()
    network.eval()


@every_network
@pytest.mark.parametrize("strategy", [row.name for row in CATALOGUE if row.name != "scratch"])
def test_before_the_first_step_nothing_has_changed(name, strategy):
    network = made(name)
    if (strategy, name) in UNSUITED:
        with pytest.raises(ValueError, match="nothing that could learn"):
            transfer(network, strategy)
        return
    with torch.no_grad():
        before = network(volumes())
        report = transfer(network, strategy)
        after = network(volumes())
    assert torch.equal(before.prediction, after.prediction)
    if before.attention is not None:
        assert torch.equal(before.attention, after.attention)
    assert report.trainable == sum(p.numel() for p in trainable_parameters(network).values())
    assert (report.trainable > 0) == (strategy != "pretrained")


@every_network
@pytest.mark.parametrize("granularity", ["kernel", "filter"])
def test_lft_keeps_weights_and_buffers_and_merges_to_the_same_output(name, granularity):
    network = made(name)
    base = fingerprint(network.state_dict())
    transfer(network, "lft", {"granularity": granularity})
    fit(network)
    assert fingerprint(base_state(network)) == base
    with torch.no_grad():
        before = network(volumes()).prediction
        plain = NETWORKS[name]().eval()
        plain.load_state_dict(merged_state(network), strict=True)
        torch.testing.assert_close(plain(volumes()).prediction, before, rtol=1e-5, atol=1e-6)
        merge(network)
        torch.testing.assert_close(network(volumes()).prediction, before, rtol=1e-5, atol=1e-6)


@every_network
@pytest.mark.parametrize("strategy", ["frozen-encoder", "lft"])
def test_on_the_encoder_alone_its_weights_and_running_statistics_stay_and_all_that_follows_learns(name, strategy):
    network = made(name)
    encoder = network.get_submodule(network.encoder_part)
    base = fingerprint(encoder.state_dict())
    head = {n: t.clone() for n, t in network.state_dict().items() if not n.startswith(network.encoder_part)}
    strategies.apply(network, strategy)
    fit(network)
    assert fingerprint(base_state(network.get_submodule(network.encoder_part))) == base
    now = network.state_dict()
    same = [n for n in head if head[n].is_floating_point() and torch.equal(now[n], head[n])]
    # before a softmax, a shift of all keys alike changes nothing
    assert set(same) <= {"pooled_attention.fc_k.bias"}


@every_network
def test_scratch_forgets_everything_that_was_learned(name):
    network = made(name)
    before = {n: p.clone() for n, p in network.named_parameters()}
    torch.manual_seed(7)
    transfer(network, "scratch")
    kernels = [n for n, p in network.named_parameters() if p.ndim > 1 and not n.endswith(("ln.weight", "ln.bias"))]
    assert len(kernels) >= 6
    assert not any(torch.equal(before[n], p) for n, p in network.named_parameters() if n in kernels)


def test_a_network_whose_norms_take_the_factors_away_says_how_few_can_have_an_effect():
    """Behind every kernel of the five-conv encoder stands an instance norm, which knows no scale and no shift."""
    network = made("conv5")
    encoder = network.encoder_2d.encoder_2d
    with pytest.raises(ValueError, match="could not change what this network does"):
        transfer(encoder, "lft", {"granularity": "filter"})
    assert not is_adapted(encoder)
    in_a_network = transfer(network, "lft", {"granularity": "filter"}, part="encoder_2d.encoder_2d")
    assert "Only 0 of the" in in_a_network.warning
    assert 0 < in_a_network.effective < in_a_network.trainable
    per_kernel = transfer(made("conv5").encoder_2d.encoder_2d, "lft")
    assert per_kernel.effective > 0


def test_the_menu_of_cohorts_is_made_of_the_one_menu():
    names = {row.name for row in CATALOGUE}
    assert all(row.transfer in names for row in strategies.STRATEGIES)
    assert [row.name for row in strategies.STRATEGIES if row.learning_rate is None] == ["pretrained"]
    with pytest.raises(BadConfig, match="no strategy called 'magic'"):
        strategies.cohort_strategy("magic")
    with pytest.raises(BadConfig, match="has no option"):
        strategies.apply(made("conv5"), "ft", {"granularity": "kernel"})
