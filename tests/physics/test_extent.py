"""How far measured k-space reaches, and what is missing amid it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_mritransfer.physics.centred import centre_crop
from napari_mritransfer.physics.extent import has_holes, inside_box, measured_box, measured_lines, missing_along

planes = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)).filter(np.any)


@given(sampled=planes)
def test_the_box_holds_every_sample_and_no_smaller_one_does(sampled):
    box = measured_box(sampled)
    assert inside_box(sampled).sum() == sampled.sum()
    for axis in range(2):
        smaller = list(box)
        smaller[axis] -= 2  # even and odd lengths have DC at another place
        if smaller[axis] >= 1:
            assert centre_crop(sampled, tuple(smaller)).sum() < sampled.sum()


@given(sampled=planes, pad=st.integers(0, 4))
def test_zero_padding_does_not_change_what_is_inside(sampled, pad):
    padded = np.pad(inside_box(sampled), 2 * [(pad, pad)])
    np.testing.assert_array_equal(inside_box(padded).sum(), sampled.sum())
    assert has_holes(padded) == has_holes(sampled)


def test_nothing_measured_is_told():
    with pytest.raises(ValueError, match="nothing was measured"):
        measured_box(np.zeros((4, 5), dtype=bool))


def test_whole_lines_are_told_from_scattered_samples():
    sampled = np.zeros((6, 5), dtype=bool)
    sampled[[0, 3, 4]] = True
    lines, are_whole = measured_lines(sampled, "y")
    assert (list(np.flatnonzero(lines)), are_whole) == ([0, 3, 4], True)
    assert missing_along(sampled) == "y"
    sampled[0, 0] = False
    assert not measured_lines(sampled, "y")[1]


def test_partial_fourier_and_cut_corners_have_no_holes_but_patterns_do():
    half = np.zeros((8, 8), dtype=bool)
    half[3:] = True
    y, x = np.mgrid[-4:5, -4:5]
    assert not has_holes(half)
    assert not has_holes(y**2 + x**2 < 20)
    comb = half.copy()
    comb[5] = False
    assert has_holes(comb)
    assert has_holes(comb.T)
    scattered = half.copy()
    scattered[5, 3] = False
    assert has_holes(scattered)
