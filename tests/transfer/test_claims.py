"""What the menu claims of its strategies, proved for each that claims it."""

import copy

import pytest
import torch
from small_networks import (
    CASCADES,
    LAYERS,
    UNSUITED,
    WithBatchNorm,
    cascade_and_input,
    disturb,
    layer_and_input,
)
from torch import nn

from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.transfer.catalogue import CATALOGUE
from napari_mritransfer.transfer.layers import weighted_layers
from napari_mritransfer.transfer.model import (
    base_state,
    fingerprint,
    is_adapted,
    learned_state,
    load_learned_state,
    merge,
    merged_state,
    trainable_parameters,
    training_mode,
    transfer,
)

pytestmark = pytest.mark.usefixtures("one_thread")

KEEPING = [row.name for row in CATALOGUE if row.keeps_base]
MERGING = [row.name for row in CATALOGUE if row.keeps_base and row.merges]
keeping = pytest.mark.parametrize("strategy", KEEPING)
merging = pytest.mark.parametrize("strategy", MERGING)
every_layer = pytest.mark.parametrize("kind", LAYERS)
every_cascade = pytest.mark.parametrize("name", CASCADES)
with_and_without_bias = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])

NORMS = {
    "batch": (lambda: nn.BatchNorm2d(4), (3, 4, 5, 6)),
    "batch 1d": (lambda: nn.BatchNorm1d(4), (5, 4)),
    "batch 3d": (lambda: nn.BatchNorm3d(4), (2, 4, 3, 4, 5)),
    "instance": (lambda: nn.InstanceNorm2d(4, affine=True), (2, 4, 5, 6)),
    "instance, unbatched": (lambda: nn.InstanceNorm2d(4, affine=True), (4, 5, 6)),
    "group": (lambda: nn.GroupNorm(2, 4), (2, 4, 5, 6)),
    "layer": (lambda: nn.LayerNorm((4, 5)), (3, 4, 5)),
}


def fit(model, inputs, steps=3):
    training_mode(model)
    steer = torch.optim.Adam(trainable_parameters(model).values(), lr=0.05)
    for _ in range(steps):
        steer.zero_grad()
        model(*inputs).abs().square().sum().backward()
        steer.step()
    model.eval()


def sfcn_and_input():
    torch.manual_seed(0)
    network = SFCN(widths=(4, 4, 6, 6, 6, 4), outputs=5, grid=(64, 64, 64)).eval()
    return network, (torch.randn(2, 1, 64, 64, 64),)


def test_those_who_claim_to_keep_the_base_are_these():
    assert KEEPING == ["lft", "ssf", "lora", "conv-adapter", "l2-sp"]
    assert [row.name for row in CATALOGUE if not row.merges] == ["conv-adapter"]


@keeping
@every_layer
@with_and_without_bias
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_changes_before_the_first_step(strategy, kind, bias, dtype):
    model, image, _ = layer_and_input(kind, bias, dtype)
    before = model(image)
    report = transfer(model, strategy)
    assert torch.equal(model(image), before)
    assert report.trainable == report.effective > 0
    assert all(p.dtype == dtype for p in model.parameters())


