"""Sanity checks of attention: they praise a network that looks where it must, and see through one that does not."""

import numpy as np
import pytest
import torch
from small_slice_sets import DISEASE, model, prepared

from napari_mritransfer.cohort import sanity
from napari_mritransfer.cohort.prediction import predict
from napari_mritransfer.cohort.randomisation import randomise, stability
from napari_mritransfer.cohort.sanity import ablate

pytestmark = pytest.mark.usefixtures("one_thread")

SCAN = prepared()
AREAS = SCAN.tissue.sum(axis=(1, 2))


def honest(wanted=(4, 7, 11), label=None):
    """Position codes make three slices count and give these alone something to say; the head adds up what they say."""
    options = {} if label is None else {"label": label}
    one = model(positions="learned", pooling="attention", features=2, code=2, output_layer=False, **options)
    net = one.network
    for parameter in net.parameters():
        parameter.data.zero_()
    places = net.encoder_2d.position_encoder
    places.ln.weight.data.fill_(1)
    places.position_encoding.data[0, 0, list(wanted)] = 9.0
    net.encoder_2d.post_position_encoding[1].weight.data[:, :, 0, 0] = torch.eye(2)
    net.pooled_attention.S.data[0] = torch.tensor([2.0, 0.0])
    net.pooled_attention.fc_k.weight.data = torch.eye(2)
    net.pooled_attention.fc_v.weight.data = torch.eye(2)
    net.attn_post.weight.data[0, 0] = 1
    net.regressor[1].weight.data[0, 0] = 1
    return one


def test_slices_that_decide_move_the_prediction_and_blocks_do_not():
    one = honest()
    found = predict(one, SCAN)
    assert set(np.argsort(found.weights)[-3:]) == {4, 7, 11}
    checked = ablate(one, found, AREAS)
    assert checked.deletion.chosen[2] == max(checked.deletion.chosen[:3]) > 3 * checked.deletion.blocks[2]
    assert checked.beats_chance
    told = checked.sentence(one, "attention")
    assert told.startswith("Dropping the 5 most attended slices moves the prediction by ")
    assert "years; blocks of 5 neighbouring slices with about as much tissue by" in told
    assert told.endswith("blocks).")


def test_slices_that_do_not_matter_are_found_out():
    """The same attention, but every slice says the same: dropping any changes nothing more than another."""
    one = honest()
    one.network.pooled_attention.fc_v.weight.data.zero_()
    one.network.pooled_attention.fc_v.bias.data.fill_(1)
    checked = ablate(one, predict(one, SCAN), AREAS)
    assert not checked.beats_chance
    assert checked.sentence(one, "attention").endswith("by this check the map is no better than chance.")


def test_what_is_dropped_is_what_the_network_says_without_it():
    one = model()
    found = predict(one, SCAN)
    checked = ablate(one, found, AREAS)
    order = np.argsort(-found.weights, kind="stable")
    for k in (1, 4, 8):
        without, alone = np.ones(16, bool), np.zeros(16, bool)
        without[order[:k]], alone[order[:k]] = False, True
        for curve, present in ((checked.deletion, without), (checked.insertion, alone)):
            expected = abs(predict(one, SCAN, present=present).number - found.number)
            assert curve.chosen[k - 1] == pytest.approx(expected, abs=1e-4)
    assert len(checked.deletion.chosen) == 8


@pytest.mark.parametrize("k", [1, 3, 6])
def test_blocks_have_about_as_much_tissue_as_what_they_are_compared_with(k):
    rng = np.random.default_rng(0)
    areas = np.concatenate([np.zeros(20), np.linspace(1, 50, 40), np.linspace(50, 1, 40)])
    wanted = 30.0 * k
    places = sanity._places(areas, wanted, k, 8, rng)
    assert len(set(places)) == 8
    sums = np.array([areas[start : start + k].sum() for start in places])
    assert np.abs(sums / wanted - 1).max() <= 0.2
    nearest = sanity._places(areas, 1e9, k, 8, rng)  # more than any block has
    middle = np.array([areas[start : start + k].sum() for start in nearest])
    assert middle.min() >= np.sort([areas[start : start + k].sum() for start in range(101 - k)])[-8]


def test_missing_slices_are_neither_dropped_nor_part_of_a_block():
    one = model()
    present = np.arange(16) % 4 != 1
    checked = ablate(one, predict(one, SCAN, present=present), AREAS)
    assert len(checked.deletion.chosen) == 6
    few = np.arange(16) < 3
    assert ablate(one, predict(one, SCAN, present=few), AREAS) is None


def test_checks_are_the_same_every_time():
    one = model()
    found = predict(one, SCAN)
    before = torch.get_rng_state()
    assert ablate(one, found, AREAS, blocks=3) == ablate(one, found, AREAS, blocks=3)
    assert ablate(one, found, AREAS, blocks=3, seed=0) != ablate(one, found, AREAS, blocks=3, seed=1)
    assert randomise(one, found, SCAN.array) == randomise(one, found, SCAN.array)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_map_that_shuffled_weights_keep_is_found_out():
    """Attention that only follows the positions stays, where nothing is left of query and keys to be shuffled."""
    one = model()
    state = {name: value.clone() for name, value in one.network.state_dict().items()}
    found = predict(one, SCAN)
    fixed = honest()
    for parameter in (fixed.network.pooled_attention.S, fixed.network.pooled_attention.fc_k.weight):
        parameter.data.fill_(1)  # in any order the same
    kept = randomise(fixed, predict(fixed, SCAN), SCAN.array)
    assert kept.behind_encoder == pytest.approx((1,) * 5)
    assert "explains little" in kept.sentence
    assert len(kept.everything) == 3
    moved = randomise(one, found)
    assert moved.everything == ()
    assert min(value for value in moved.behind_encoder if value is not None) < 0.5
    assert all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_every_pooling_can_be_checked(pooling):
    one = model(pooling=pooling, label=DISEASE)
    found = predict(one, SCAN)
    checked = ablate(one, found, AREAS)
    assert "percentage points" in checked.sentence(one, found.kind)
    assert ("contributing" in checked.sentence(one, found.kind)) == (pooling != "attention")
    assert len(randomise(one, found, SCAN.array).behind_encoder) == 5


def test_networks_that_agree_and_networks_that_do_not():
    rising, noise = np.arange(30.0), np.random.default_rng(0).random(30)
    same = stability([rising, 2 * rising, rising**2])
    assert (same.mean, same.lowest, same.networks) == (pytest.approx(1), pytest.approx(1), 3)
    assert "Another training" not in same.sentence("age", "scan")
    apart = stability([rising, noise])
    assert apart.mean < 0.5
    assert "Another training would have shown another map." in apart.sentence("age", "scan")
    assert stability([rising]) is None
    assert stability([rising, np.ones(30)]) is None
