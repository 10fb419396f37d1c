"""Relative weights, effective numbers and mean maps: what the pictures of attention are drawn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.cohort.attention import (
    effective_slices,
    mean_relative,
    minus_mean,
    rank_correlation,
    relative_weights,
    share_on,
)


def weights_and_present(seed, slices):
    rng = np.random.default_rng(seed)
    present = rng.random(slices) < 0.7
    present[rng.integers(slices)] = True
    weights = np.where(present, rng.random(slices) ** 4 + 1e-6, 0.0)
    return weights / weights.sum(), present


@given(seed=st.integers(0, 999), slices=st.integers(1, 120))
def test_one_is_uniform_whatever_is_missing(seed, slices):
    weights, present = weights_and_present(seed, slices)
    relative = relative_weights(weights, present)
    assert relative[present].mean() == pytest.approx(1)
    assert not relative[~present].any()
    assert np.allclose(relative_weights(present / present.sum(), present)[present], 1)


@given(seed=st.integers(0, 999), slices=st.integers(2, 120), counted=st.integers(1, 120))
def test_the_effective_number_counts_slices_that_count_alike(seed, slices, counted):
    counted = min(counted, slices)
    alike = np.random.default_rng(seed).permutation(np.arange(slices) < counted).astype(float)
    assert effective_slices(alike / counted) == pytest.approx(counted)
    weights, present = weights_and_present(seed, slices)
    assert 1 <= effective_slices(weights) <= present.sum() + 1e-9
    assert effective_slices(7 * weights) == pytest.approx(effective_slices(weights))


def test_a_long_tail_of_small_weights_hardly_adds_to_the_effective_number():
    """Five slices that hold 90 % among 91 are nearly five slices; the entropy would say nine."""
    weights = np.full(91, 0.1 / 86)
    weights[40:45] = 0.9 / 5
    entropy = np.exp(-(weights * np.log(weights)).sum())
    assert effective_slices(weights) == pytest.approx(6.2, abs=0.1)
    assert entropy > 9


def test_the_mean_map_counts_each_slice_over_the_scans_that_have_it():
    first, second = np.array([1.0, 3.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0])
    presents = [np.array([True, True, False, False]), np.array([False, True, True, False])]
    assert mean_relative([first, second], presents).tolist() == [1.0, 2.0, 1.0, 1.0]
    assert mean_relative([first, second]).tolist() == [0.5, 2.0, 0.5, 0.0]


@given(seed=st.integers(0, 99))
def test_a_map_that_everyone_gets_leaves_no_difference_even_where_slices_are_missing(seed):
    shape = np.random.default_rng(seed).random(40) + 0.1
    mean = shape / shape.mean()
    _, present = weights_and_present(seed, 40)
    shares = np.where(present, shape, 0)
    relative = relative_weights(shares / shares.sum(), present)
    assert np.allclose(minus_mean(relative, mean, present), 0)
    peaked = np.where(np.arange(40) == np.flatnonzero(present)[0], present.sum(), 0.0)
    difference = minus_mean(peaked, mean, present)
    assert difference[present].sum() == pytest.approx(0)
    assert difference.max() > 0 or present.sum() == 1


def test_ranks_decide_whether_two_maps_agree():
    rising = np.array([0.1, 0.2, 0.3, 0.9])
    assert rank_correlation(rising, rising**7) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    assert rank_correlation(rising, np.ones(4)) is None
    assert rank_correlation(rising, 1 + 1e-9 * rising) is None


def test_attention_on_known_slices_is_told_against_chance():
    weights = np.array([0.0, 0.6, 0.3, 0.1])
    assert share_on(weights, np.array([False, True, True, False])) == pytest.approx((0.9, 0.5))
    missing = np.array([False, True, True, True])
    assert share_on(weights, np.array([True, True, False, False]), missing) == pytest.approx((0.6, 1 / 3))
