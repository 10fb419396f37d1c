"""Factors folded into frozen weights learn as if they stood behind the layer, as their formulas are written."""

import copy

import pytest
import torch
from small_networks import LAYERS, disturb, layer_and_input
from test_claims import NORMS
from torch import nn

from napari_mritransfer.transfer.factors import _total
from napari_mritransfer.transfer.layers import filters
from napari_mritransfer.transfer.model import merged_state, trainable_parameters, transfer

pytestmark = pytest.mark.usefixtures("one_thread")

STRATEGIES = {"lft": {"granularity": "filter"}, "ssf": {}}
strategies = pytest.mark.parametrize("strategy", STRATEGIES)


def along_channels(layer, factor, output):
    """``(channel,)`` laid out over what a layer returns."""
    if isinstance(layer, nn.Linear):
        return factor
    if isinstance(layer, nn.LayerNorm):
        return factor.reshape(layer.normalized_shape)
    channel = output.shape.index(filters(layer), output.ndim == 5 or output.shape[0] != filters(layer))
    return factor.reshape(-1, *([1] * (output.ndim - channel - 1)))


def written_out(strategy, layer, factors, image):
    """``s (y − b) + b + t`` or ``s y + t``, with ordinary operations behind the untouched layer."""
    scale, shift = 1 + factors[0], factors[1] if len(factors) > 1 else torch.zeros(())
    output = layer(image)
    bias = torch.zeros(filters(layer)) if layer.bias is None else layer.bias.detach().flatten()
    shift = shift.expand(filters(layer)) + (bias * (1 - scale) if strategy == "lft" else 0)
    return along_channels(layer, scale, output) * output + along_channels(layer, shift, output)


def check(strategy, model, image):
    plain = copy.deepcopy(model)[0]
    transfer(model, strategy, STRATEGIES[strategy])
    disturb(model)
    learning = trainable_parameters(model)
    assert [name.rsplit(".", 1)[1] for name in learning] == ["scale_minus_one", "shift"][: len(learning)]
    output = model(image.requires_grad_())
    towards = torch.randn_like(output)
    found = torch.autograd.grad(output, [image, *learning.values()], towards)
    expected_output = written_out(strategy, plain, list(learning.values()), image)
    expected = torch.autograd.grad(expected_output, [image, *learning.values()], towards)
    torch.testing.assert_close(output, expected_output)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@strategies
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_gradients_of_layers_are_those_of_the_formula(strategy, kind, bias):
    model, image, _ = layer_and_input(kind, bias)
    check(strategy, model, image)


@pytest.mark.parametrize("kind", NORMS)
def test_gradients_of_norms_are_those_of_the_formula(kind):
    make, shape = NORMS[kind]
    torch.manual_seed(0)
    model = nn.Sequential(make()).double().eval()
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    model.append(nn.Linear(1, 1).double())  # without any layer there would be nothing to transfer
    norm = nn.Sequential(model[0])
    transferred = copy.deepcopy(model)
    transfer(transferred, "ssf")
    disturb(transferred)
    factors = [transferred[0].filter_factors.scale_minus_one, transferred[0].filter_factors.shift]
    image = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    output, expected = transferred[0](image), written_out("ssf", norm[0], factors, image)
    torch.testing.assert_close(output, expected)
    towards = torch.randn_like(output)
    found = torch.autograd.grad(output, [image, *factors], towards)
    for ours, theirs in zip(found, torch.autograd.grad(expected, [image, *factors], towards), strict=True):
        torch.testing.assert_close(ours, theirs)


@strategies
def test_an_activation_may_overwrite_what_a_layer_returned(strategy):
    """nn.ReLU(inplace=True) follows convolutions in many a network."""
    gradients = []
    for inplace in (False, True):
        model, image, _ = layer_and_input("conv2d")
        model.append(nn.ReLU(inplace=inplace))
        transfer(model, strategy, STRATEGIES[strategy])
        disturb(model)
        model(image).square().sum().backward()
        gradients.append([p.grad for p in trainable_parameters(model).values()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert all(gradient.abs().max() > 0 for gradient in gradients[0])


@strategies
def test_a_filter_that_was_switched_off_stays_finite(strategy):
    """With a scale of exactly 0 the layer's output no longer tells what it would have been."""
    model, image, _ = layer_and_input("conv2d")
    transfer(model, strategy, STRATEGIES[strategy])
    factors = model[0].filter_factors
    with torch.no_grad():
        factors.scale_minus_one[1] = -1
    model(image).square().sum().backward()
    assert factors.scale_minus_one.grad[1] == 0
    assert factors.scale_minus_one.grad.isfinite().all()
    assert torch.count_nonzero(factors.scale_minus_one.grad) == 3


@strategies
def test_half_precision_learns_nearly_the_same(strategy):
    gradients = {}
    for enabled in (False, True):
        model, image, _ = layer_and_input("conv2d", dtype=torch.float32)
        transfer(model, strategy, STRATEGIES[strategy])
        disturb(model)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            output = model(image)
        output.float().square().sum().backward()
        gradients[enabled] = torch.cat([p.grad for p in trainable_parameters(model).values()])
    assert gradients[True].dtype == torch.float32
    error = (gradients[True] - gradients[False]).norm() / gradients[False].norm()
    assert 0 < error < 0.02


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_half_precision_is_rounded_once_however_many_voxels_there_are(offset):
    """To one part in 256. If bfloat16 were added to bfloat16, a sum of ones would never get beyond 256."""
    rows = torch.randn((24_001, 8), generator=torch.Generator().manual_seed(0)) + offset
    rows = rows.to(torch.bfloat16)
    exact = rows.double().sum(0)
    found = _total(rows, torch.float32)
    assert found.dtype == torch.float32
    assert ((found - exact).abs() <= exact.abs() / 256).all()


@strategies
def test_a_copy_has_factors_of_its_own(strategy):
    torch.manual_seed(0)
    model, image = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3)), torch.randn(1, 2, 8, 8)
    transfer(model, strategy, STRATEGIES[strategy])
    disturb(model)
    copied, before, merged = copy.deepcopy(model), model(image), merged_state(model)
    disturb(model)
    assert not torch.equal(model(image), before)
    assert torch.equal(copied(image), before)
    assert all(torch.equal(tensor, merged[name]) for name, tensor in merged_state(copied).items())
    copied(image).sum().backward()
    assert all(p.grad is not None for p in trainable_parameters(copied).values())
    assert all(p.grad is None for p in trainable_parameters(model).values())
