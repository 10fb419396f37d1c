import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_mritransfer.physics.line_masks import centre_only, equispaced, gaussian, variable_density
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern, make, make_on_plane

LINES = [kind for kind in MaskKind if not kind.is_plane]
kinds = st.sampled_from(LINES)
fractions = st.floats(0.0, 1.0)


@st.composite
def patterns(draw, kind=kinds):
    rate = draw(st.floats(0.01, 1.0))
    acs = draw(st.floats(0.0, rate))
    return SamplingPattern(draw(kind), rate, acs, draw(st.integers(0, 2**32)), draw(st.integers(-50, 500)))


@given(pattern=patterns(), n_lines=st.integers(1, 400))
def test_the_rate_is_met_within_a_line_or_the_mask_says_why_not(pattern, n_lines):
    mask = make(pattern, n_lines)
    assert mask.lines.shape == (n_lines,)
    assert mask.lines.dtype == bool
    assert mask.lines.any()
    missed_by = abs(int(mask.lines.sum()) - pattern.rate * n_lines)
    assert missed_by <= 1 or (pattern.kind is MaskKind.EQUISPACED and f"{mask.achieved_rate:.1%}" in mask.note)
    assert (mask.note == "") == (missed_by <= 1)
    assert mask.achieved_rate == pytest.approx(mask.lines.mean())
    assert mask.acceleration * mask.achieved_rate == pytest.approx(1)


@given(pattern=patterns(), n_lines=st.integers(1, 400))
def test_the_acs_is_fully_sampled_about_dc(pattern, n_lines):
    assume(pattern.kind is not MaskKind.CENTRE)
    lines = make(pattern, n_lines).lines
    count = round(pattern.acs * n_lines)
    start = n_lines // 2 - count // 2
    assert lines[start : start + count].all()
    assert count == 0 or lines[n_lines // 2]


@given(pattern=patterns(), n_lines=st.integers(1, 400))
def test_the_same_request_gives_the_same_lines(pattern, n_lines):
    assert np.array_equal(make(pattern, n_lines).lines, make(pattern, n_lines).lines)


@pytest.mark.parametrize("kind", [MaskKind.RANDOM, MaskKind.GAUSSIAN])
def test_other_seeds_give_other_lines_and_the_global_generator_has_no_say(kind):
    masks = {make(SamplingPattern(kind, 0.25, 0.08, seed), 256).lines.tobytes() for seed in range(20)}
    assert len(masks) == 20
    np.random.seed(1)  # noqa: NPY002
    assert make(SamplingPattern(kind, 0.25, 0.08, 0), 256).lines.tobytes() in masks


@pytest.mark.parametrize("draw", [variable_density, gaussian])
def test_lines_are_denser_towards_the_centre_and_reach_the_edge(draw):
    density = np.mean([draw(128, 0.3, 0.05, seed=seed) for seed in range(300)], axis=0)
    assert density[56:72].mean() > 2 * density[96:].mean()
    assert density[:8].mean() > 0
    np.testing.assert_allclose(density[1:64].mean(), density[65:].mean(), atol=0.02)


def test_power_zero_is_uniform():
    density = np.mean([variable_density(64, 0.25, 0.0, power=0, seed=seed) for seed in range(800)], axis=0)
    assert abs(density - 0.25).max() < 0.08


@given(n_lines=st.integers(2, 300), spacing=st.integers(1, 20), acs=st.floats(0, 0.5), offset=st.integers(-99, 99))
def test_equispaced_has_one_gap_outside_the_acs(n_lines, spacing, acs, offset):
    lines = equispaced(n_lines, spacing, acs, offset=offset)
    count = round(acs * n_lines)
    start = n_lines // 2 - count // 2
    outside = np.setdiff1d(np.flatnonzero(lines), np.arange(start, start + count))
    assert len(np.unique(outside % spacing)) <= 1
    comb = np.flatnonzero(equispaced(n_lines, spacing, 0.0, offset=offset))
    assert set(np.diff(comb)) <= {spacing}
    assert set(outside) <= set(comb) <= set(np.flatnonzero(lines))


@given(pattern=patterns(st.just(MaskKind.EQUISPACED)), n_lines=st.integers(2, 200))
def test_equispaced_takes_the_nearest_rate_there_is(pattern, n_lines):
    missed_by = abs(make(pattern, n_lines).lines.sum() - pattern.rate * n_lines)
    for spacing in range(1, n_lines + 1):
        other = equispaced(n_lines, spacing, pattern.acs, offset=pattern.offset)
        assert missed_by <= abs(other.sum() - pattern.rate * n_lines)


@given(n_lines=st.integers(1, 300), rate=st.floats(0.001, 1))
def test_centre_only_is_one_block_about_dc(n_lines, rate):
    where = np.flatnonzero(centre_only(n_lines, rate))
    assert np.array_equal(where, np.arange(where[0], where[-1] + 1))
    assert where[0] <= n_lines // 2 <= where[-1]
    assert abs((where[0] + where[-1]) / 2 - n_lines // 2) <= 0.5


def test_centre_only_needs_no_acs():
    """The ACS is part of the block, so an ACS above the rate is no contradiction there."""
    assert make(SamplingPattern(MaskKind.CENTRE, 0.05, 0.08), 100).lines.sum() == 5


def test_kinds_may_be_given_as_text():
    """A mask kind read from a JSON file is a plain string; it must not quietly become another kind."""
    for kind in MaskKind:
        from_text, drawn = (
            make_on_plane(SamplingPattern(name, 0.3, 0.08, seed=3), (64, 48), "y") for name in (str(kind), kind)
        )
        assert np.array_equal(from_text.lines, drawn.lines)


@pytest.mark.parametrize(
    ("pattern", "n_lines", "said"),
    [
        (SamplingPattern(rate=0.0), 64, "sampling rate is 0"),
        (SamplingPattern(rate=-0.25), 64, "sampling rate is -0.25"),
        (SamplingPattern(rate=4), 64, "sampling rate is 4"),
        (SamplingPattern(rate=float("nan")), 64, "sampling rate is nan"),
        (SamplingPattern(acs=-0.1), 64, "ACS fraction is -0.1"),
        (SamplingPattern(acs=float("nan")), 64, "ACS fraction is nan"),
        (SamplingPattern(acs=24), 64, "ACS fraction is 24"),
        (SamplingPattern(rate=0.05, acs=0.08), 64, "lower the ACS or raise the rate"),
        (SamplingPattern(), 0, "at least one phase-encode line"),
        (SamplingPattern("spiral"), 64, "no mask kind called 'spiral'; choose one of: random"),
        (SamplingPattern(MaskKind.RADIAL), 64, "radial mask is chosen over the whole plane"),
    ],
)
def test_impossible_requests_are_refused_in_one_sentence(pattern, n_lines, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        make(pattern, n_lines)
    message = str(caught.value)
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message)
