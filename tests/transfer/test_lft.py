import copy

import pytest
import torch
from small_networks import CASCADES, LAYERS, WithBatchNorm, cascade_and_input, disturb, layer_and_input
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from napari_mritransfer.transfer.layers import weighted_layers
from napari_mritransfer.transfer.lft import KernelScale, Shift
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

every_layer = pytest.mark.parametrize("kind", LAYERS)
every_cascade = pytest.mark.parametrize("name", CASCADES)
both_granularities = pytest.mark.parametrize("granularity", ["kernel", "filter"])
with_and_without_bias = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])


def fit(model, inputs, steps=3, optimiser=torch.optim.Adam, **options):
    """Some steps of training, as the job takes them."""
    training_mode(model)
    steer = optimiser(trainable_parameters(model).values(), lr=0.05, **options)
    for _ in range(steps):
        steer.zero_grad()
        model(*inputs).abs().square().sum().backward()
        steer.step()


class Convolutions(TorchDispatchMode):
    """Listens to which gradients each convolution is asked for: (input, weight, bias)."""

    def __init__(self):
        super().__init__()
        self.gradients_of = []
        self.products = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if operator is torch.ops.aten.convolution_backward.default:
            self.gradients_of.append(tuple(args[-1]))
        self.products += operator is torch.ops.aten.mm.default
        return operator(*args, **(kwargs or {}))


@every_layer
@both_granularities
@with_and_without_bias
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_changes_before_the_first_step(kind, granularity, bias, dtype):
    model, image, _ = layer_and_input(kind, bias, dtype)
    before = model(image)
    for add_biases in (False, True):
        adapted = copy.deepcopy(model)
        transfer(adapted, "lft", {"granularity": granularity, "add_biases": add_biases})
        assert torch.equal(adapted(image), before)


