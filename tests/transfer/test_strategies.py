import copy
import importlib
import inspect

import pytest
import torch
from small_networks import CASCADES, UNSUITED, WithBatchNorm, cascade_and_input, disturb, layer_and_input
from torch import nn

from napari_mritransfer.transfer.catalogue import CATALOGUE, strategy
from napari_mritransfer.transfer.model import (
    base_state,
    fingerprint,
    is_adapted,
    learned_state,
    load_learned_state,
    merge,
    trainable_parameters,
    transfer,
)

pytestmark = pytest.mark.usefixtures("one_thread")

every_strategy = pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
SUITED = [row for row in CATALOGUE if (row.name, "dccnn") not in UNSUITED]
suited_strategy = pytest.mark.parametrize("row", SUITED, ids=lambda row: row.name)


@every_strategy
def test_every_row_of_the_menu_can_be_cooked(row):
    apply = importlib.import_module(f"napari_mritransfer.transfer.{row.module}").apply
    options = {
        name: parameter.default
        for name, parameter in inspect.signature(apply).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert options == dict(row.options)
    assert row.label
    assert row.summary.endswith(".")
    assert row.reference
    assert strategy(row.name) is row
    assert row.trains == (row.learning_rate is not None)


@every_strategy
@pytest.mark.parametrize("name", CASCADES)
def test_every_strategy_works_on_the_cascades(row, name):
    network, measured = cascade_and_input(name)
    total = sum(p.numel() for p in network.parameters())
    before = network(*measured).detach()
    if (row.name, name) in UNSUITED:
        with pytest.raises(ValueError, match="nothing that could learn"):
            transfer(network, row.name)
        return
    report = transfer(network, row.name)
    assert (report.strategy, report.total) == (row.name, total)
    assert report.trainable == sum(p.numel() for p in trainable_parameters(network).values()) == report.effective
    assert (report.trainable > 0) == row.trains
    assert report.warning == ""
    after = network(*measured)
    assert after.isfinite().all()
    assert torch.equal(after, before) == (row.name != "scratch")
    assert after.requires_grad == row.trains


@suited_strategy
def test_what_was_learned_can_be_stored_and_put_back(row):
    network, measured = cascade_and_input("multiscale")
    fresh = copy.deepcopy(network)
    transfer(network, row.name)
    disturb(network, spread=0.02)
    state = learned_state(network)
    expected = network(*measured)
    transfer(fresh, row.name)
    load_learned_state(fresh, state)
    assert torch.equal(fresh(*measured), expected)
    disturb(network)
    torch.testing.assert_close(learned_state(fresh), state)  # a copy: later steps do not reach it


def test_only_factors_are_stored_where_factors_learn():
    network, _ = cascade_and_input("dccnn")
    report = transfer(network, "lft")
    assert sum(t.numel() for t in learned_state(network).values()) == report.trainable < report.total


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (("lft", {"granularity": "kernel"}), ("lft", {"granularity": "filter"})),
        (("lft", {"shift": False}), ("lft", {})),
        (("lft", {}), ("ft", {})),
        (("ft", {}), ("lft", {})),
    ],
)
def test_learned_weights_of_another_strategy_are_refused(stored, wanted):
    first, second = cascade_and_input("dccnn")[0], cascade_and_input("dccnn")[0]
    transfer(first, *stored)
    transfer(second, *wanted)
    before = fingerprint(second.state_dict())
    with pytest.raises(ValueError, match="another network or another strategy"):
        load_learned_state(second, learned_state(first))
    assert fingerprint(second.state_dict()) == before


def test_learned_weights_of_another_network_are_refused():
    first, second = (nn.Sequential(nn.Conv2d(2, width, 3)) for width in (3, 4))
    for network in (first, second):
        transfer(network, "lft")
    with pytest.raises(ValueError, match="another network"):
        load_learned_state(second, learned_state(first))


@pytest.mark.parametrize(
    "norm",
    [nn.InstanceNorm2d(4, eps=1e-15), nn.InstanceNorm2d(4, eps=1e-15, affine=True), nn.BatchNorm2d(4, eps=1e-15)],
    ids=["instance", "affine instance", "batch"],
)
@pytest.mark.parametrize("groups", [1, 2, 4], ids=["dense", "grouped", "depthwise"])
@pytest.mark.parametrize("granularity", ["kernel", "filter"])
def test_the_effective_count_is_the_rank_of_the_jacobian(norm, groups, granularity):
    """How many directions in factor space move the output at all, found by differences: what a norm cancels, and
    nothing else, is subtracted.
    """
    torch.manual_seed(0)
    last = nn.Conv2d(4, 1, 1)  # so that something can have an effect
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=groups), copy.deepcopy(norm), last).double().train()
    report = transfer(model, "lft", {"granularity": granularity})
    image = torch.randn(2, 4, 6, 6, dtype=torch.float64)
    columns = []
    with torch.no_grad():
        for factors in trainable_parameters(model).values():
            for entry in factors.view(-1):
                entry.add_(1e-5)
                above = model(image)
                entry.sub_(2e-5)
                columns.append((above - model(image)).flatten() / 2e-5)
                entry.add_(1e-5)
    assert int(torch.linalg.matrix_rank(torch.stack(columns), atol=1e-6)) == report.effective < report.trainable


