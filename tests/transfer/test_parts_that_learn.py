"""Strategies that let a part of the weights themselves learn: first and last layers, biases, norms."""

import pytest
import torch
from small_networks import CASCADES, WithBatchNorm, cascade_and_input
from test_claims import sfcn_and_input
from test_published_transfer import NETWORKS, network_and_input
from torch import nn

from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.transfer.layers import carries_weights
from napari_mritransfer.transfer.model import trainable_parameters, training_mode, transfer
from napari_mritransfer.transfer.order import first, in_order, last

pytestmark = pytest.mark.usefixtures("one_thread")


def slice_set_and_input(encoder):
    torch.manual_seed(0)
    options = {"widths": (4, 6), "features": 8, "code": 6} if encoder == "conv5" else {}
    return SliceSet(encoder, grid=(6, 33, 34), **options).eval(), (torch.randn(2, 1, 6, 33, 34),)


EVERYTHING = {
    **{name: lambda name=name: cascade_and_input(name) for name in CASCADES},
    **{name: lambda name=name: network_and_input(name) for name in NETWORKS},
    **{name: lambda name=name: slice_set_and_input(name) for name in ("conv5", "resnet18")},
    "sfcn": sfcn_and_input,
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_layers_are_in_the_order_in_which_they_compute(name):
    network, inputs = EVERYTHING[name]()
    called = []
    layers = [module for module in network.modules() if carries_weights(module)]
    for layer in layers:
        layer.register_forward_hook(lambda module, _inputs, _output: called.append(module))
    network(*inputs)
    ordered = [module for module in in_order(network) if carries_weights(module)]
    assert ordered == list(dict.fromkeys(called))
    assert {*in_order(network)} == {m for m in network.modules() if any(True for _ in m.parameters(recurse=False))}


@pytest.mark.parametrize("strategy", ["first-layers", "last-layers"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_quarter_of_the_layers_learns_and_nothing_else_changes(strategy, name):
    network, inputs = EVERYTHING[name]()
    layers = [module for module in in_order(network) if carries_weights(module)]
    chosen = max(1, round(len(layers) / 4))
    report = transfer(network, strategy)
    learning = [layer for layer in layers if all(p.requires_grad for p in layer.parameters(recurse=False))]
    assert learning == (layers[:chosen] if strategy == "first-layers" else layers[-chosen:])
    assert 0 < report.trainable < report.total
    frozen = {n: p.detach().clone() for n, p in network.named_parameters() if not p.requires_grad}
    training_mode(network)
    steer = torch.optim.SGD(trainable_parameters(network).values(), lr=0.01)
    output = network(*inputs)
    (output.prediction if hasattr(output, "prediction") else output).abs().square().sum().backward()
    steer.step()
    assert all(torch.equal(p, frozen[n]) for n, p in network.named_parameters() if n in frozen)
    assert all(p.grad is None for n, p in network.named_parameters() if n in frozen)


def test_no_gradient_reaches_what_comes_before_the_last_layers():
    network, measured = cascade_and_input("multiscale")
    transfer(network, "last-layers")
    layers = [module for module in in_order(network) if carries_weights(module)]
    needs = {}
    for layer in layers:
        layer.register_forward_hook(lambda module, _inputs, output: needs.update({module: output.requires_grad}))
    network(*measured)
    learning = [all(p.requires_grad for p in layer.parameters()) for layer in layers]
    assert [needs[layer] for layer in layers] == learning
    assert 0 < sum(learning) < len(learning)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
@pytest.mark.parametrize("choose", [first, last])
def test_a_share_that_is_none_is_refused(choose, share):
    with pytest.raises(ValueError, match="give a number above 0 and at most 1"):
        choose(nn.Sequential(nn.Conv2d(1, 1, 1)), share)


@pytest.mark.parametrize("choose", [first, last])
def test_all_layers_are_all_modules_and_norms_go_with_the_layer_before_them(choose):
    model = WithBatchNorm()
    assert choose(model, 1) == list(in_order(model))
    few = {nn.Conv2d: 1, nn.BatchNorm2d: 1} if choose is first else {nn.Linear: 1}
    assert {type(module): 1 for module in choose(model, 0.01)} == few


def test_a_network_without_layers_has_no_first_one():
    for strategy in ("first-layers", "last-layers", "lora", "conv-adapter", "ssf"):
        with pytest.raises(ValueError, match="no convolution and no linear layer"):
            transfer(nn.Sequential(nn.PReLU()), strategy)
    with pytest.raises(ValueError, match="no parameters"):
        transfer(nn.Sequential(nn.ReLU()), "l2-sp")


@pytest.mark.parametrize(
    ("strategy", "learning"),
    [
        ("bias", {"features.0.bias", "features.1.bias", "norm.bias", "head.1.bias"}),
        ("norm", {"features.1.weight", "features.1.bias", "norm.weight", "norm.bias"}),
    ],
)
def test_biases_and_norms_are_what_they_are_called(strategy, learning):
    model, image = WithBatchNorm(), torch.randn(5, 2, 8, 8) * 3 + 1
    transfer(model, strategy)
    assert set(trainable_parameters(model)) == learning
    before = model.features[1].running_mean.clone()
    training_mode(model)
    model(image)
    # a norm that learns as a whole moves its statistics, as in the paper; one of which a part is frozen keeps them
    assert torch.equal(model.features[1].running_mean, before) == (strategy == "bias")


def test_biases_are_added_on_request_only():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.ReLU(), nn.Conv2d(3, 2, 3, bias=False))
    with pytest.raises(ValueError, match="no biases"):
        transfer(model, "bias")
    assert all(p.requires_grad for p in model.parameters())
    report = transfer(model, "bias", {"add_biases": True})
    assert report.trainable == 5
    ssf = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False))
    assert transfer(ssf, "ssf").trainable == 3
    assert ssf[0].bias is None
    shifted = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False))
    assert transfer(shifted, "ssf", {"add_biases": True}).trainable == 6


def test_a_strategy_whose_effect_a_norm_takes_away_says_so():
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.InstanceNorm2d(8))
    for strategy in ("bias", "ssf"):
        with pytest.raises(ValueError, match=f"'{strategy}' could not change what this network does"):
            transfer(model, strategy)
        assert all(p.requires_grad for p in model.parameters())
    partly = nn.Sequential(*model, nn.Conv2d(8, 1, 1))
    report = transfer(partly, "bias")
    assert (report.trainable, report.effective) == (9, 1)
    assert report.warning.startswith("Only 1 of the 9 parameters that learn can have an effect")
