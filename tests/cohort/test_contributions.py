"""Contributions of slices: they sum to what they take apart, and stand where attention would."""

import numpy as np
import pytest
import torch
from small_slice_sets import network

from napari_mritransfer.cohort.contributions import shares_of

pytestmark = pytest.mark.usefixtures("one_thread")


def codes(seed=0, slices=16):
    return torch.randn(1, slices, 6, generator=torch.Generator().manual_seed(seed))


def some_present(slices=16):
    return (torch.arange(slices) % 3 != 1)[None]


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize("present", [None, some_present()])
@pytest.mark.parametrize("seed", range(3))
def test_contributions_sum_to_what_the_embedding_does_to_the_output(pooling, present, seed):
    """Between its kinks the head is linear: output = gradient · embedding + what a zero embedding would give."""
    net = network(seed, pooling=pooling, positions="off")
    found = shares_of(net, codes(seed), present)
    embedding = net.pool(codes(seed), present).embedding.detach()
    gradient = torch.autograd.functional.jacobian(lambda e: net.head(e)[0, 0], embedding)
    assert found.total == pytest.approx((gradient * embedding).sum().item(), rel=1e-5, abs=1e-7)
    assert found.signed.sum() == pytest.approx(found.total, rel=1e-5, abs=1e-7)
    assert found.weights.sum() == pytest.approx(1)
    assert found.kind == "contribution"
    if present is not None:
        assert not found.signed[~present[0].numpy()].any()


def test_leaving_a_contribution_out_changes_a_linear_head_by_it():
    """With a head that never bends, the output without a slice's part is smaller by exactly its contribution."""
    net = network(pooling="mean", positions="off").double()  # in float32 the large bias would swallow the digits
    net.attn_post.bias.data += 100  # all hidden units stay above zero
    known = codes().double()
    found = shares_of(net, known)
    before = net.head(known.mean(dim=1)).item()
    for index in (0, 7, 15):
        after = net.head((known.sum(dim=1) - known[:, index]) / 16).item()
        assert before - after == pytest.approx(found.signed[index], abs=1e-9)


def test_equal_maxima_share_what_their_feature_contributes():
    net = network(pooling="max", positions="off")
    known = codes()
    known[:, :, 0] = -5.0
    known[:, [3, 8], 0] = 9.0
    twins = known.clone()
    twins[:, 8] = twins[:, 3]
    found = shares_of(net, twins)
    assert found.signed[3] == found.signed[8]
    alone = twins.clone()
    alone[:, 8] = -50.0
    assert shares_of(net, alone).signed[3] == pytest.approx(2 * found.signed[3], rel=1e-5)


def test_attention_is_passed_on_as_it_is_with_its_heads_apart():
    net = network(pooling="attention", heads=2)
    placed = net.encoder_2d.place(torch.randn(1, 16, 8), some_present()).detach()
    found = shares_of(net, placed, some_present())
    attention = net.pool(placed, some_present()).attention[0].detach().numpy()
    assert found.kind == "attention"
    assert found.signed is None
    assert np.allclose(found.heads, attention)
    assert np.allclose(found.weights, attention.mean(axis=0))
    assert shares_of(network(), placed).heads is None


def test_a_head_that_ignores_the_embedding_lets_all_slices_count_alike():
    net = network(pooling="max", positions="off")
    net.attn_post.weight.data.zero_()
    found = shares_of(net, codes(), some_present())
    assert np.allclose(found.weights, some_present()[0].numpy() / some_present().sum().item())
    assert found.total == 0