@every_cascade
@both_granularities
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
def test_cascades_stay_the_same_to_the_last_bit(name, granularity, layout, autocast):
    """Under autocast too: factors in single precision must not lift what follows them out of half precision."""
    network, measured = cascade_and_input(name)
    network.to(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        before = network(*measured)
        transfer(network, "lft", {"granularity": granularity})
        assert torch.equal(network(*measured), before)
    for _, layer in weighted_layers(network):
        assert layer.weight.is_contiguous(memory_format=layout)  # or convolutions would run half as fast


@every_layer
@with_and_without_bias
def test_as_many_factors_as_the_formula_says(kind, bias):
    plain, _, kernels = layer_and_input(kind, bias)
    filters = 6 if "group" in kind or "depth" in kind else 4
    shifts = filters if bias else 0
    expected = {
        ("kernel", True, False): kernels + shifts,
        ("kernel", False, False): kernels,
        ("kernel", True, True): kernels + filters,
        ("filter", True, False): filters + shifts,
        ("filter", False, False): filters,
        ("filter", True, True): 2 * filters,
    }
    for (granularity, shift, add_biases), count in expected.items():
        model = copy.deepcopy(plain)
        report = transfer(model, "lft", {"granularity": granularity, "shift": shift, "add_biases": add_biases})
        assert report.trainable == report.effective == count
        assert report.total == sum(p.numel() for p in plain.parameters())
        assert sum(p.numel() for p in trainable_parameters(model).values()) == count
        assert ("0.bias" in base_state(model)) == (bias or add_biases)


@every_layer
@both_granularities
@with_and_without_bias
@pytest.mark.parametrize("shift", [True, False], ids=["shift", "no shift"])
def test_merged_weights_give_the_same_output_in_the_plain_network(kind, granularity, bias, shift):
    model, image, _ = layer_and_input(kind, bias)
    plain = copy.deepcopy(model)
    transfer(model, "lft", {"granularity": granularity, "shift": shift})
    disturb(model)
    unmerged = model(image)
    assert (unmerged - plain(image)).norm() > 0.1 * unmerged.norm()
    merge(model)
    assert not is_adapted(model)
    plain.load_state_dict(model.state_dict(), strict=True)
    for network in (model, plain):
        assert (network(image) - unmerged).norm() <= 1e-12 * unmerged.norm()


@every_layer
@both_granularities
def test_added_biases_can_be_merged_too(kind, granularity):
    model, image, _ = layer_and_input(kind, bias=False)
    transfer(model, "lft", {"granularity": granularity, "add_biases": True})
    disturb(model)
    unmerged = model(image)
    merge(model)
    plain = layer_and_input(kind, bias=True)[0]
    plain.load_state_dict(model.state_dict(), strict=True)
    assert (plain(image) - unmerged).norm() <= 1e-12 * unmerged.norm()


@every_cascade
@both_granularities
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_merged_cascades_give_the_same_image(name, granularity, dtype):
    network, measured = cascade_and_input(name, dtype)
    transfer(network, "lft", {"granularity": granularity})
    disturb(network, spread=0.05)
    unmerged = network(*measured)
    merge(network)
    plain = CASCADES[name]().to(dtype)
    plain.load_state_dict(network.state_dict(), strict=True)
    assert (plain(*measured) - unmerged).norm() <= (1e-12 if dtype == torch.float64 else 1e-6) * unmerged.norm()


@both_granularities
def test_merging_keeps_other_peoples_hooks(granularity):
    model, image, _ = layer_and_input("conv2d")
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    transfer(model, "lft", {"granularity": granularity})
    merge(model)
    model(image)
    assert calls == [1]
    assert len(model[0]._forward_hooks) == 1


@pytest.mark.parametrize("kind", ["conv2d", "grouped transposed", "linear"])
@both_granularities
def test_the_base_is_untouched_by_training(kind, granularity):
    model, image, _ = layer_and_input(kind)
    before = fingerprint(model.state_dict())
    output = model(image)
    transfer(model, "lft", {"granularity": granularity})
    assert fingerprint(base_state(model)) == before
    fit(model, (image,))
    assert fingerprint(base_state(model)) == before
    assert not torch.allclose(model(image), output)


@both_granularities
@pytest.mark.parametrize("mode", [True, False], ids=["from training mode", "from evaluation mode"])
def test_running_statistics_are_part_of_the_base(granularity, mode):
    torch.manual_seed(0)
    model, image = WithBatchNorm().train(mode), torch.randn(5, 2, 8, 8) * 3 + 1
    model.features[1].running_mean.uniform_(-1, 1)
    before = fingerprint(model.state_dict())
    transfer(model, "lft", {"granularity": granularity})
    fit(model, (image,))
    assert fingerprint(base_state(model)) == before
    assert model.features[0].training
    assert model.head[0].training  # dropout is what training mode is for
    assert not model.features[1].training
    assert model.norm.weight.grad is None


@every_cascade
@both_granularities
def test_a_cascade_learns_without_its_weights(name, granularity):
    network, measured = cascade_and_input(name)
    before = fingerprint(network.state_dict())
    transfer(network, "lft", {"granularity": granularity})
    fit(network, measured)
    assert fingerprint(base_state(network)) == before
    learning = trainable_parameters(network)
    assert all(parameter.grad is not None for parameter in learning.values())
    assert all(p.grad is None for n, p in network.named_parameters() if n not in learning)
    assert not any("log_lambda" in parameter for parameter in learning)


@pytest.mark.parametrize("kind", [k for k in LAYERS if k != "linear"])
def test_filter_factors_never_ask_for_a_weight_gradient(kind):
    """The costly part of a convolution's backward pass; per-kernel scales do need it."""
    asked = {}
    for granularity in ("kernel", "filter"):
        model, image, _ = layer_and_input(kind)
        transfer(model, "lft", {"granularity": granularity})
        output = model(image.requires_grad_()).square().sum()  # as if another layer came before
        with Convolutions() as listener:
            output.backward()
        asked[granularity] = listener.gradients_of
        assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    assert asked == {"kernel": [(True, True, True)], "filter": [(True, False, False)]}


@every_cascade
def test_no_weight_gradient_in_a_whole_cascade_either(name):
    network, measured = cascade_and_input(name)
    transfer(network, "lft", {"granularity": "filter"})
    with Convolutions() as listener:
        network(*measured).abs().sum().backward()
    assert len(listener.gradients_of) == sum(1 for _ in weighted_layers(network)) - 1  # none for the very first layer
    assert set(listener.gradients_of) == {(True, False, False)}


def test_linear_filter_factors_need_one_product_less():
    products = {}
    for granularity in ("kernel", "filter"):
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        transfer(model, "lft", {"granularity": granularity})
        output = model(torch.randn(5, 3)).square().sum()
        with Convolutions() as listener:
            output.backward()
        products[granularity] = listener.products
    assert products == {"kernel": 3, "filter": 1}  # inputs of the second layer; and two weights


@both_granularities
def test_weight_decay_pulls_towards_the_pretrained_network(granularity):
    """Decay acts on S − 1 and t, so it leads to scale 1 and shift 0, not to a network of zeros."""
    model, image, _ = layer_and_input("conv2d")
    pretrained = model(image)
    transfer(model, "lft", {"granularity": granularity})
    disturb(model)
    optimiser = torch.optim.AdamW(trainable_parameters(model).values(), lr=0.1, weight_decay=1.0)
    for _ in range(400):
        for parameter in trainable_parameters(model).values():
            parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
    torch.testing.assert_close(model(image), pretrained)


def test_the_factors_multiply_the_kernel_and_shift_the_filter():
    """W' = W ⊙ S, b' = b + t, entry by entry, with S (in, out / groups, 1, 1) where the convolution is transposed."""
    for kind in ("conv2d", "grouped transposed"):
        model, _, _ = layer_and_input(kind)
        weight, bias = (t.clone() for t in (model[0].weight.detach(), model[0].bias.detach()))
        transfer(model, "lft")
        scale = next(m for m in model.modules() if isinstance(m, KernelScale)).scale_minus_one
        shift = next(m for m in model.modules() if isinstance(m, Shift)).shift
        assert scale.shape == (*weight.shape[:2], 1, 1)
        with torch.no_grad():
            scale[1, 0] = 2.0
            shift[1] = 5.0
        weight[1, 0] *= 3
        bias[1] += 5
        assert torch.equal(model[0].weight, weight)
        assert torch.equal(model[0].bias, bias)


def test_zero_weights_stay_zero():
    model = nn.Sequential(nn.Conv2d(2, 3, 3))
    nn.init.zeros_(model[0].weight[0])
    transfer(model, "lft")
    disturb(model)
    assert torch.count_nonzero(model[0].weight[0]) == 0
    assert torch.count_nonzero(model[0].weight[1:]) > 0


@both_granularities
def test_a_copy_learns_on_its_own(granularity):
    model, image, _ = layer_and_input("conv2d")
    transfer(model, "lft", {"granularity": granularity})
    twin = copy.deepcopy(model)
    disturb(twin)
    assert not torch.allclose(twin(image), model(image))
    assert all(torch.count_nonzero(p) == 0 for p in trainable_parameters(model).values())


@every_layer
@both_granularities
@with_and_without_bias
def test_the_merged_state_is_that_of_the_merged_network_which_goes_on_learning(kind, granularity, bias):
    model, image, _ = layer_and_input(kind, bias)
    transfer(model, "lft", {"granularity": granularity, "add_biases": True})
    disturb(model)
    before = model(image)
    state = merged_state(model)
    assert torch.equal(model(image), before)
    merge(model)
    expected = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
