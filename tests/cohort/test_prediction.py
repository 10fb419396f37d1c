"""Predictions: the network's own, the same every time, with a spread that is what dropout makes of them."""

import dataclasses

import numpy as np
import pytest
import torch
from small_slice_sets import AGE, DISEASE, model, prepared

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.prediction import NO_DROPOUT, numbers_for, predict
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.network import ReconstructionStopped

pytestmark = pytest.mark.usefixtures("one_thread")

SCAN = prepared()


def some_present(slices=16):
    return np.arange(slices) % 3 != 1


def output_of(one, present=None):
    volume = torch.from_numpy(SCAN.array)[None, None]
    marks = None if present is None else torch.from_numpy(present)[None]
    with torch.no_grad():
        return one.network.eval()(volume, marks)


@pytest.mark.parametrize("present", [None, some_present()])
@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_a_prediction_is_what_the_network_says_in_the_labels_unit(pooling, present):
    one = model(pooling=pooling)
    expected = output_of(one, present)
    found = predict(one, SCAN, present=present)
    assert found.value == pytest.approx(60 + 10 * expected.prediction.item(), abs=1e-4)
    assert found.text == f"{found.value:.1f} years"
    assert found.weights.sum() == pytest.approx(1)
    assert found.relative[found.present].mean() == pytest.approx(1)
    if pooling == "attention":
        assert np.allclose(found.weights, expected.attention[0].mean(dim=0).numpy(), atol=1e-6)
    if present is not None:
        assert (found.present == present).all()
        assert not found.weights[~present].any()


def test_classes_come_with_their_chances():
    binary = predict(model(label=DISEASE), SCAN)
    assert binary.value.shape == (2,)
    assert binary.number == binary.value[1]
    assert binary.text.split(",")[0] == DISEASE.classes[binary.value.argmax()]
    assert binary.sign == (1 if binary.number > 0.5 else -1)
    assert "percentage points over 30 dropout draws" in binary.spread_text
    three = predict(model(label=Label("kind", "classes", classes=("a", "b", "c"))), SCAN)
    assert three.value.sum() == pytest.approx(1)
    assert three.output == three.value.argmax()


def test_the_same_arguments_give_the_same_answer_and_nobody_elses_numbers_are_drawn():
    one = model()
    before = torch.get_rng_state()
    first, again, other = predict(one, SCAN), predict(one, SCAN), predict(one, SCAN, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert (first.number, first.spread) == (again.number, again.spread)
    assert (first.weights == again.weights).all()
    assert first.number == other.number
    assert first.spread != other.spread


def test_the_spread_is_what_dropout_does_to_a_linear_head():
    """Var = Σ (a · feature ÷ slices)² · p ÷ (1 − p), features dropped one by one with probability p."""
    one = model(pooling="mean", positions="off", dropout=0.4)
    net = one.network
    net.attn_post.bias.data += 100  # no hidden unit ever bends
    found = predict(one, SCAN, draws=6000)
    last = net.encoder_2d.post_position_encoding[1].weight[:, :, 0, 0]
    slope = (net.regressor[1].weight @ net.attn_post.weight @ last)[0].detach().numpy()
    parts = found.encoded.features[0].numpy() * slope / 16
    assert found.spread == pytest.approx(AGE.std * np.sqrt((parts**2).sum() * 0.4 / 0.6), rel=0.04)
    assert found.spread_text == f"sd {found.spread:.1f} years over 6000 dropout draws"


def test_without_dropout_there_is_no_spread_and_it_is_said():
    found = predict(model(dropout=0.0), SCAN)
    assert (found.spread, found.spread_text) == (None, NO_DROPOUT)


def test_the_encoder_sees_each_slice_once_and_the_network_is_left_as_it_was():
    one = model()
    one.network.train()
    one.network.pooled_attention.eval()
    before = {module: module.training for module in one.network.modules()}
    seen = []
    first = one.network.encoder_2d.encoder_2d[0]
    hook = first.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    found = predict(one, SCAN, present=some_present())
    numbers_for(one, found.encoded.features, np.eye(16, dtype=bool))
    hook.remove()
    assert sum(seen) == some_present().sum()
    assert {module: module.training for module in one.network.modules()} == before
    assert not any(module._forward_hooks for module in one.network.modules())
    assert all(parameter.grad is None for parameter in one.network.parameters())


@pytest.mark.parametrize("positions", ["off", "learned"])
def test_kept_features_predict_as_the_network_does_with_slices_missing(positions):
    one = model(positions=positions)
    sets = np.random.default_rng(0).random((5, 16)) < 0.5
    sets[:, 3] = True
    found = numbers_for(one, predict(one, SCAN).encoded.features, sets, at_once=2)
    expected = [60 + 10 * output_of(one, row).prediction.item() for row in sets]
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "options", "complaint"),
    [
        ({"array": np.zeros((16, 19, 15), np.float32)}, {}, "takes 16 × 19 × 16 and its position codes count"),
        ({}, {"present": np.zeros(16, bool)}, "one of them true"),
        ({}, {"present": np.ones(15, bool)}, "15 of 15 slices"),
        ({}, {"depth": 3}, "depths 1 to 2, not at 3"),
    ],
)
def test_what_does_not_fit_the_network_is_refused_in_one_sentence(change, options, complaint):
    with pytest.raises(BadInput, match=complaint) as caught:
        predict(model(), dataclasses.replace(SCAN, **change), **options)
    assert "\n" not in str(caught.value)


def test_stop_is_heard_between_groups_of_slices():
    with pytest.raises(ReconstructionStopped):
        predict(model(), SCAN, should_stop=lambda: True)
