"""Every strategy on the published networks: instance norms after most kernels, and kernels that are bare parameters."""

import copy

import pytest
import torch
from small_networks import UNSUITED, disturb

from napari_mritransfer.networks.istanet import ISTANetPlus
from napari_mritransfer.networks.unet import UNet
from napari_mritransfer.networks.varnet import VarNet
from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.layers import bare_kernels
from napari_mritransfer.transfer.model import (
    base_state,
    fingerprint,
    is_adapted,
    learned_state,
    load_learned_state,
    merge,
    trainable_parameters,
    training_mode,
    transfer,
)

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = {
    "unet": lambda: UNet(4, 2),
    "varnet": lambda: VarNet(2, 4, 2, 3, 2),
    "istanet": lambda: ISTANetPlus(2, 4),
}
every_network = pytest.mark.parametrize("name", NETWORKS)
every_strategy = pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
both_granularities = pytest.mark.parametrize("granularity", ["kernel", "filter"])


def network_and_input(name, dtype=torch.float32):
    torch.manual_seed(0)
    network = NETWORKS[name]().to(dtype).to(memory_format=torch.channels_last)
    mask = torch.rand(1, 1, 18) < 0.4
    mask[..., 7:11] = True
    return network, (torch.where(mask, fourier(torch.rand(2, 16, 18, dtype=dtype)), 0), mask)


def take_steps(network, inputs, steps=2):
    """As the job trains: what a network adds to the loss is added."""
    training_mode(network)
    steer = torch.optim.Adam(trainable_parameters(network).values(), lr=0.02)
    for _ in range(steps):
        steer.zero_grad()
        loss = (network(*inputs) - 1).square().mean()
        auxiliary = getattr(network, "auxiliary_loss", None)
        (loss if auxiliary is None else loss + auxiliary).backward()
        steer.step()
    network.eval()


@every_network
@every_strategy
def test_every_strategy_works_on_them(name, row):
    network, measured = network_and_input(name)
    before, plain = network(*measured).detach(), fingerprint(network.state_dict())
    if (row.name, name) in UNSUITED:
        with pytest.raises(ValueError, match=r"nothing that could learn|no convolution"):
            transfer(network, row.name)
        return
    report = transfer(network, row.name)
    assert report.total == sum(p.numel() for p in NETWORKS[name]().parameters())
    assert (report.trainable > 0) == (report.effective > 0) == row.trains
    assert torch.equal(network(*measured), before) == (row.name != "scratch")
    if not row.trains:
        return
    starting_point = network(*measured).detach()
    take_steps(network, measured)
    assert (fingerprint(base_state(network)) == plain) == row.keeps_base
    assert not torch.equal(network(*measured), starting_point)


@every_network
@both_granularities
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_they_stay_the_same_to_the_last_bit(name, granularity, autocast):
    network, measured = network_and_input(name)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        before = network(*measured)
        transfer(network, "lft", {"granularity": granularity})
        assert torch.equal(network(*measured), before)


@every_network
@both_granularities
def test_merged_weights_give_the_same_output_in_the_plain_network(name, granularity):
    network, measured = network_and_input(name, torch.float64)
    transfer(network, "lft", {"granularity": granularity})
    assert is_adapted(network)
    disturb(network, spread=0.1)
    unmerged = network(*measured)
    merge(network)
    assert not is_adapted(network)
    plain = NETWORKS[name]().double()
    plain.load_state_dict(network.state_dict(), strict=True)
    for merged in (network, plain):
        torch.testing.assert_close(merged(*measured), unmerged, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(row, name, id=f"{row.name}-{name}")
        for row in CATALOGUE for name in NETWORKS if (row.name, name) not in UNSUITED
    ],
)  # fmt: skip
def test_what_was_learned_can_be_stored_and_put_back(name, row):
    network, measured = network_and_input(name)
    fresh = copy.deepcopy(network)
    transfer(network, row.name)
    disturb(network, spread=0.02)
    transfer(fresh, row.name)
    load_learned_state(fresh, learned_state(network))
    assert torch.equal(fresh(*measured), network(*measured))


def test_bare_kernels_have_a_scale_per_kernel_or_per_filter_and_no_shift():
    width, layers = 4, 2
    for granularity, per_layer in (("kernel", 4 * width**2 + 2 * width), ("filter", 5 * width + 1)):
        network, _ = network_and_input("istanet")
        report = transfer(network, "lft", {"granularity": granularity, "add_biases": True})
        assert report.trainable == report.effective == layers * per_layer
        assert report.warning == ""
        assert all("scale_minus_one" in name for name in trainable_parameters(network))


def test_the_layers_named_as_kernels_are_all_there_are():
    network, _ = network_and_input("istanet")
    named = {id(getattr(module, name)) for module, name in bare_kernels(network)}
    assert named == {id(p) for p in network.parameters() if p.ndim == 4}


@pytest.mark.parametrize(
    ("name", "last_part"), [("varnet", "dc_weight"), ("istanet", "lambda_step"), ("istanet", "soft_thr")]
)
def test_weights_of_the_data_stay_under_lft_and_learn_under_ft(name, last_part):
    for strategy, moves in (("lft", False), ("ft", True)):
        network, measured = network_and_input(name)
        before = [p.detach().clone() for n, p in network.named_parameters() if n.endswith(last_part)]
        transfer(network, strategy)
        take_steps(network, measured)
        after = [p for n, p in network.named_parameters() if n.endswith(last_part)]
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)) == moves


@pytest.mark.parametrize("name", ["unet", "varnet"])
def test_a_person_is_warned_that_norms_cancel_scales_per_filter(name):
    """All but those of the last 1×1 convolutions, which have no norm behind them."""
    network, _ = network_and_input(name)
    report = transfer(network, "lft", {"granularity": "filter"})
    last = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (1, 1)]
    assert report.effective == 2 * sum(layer.out_channels for layer in last)
    said = f"Only {report.effective} of the {report.trainable} parameters that learn can have an effect"
    assert report.warning.startswith(said)


@pytest.mark.parametrize("name", ["unet", "varnet"])
def test_scales_per_kernel_mostly_survive_the_norms(name):
    network, _ = network_and_input(name)
    report = transfer(network, "lft")
    assert 0.5 * report.trainable < report.effective < report.trainable
    assert report.warning == ""


@every_network
def test_scratch_draws_everything_anew_from_the_seed(name):
    drawn = []
    for seed in (1, 1, 2):
        network, _ = network_and_input(name)
        for parameter in network.parameters():
            torch.nn.init.constant_(parameter, 7.0)
        torch.manual_seed(seed)
        transfer(network, "scratch")
        assert not any((parameter == 7.0).any() for parameter in network.parameters())
        drawn.append(fingerprint(network.state_dict()))
    assert drawn[0] == drawn[1] != drawn[2]