def test_a_person_is_warned_when_a_norm_takes_most_factors_away():
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.InstanceNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1))
    report = transfer(model, "lft", {"granularity": "filter"})
    assert (report.trainable, report.effective) == (18, 2)
    assert report.warning.startswith("Only 2 of the 18 parameters that learn can have an effect")
    assert report.warning.endswith(".")


def test_no_warning_where_most_factors_work():
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.InstanceNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 1))
    report = transfer(model, "lft")
    assert (report.trainable, report.effective) == (64 + 8 + 8 + 1, 64 - 8 + 8 + 1)
    assert report.warning == ""


def test_a_batch_norm_in_evaluation_mode_cancels_nothing():
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    report = transfer(model.eval(), "lft", {"granularity": "filter"})
    assert report.trainable == report.effective == 16


def test_full_fine_tuning_lets_everything_learn():
    model = WithBatchNorm().requires_grad_(False)
    report = transfer(model, "ft")
    assert report.trainable == report.total == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", CASCADES)
def test_scratch_draws_new_weights_from_the_seed(name):
    pretrained, _ = cascade_and_input(name)
    drawn = []
    for seed in (1, 1, 2):
        network = copy.deepcopy(pretrained)
        for parameter in network.parameters():
            nn.init.constant_(parameter, 7.0)  # weights that no initialisation would draw
        torch.manual_seed(seed)
        transfer(network, "scratch")
        assert not any((parameter == 7.0).any() for parameter in network.parameters())
        drawn.append(network)
    prints = [fingerprint(network.state_dict()) for network in (*drawn, pretrained)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    for new, old in zip(drawn[0].parameters(), pretrained.parameters(), strict=True):
        assert new.abs().max() < 4 * old.abs().max()  # the network's own initialisation


def test_scratch_resets_running_statistics():
    model = WithBatchNorm()
    model.features[1].running_mean.fill_(3)
    transfer(model, "scratch")
    assert torch.count_nonzero(model.features[1].running_mean) == 0


class Scaled(nn.Module):
    """A layer that does not know how to begin anew."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.ones(1))

    def forward(self, image):
        return image + self.shift


def test_scratch_refuses_layers_it_cannot_redraw_and_changes_nothing():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), Scaled(), nn.Conv2d(3, 2, 3))
    before = fingerprint(model.state_dict())
    with pytest.raises(ValueError, match=r"Layer '1' cannot be re-initialised.*reset_parameters"):
        transfer(model, "scratch")
    assert fingerprint(model.state_dict()) == before


@pytest.mark.parametrize("granularity", ["kernel", "filter"])
def test_the_base_holds_every_tensor_of_the_plain_network(granularity):
    """Whatever its layers call their own parameters."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3), Scaled(), nn.BatchNorm2d(3))
    plain = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    transfer(model, "lft", {"granularity": granularity})
    assert base_state(model).keys() == plain.keys()
    assert fingerprint(base_state(model)) == fingerprint(plain)


def test_the_fingerprint_sees_names_types_shapes_and_every_bit():
    state = {"a": torch.arange(6.0), "b": torch.tensor(3)}
    prints = {
        fingerprint(changed)
        for changed in (
            state,
            {"a": state["a"].reshape(2, 3), "b": state["b"]},
            {"a": state["a"].view(torch.int32), "b": state["b"]},
            {"c": state["a"], "b": state["b"]},
            {"a": -state["a"], "b": state["b"]},
            {"a": state["a"].nextafter(torch.tensor(9.0)), "b": state["b"]},
        )
    }
    assert len(prints) == 6
    assert fingerprint(dict(reversed(state.items()))) == fingerprint(state)
    weight = torch.randn(4, 3, 2, 2)
    assert fingerprint({"w": weight}) == fingerprint({"w": weight.to(memory_format=torch.channels_last)})


@pytest.mark.parametrize("again", [row.name for row in SUITED])
def test_strategies_are_not_stacked(again):
    network, _ = cascade_and_input("dccnn")
    transfer(network, "lft")
    with pytest.raises(ValueError, match="merge them first"):
        transfer(network, again)
    merge(network)
    transfer(network, again)


def test_factors_hang_on_some_models_only():
    for row in SUITED:
        network, _ = cascade_and_input("dccnn")
        assert not is_adapted(network)
        transfer(network, row.name)
        assert is_adapted(network) == row.keeps_base


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("lfft", {}, r"no strategy called 'lfft'; choose one of: pretrained, scratch, ft, lft, last-layers, "),
        ("lft", {"rank": 4}, r"'lft' has no option rank; it has: granularity, shift, add_biases"),
        ("ft", {"granularity": "kernel"}, r"'ft' has no option granularity; it has: none"),
        ("lft", {"granularity": "layer"}, r"per 'kernel' or per 'filter', not per 'layer'"),
    ],
)
def test_what_does_not_exist_is_refused_and_changes_nothing(name, options, said):
    model, image, _ = layer_and_input("conv2d")
    before = model(image)
    with pytest.raises(ValueError, match=said) as caught:
        transfer(model, name, options)
    assert str(caught.value).endswith(".")
    assert not is_adapted(model)
    assert all(p.requires_grad for p in model.parameters())
    assert torch.equal(model(image), before)


def test_a_network_without_weights_has_nothing_to_scale():
    with pytest.raises(ValueError, match="nothing to scale"):
        transfer(nn.Sequential(nn.PReLU()), "lft")
