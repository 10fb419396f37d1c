"""Strategies that add something to frozen weights: low-rank products, adapters, penalised distances."""

import pytest
import torch
from small_networks import LAYERS, cascade_and_input, disturb, layer_and_input
from test_lft import Convolutions
from torch import nn

from napari_mritransfer.transfer.l2_sp import penalty
from napari_mritransfer.transfer.model import (
    base_state,
    is_adapted,
    is_mergeable,
    merge,
    merged_state,
    trainable_parameters,
    transfer,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("rank", [1, 2, 100])
def test_low_rank_means_what_it_says(rank):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(5, 4))
    report = transfer(model, "lora", {"rank": rank})
    conv, linear = min(rank, 8), min(rank, 4)
    assert report.trainable == conv * (8 + 27) + linear * (4 + 5)
    before = {name: tensor.clone() for name, tensor in base_state(model).items()}
    disturb(model)
    for name in ("0.weight", "1.weight"):
        added = merged_state(model)[name] - before[name]
        assert int(torch.linalg.matrix_rank(added.flatten(1).double(), rtol=1e-5)) == min(rank, *added.flatten(1).shape)


def test_the_product_is_added_entry_by_entry():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False))
    weight = model[0].weight.detach().clone()
    transfer(model, "lora", {"rank": 1})
    parts = trainable_parameters(model)
    inner, outer = (next(p for n, p in parts.items() if n.endswith(end)) for end in ("inner", "outer"))
    with torch.no_grad():
        inner.copy_(torch.arange(18.0)[None])
        outer.copy_(torch.tensor([[1.0], [0.0], [-2.0]]))
    expected = weight.clone()
    expected[0] += torch.arange(18.0).reshape(2, 3, 3)
    expected[2] -= 2 * torch.arange(18.0).reshape(2, 3, 3)
    torch.testing.assert_close(model[0].weight.detach(), expected)


def test_what_is_drawn_comes_from_the_seed():
    drawn = []
    for seed in (1, 1, 2):
        model = nn.Sequential(nn.Conv2d(2, 3, 3))
        torch.manual_seed(seed)
        transfer(model, "lora")
        drawn.append(torch.cat([p.detach().flatten() for p in trainable_parameters(model).values()]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("kind", LAYERS)
def test_an_adapter_follows_the_geometry_of_its_layer(kind):
    model, image, _ = layer_and_input(kind)
    before = model(image)
    transfer(model, "conv-adapter", {"compression": 2})
    disturb(model)
    after = model(image)
    assert after.shape == before.shape
    assert not torch.allclose(after, before)


def test_an_adapter_is_as_thin_as_asked():
    model = nn.Sequential(nn.Conv2d(8, 16, 3))
    report = transfer(model, "conv-adapter", {"compression": 4})
    down, up = 2 * (8 // 2) * 9, 16 * 2 + 16  # two groups of four channels each, then 1×1 with a bias
    assert report.trainable == down + up


def test_adapters_cannot_be_folded_away_and_nobody_pretends_so():
    network, measured = cascade_and_input("dccnn")
    transfer(network, "conv-adapter")
    disturb(network, spread=0.02)
    before = network(*measured)
    assert is_adapted(network)
    assert not is_mergeable(network)
    for fold in (merge, merged_state):
        with pytest.raises(ValueError, match="cannot be folded"):
            fold(network)
    with pytest.raises(ValueError, match="begin from its base"):
        transfer(network, "ft")
    assert torch.equal(network(*measured), before)


def test_the_penalty_is_half_the_strength_times_the_squared_distance():
    network, measured = cascade_and_input("dccnn")
    assert penalty(network) is None
    weights = {name: p.detach().clone() for name, p in network.named_parameters()}
    report = transfer(network, "l2-sp", {"strength": 0.3})
    assert report.trainable == report.total
    assert penalty(network).item() == 0
    disturb(network, spread=0.02)
    moved = merged_state(network)
    squared = sum((moved[name] - weight).square().sum() for name, weight in weights.items())
    assert penalty(network).item() == pytest.approx(0.15 * squared.item(), rel=1e-4)
    penalty(network).backward()
    for name, drift in trainable_parameters(network).items():
        plain = name.replace("parametrizations.", "").removesuffix(".0.drift")
        torch.testing.assert_close(drift.grad, 0.3 * (moved[plain] - weights[plain]), rtol=1e-4, atol=1e-6)
    assert network(*measured).isfinite().all()


@pytest.mark.parametrize("kind", [k for k in LAYERS if k != "linear"])
def test_scales_of_features_never_ask_for_a_weight_gradient(kind):
    model, image, _ = layer_and_input(kind)
    transfer(model, "ssf")
    output = model(image.requires_grad_()).square().sum()
    with Convolutions() as listener:
        output.backward()
    assert listener.gradients_of == [(True, False, False)]


@pytest.mark.parametrize(
    ("strategy", "options", "said"),
    [
        ("lora", {"rank": 0}, "The rank is 0"),
        ("conv-adapter", {"compression": 0}, "The compression is 0"),
        ("l2-sp", {"strength": -1}, "at least 0"),
        ("l2-sp", {"strength": float("inf")}, "at least 0"),
    ],
)
def test_options_out_of_range_are_refused_and_change_nothing(strategy, options, said):
    model, image, _ = layer_and_input("conv2d")
    before = model(image)
    with pytest.raises(ValueError, match=said):
        transfer(model, strategy, options)
    assert not is_adapted(model)
    assert torch.equal(model(image), before)