@keeping
@every_cascade
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_cascades_stay_the_same_to_the_last_bit(strategy, name, layout, autocast):
    network, measured = cascade_and_input(name)
    network.to(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        before = network(*measured)
        transfer(network, strategy)
        assert torch.equal(network(*measured), before)
    for _, layer in weighted_layers(network):
        assert layer.weight.is_contiguous(memory_format=layout)


@keeping
@pytest.mark.parametrize("mode", [True, False], ids=["from training mode", "from evaluation mode"])
def test_base_weights_and_running_statistics_stay(strategy, mode):
    torch.manual_seed(0)
    model, image = WithBatchNorm().train(mode), torch.randn(5, 2, 8, 8) * 3 + 1
    model.features[1].running_mean.uniform_(-1, 1)
    before = fingerprint(model.state_dict())
    transfer(model, strategy)
    assert fingerprint(base_state(model)) == before
    fit(model, (image,))
    assert fingerprint(base_state(model)) == before
    assert any(torch.count_nonzero(p) for p in trainable_parameters(model).values())


@keeping
@every_cascade
def test_a_cascade_learns_without_its_weights(strategy, name):
    network, measured = cascade_and_input(name)
    before, output = fingerprint(network.state_dict()), network(*measured).detach()
    transfer(network, strategy)
    fit(network, measured)
    assert fingerprint(base_state(network)) == before
    learning = trainable_parameters(network)
    assert all(parameter.grad is not None for parameter in learning.values())
    assert all(p.grad is None for n, p in network.named_parameters() if n not in learning)
    assert not torch.allclose(network(*measured), output)


@merging
@every_layer
@with_and_without_bias
def test_merged_weights_give_the_same_output_in_the_plain_network(strategy, kind, bias):
    model, image, _ = layer_and_input(kind, bias)
    plain = copy.deepcopy(model)
    transfer(model, strategy)
    disturb(model)
    unmerged = model(image)
    assert (unmerged - plain(image)).norm() > 0.1 * unmerged.norm()
    state = merged_state(model)
    assert torch.equal(model(image), unmerged)
    merge(model)
    assert not is_adapted(model)
    plain.load_state_dict(state, strict=True)
    for network in (model, plain):
        assert (network(image) - unmerged).norm() <= 1e-12 * unmerged.norm()


@merging
@every_cascade
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_merged_cascades_give_the_same_image(strategy, name, dtype):
    network, measured = cascade_and_input(name, dtype)
    transfer(network, strategy)
    disturb(network, spread=0.02)
    unmerged = network(*measured)
    merge(network)
    plain = CASCADES[name]().to(dtype)
    plain.load_state_dict(network.state_dict(), strict=True)
    assert (plain(*measured) - unmerged).norm() <= (1e-12 if dtype == torch.float64 else 1e-6) * unmerged.norm()


@merging
def test_a_volume_network_with_norms_merges_and_keeps_its_base(strategy):
    network, inputs = sfcn_and_input()
    plain, before = copy.deepcopy(network), fingerprint(network.state_dict())
    with torch.no_grad():
        first = network(*inputs)
        transfer(network, strategy)
        assert torch.equal(network(*inputs), first)
    disturb(network, spread=0.01)
    assert fingerprint(base_state(network)) == before
    with torch.no_grad():
        unmerged = network(*inputs)
        plain.load_state_dict(merged_state(network), strict=True)
        assert (plain(*inputs) - unmerged).norm() <= 1e-6 * unmerged.norm()


@pytest.mark.parametrize("kind", NORMS)
def test_scale_and_shift_of_a_norms_features_merge_into_it(kind):
    make, shape = NORMS[kind]
    torch.manual_seed(0)
    model, features = nn.Sequential(nn.Identity(), make()).double().eval(), torch.randn(shape, dtype=torch.float64)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 2)
    before, holder = model(features), nn.Sequential(model, nn.Linear(shape[-1], 1).double())
    transfer(holder, "ssf")
    assert torch.equal(model(features), before)
    disturb(holder)
    unmerged = model(features)
    assert not torch.allclose(unmerged, before)
    merge(holder)
    torch.testing.assert_close(model(features), unmerged, rtol=1e-12, atol=1e-12)


@keeping
def test_weight_decay_pulls_towards_the_pretrained_network(strategy):
    """Decay acts on what was added, so it leads to scale 1, shift 0 and no detour, not to a network of zeros."""
    model, image, _ = layer_and_input("conv2d")
    pretrained = model(image)
    transfer(model, strategy)
    disturb(model)
    assert not torch.allclose(model(image), pretrained)
    optimiser = torch.optim.AdamW(trainable_parameters(model).values(), lr=0.1, weight_decay=1.0)
    for _ in range(400):
        for parameter in trainable_parameters(model).values():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
    torch.testing.assert_close(model(image), pretrained)


@keeping
def test_only_what_was_learned_is_stored_and_finds_its_place_again(strategy):
    network, measured = cascade_and_input("multiscale")
    fresh = copy.deepcopy(network)
    report = transfer(network, strategy)
    disturb(network, spread=0.02)
    state = learned_state(network)
    assert sum(t.numel() for t in state.values()) == report.trainable
    transfer(fresh, strategy)
    load_learned_state(fresh, state)
    assert torch.equal(fresh(*measured), network(*measured))


def test_networks_of_the_zoo_have_something_for_every_strategy_but_the_named():
    """On instance norms, bare kernels, transposed kernels and norms with statistics alike."""
    from test_published_transfer import NETWORKS

    made = {**CASCADES, **NETWORKS, "sfcn": lambda: sfcn_and_input()[0]}
    for name, make in made.items():
        for row in CATALOGUE:
            if (row.name, name) not in UNSUITED:
                assert (transfer(make(), row.name).effective > 0) == row.trains, (row.name, name)
