"""Rates that mean what they say, a centre that was measured, and nobody on both sides of a split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.honesty import Verdict, examine_sampling, examine_split
from napari_mritransfer.physics.masks import MaskKind, SamplingMask, SamplingPattern, make, make_on_plane
from napari_mritransfer.training.slices import subject_of


@given(rate=st.floats(0.1, 1), lines=st.integers(40, 400), seed=st.integers(0, 99))
def test_random_masks_with_an_acs_cause_no_concern(rate, lines, seed):
    rates, acs = examine_sampling(make(SamplingPattern(rate=rate, acs=0.08, seed=seed), lines))
    assert rates.verdict is acs.verdict is Verdict.FINE
    assert rates.details["effective"] == rates.details["achieved"]


def test_lines_that_hold_nothing_make_the_effective_rate_another_one():
    mask = make(SamplingPattern(rate=0.25, acs=0.08), 256)
    rates, _ = examine_sampling(mask, support=(168,))
    assert rates.verdict is Verdict.CONCERN
    assert rates.details["effective"] > 0.3
    assert f"effective {rates.details['effective']:.1%}" in rates.sentence
    with pytest.raises(ValueError, match="number from 1 to 256"):
        examine_sampling(mask, support=(257,))


def test_equispaced_lines_that_miss_the_nominal_rate_are_told():
    mask = make(SamplingPattern(MaskKind.EQUISPACED, rate=0.7, acs=0.1), 100)
    assert examine_sampling(mask)[0].verdict is Verdict.CONCERN


def test_a_mask_without_acs_is_told_with_its_lines():
    acs = examine_sampling(SamplingMask(np.arange(200) % 4 == 0, None))[1]
    assert (acs.verdict, acs.details) == (Verdict.CONCERN, {"lines about DC": 1, "lines": 200})


@pytest.mark.parametrize("kind", [kind for kind in MaskKind if kind.is_plane])
def test_samples_that_hold_nothing_make_the_effective_rate_another_one(kind):
    mask = make_on_plane(SamplingPattern(kind), (160, 160), "y")
    assert examine_sampling(mask)[0].verdict is Verdict.FINE
    rates, _ = examine_sampling(mask, support=(96, 80))
    assert rates.verdict is Verdict.CONCERN
    assert rates.details["effective"] == mask.lines[32:128, 40:120].mean() > 0.3


def test_a_spoke_along_an_axis_is_no_acs():
    plane = make_on_plane(SamplingPattern(MaskKind.RADIAL, 0.05, 0.0, seed=2), (256, 256), "y").lines.copy()
    plane[:, 128] = True
    acs = examine_sampling(SamplingMask(plane, None))[1]
    assert acs.verdict is Verdict.CONCERN
    assert "samples about DC" in acs.sentence


def test_a_plane_of_samples_is_asked_for_the_block_around_dc():
    plane = np.random.default_rng(0).random((100, 80)) < 0.2
    without, present = plane.copy(), plane.copy()
    without[50, 40] = False
    present[44:57, 34:47] = True
    assert examine_sampling(SamplingMask(without, None))[1].verdict is Verdict.CONCERN
    assert examine_sampling(SamplingMask(present, None))[1].verdict is Verdict.FINE


def test_shared_subjects_are_named():
    train = [f"data/patient0{i}/T1W.nii.gz" for i in (1, 2, 3, 4)]
    (found,) = examine_split(train, ["other/patient04_T2W.nii.gz", "patient12.nii"], subject_of)
    assert (found.verdict, found.value) == (Verdict.CONCERN, 1)
    assert "patient04" in found.sentence
    (all_of_them,) = examine_split(train, train, subject_of)
    assert "and 1 more" in all_of_them.sentence


def test_a_clean_split_and_an_empty_one():
    assert examine_split(["patient01.nii"], ["patient02.nii"], subject_of)[0].verdict is Verdict.FINE
    assert examine_split([], ["patient02.nii"], subject_of)[0].verdict is Verdict.UNKNOWN
