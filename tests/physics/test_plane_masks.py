import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from napari_mritransfer.physics.masks import NEEDS_3D, MaskKind, SamplingPattern, make, make_on_plane
from napari_mritransfer.physics.plane_masks import _poisson_disc

PLANES = [kind for kind in MaskKind if kind.is_plane]
planes = pytest.mark.parametrize("kind", PLANES)
SHAPE = (128, 96)


@st.composite
def patterns(draw):
    rate = draw(st.floats(0.01, 1.0))
    acs = draw(st.floats(0.0, 0.7 * rate))
    return SamplingPattern(draw(st.sampled_from(PLANES)), rate, acs, draw(st.integers(0, 2**32)))


def sampled(kind, rate=0.25, acs=0.08, seed=0, shape=SHAPE):
    return make_on_plane(SamplingPattern(kind, rate, acs, seed), shape, "y").lines


def distance(shape=SHAPE):
    """Of every sample from DC, in samples."""
    rows, columns = (np.arange(n) - n // 2 for n in shape)
    return np.hypot(rows[:, None], columns)


@given(pattern=patterns(), rows=st.integers(1, 60), columns=st.integers(1, 60))
def test_the_rate_is_met(pattern, rows, columns):
    """To the sample; radial to within half a spoke, which crosses no more samples than both axes have together."""
    mask = make_on_plane(pattern, (rows, columns), "x")
    assert mask.lines.shape == (rows, columns)
    assert mask.lines.dtype == bool
    wanted = max(1, round(pattern.rate * rows * columns))
    most = (rows + columns) / 2 if pattern.kind is MaskKind.RADIAL else 0
    block = round(pattern.acs * rows) * round(pattern.acs * columns)
    assert abs(int(mask.lines.sum()) - max(wanted, block)) <= most


@given(pattern=patterns(), rows=st.integers(1, 60), columns=st.integers(1, 60))
def test_the_central_block_is_whole_and_the_same_request_gives_the_same_samples(pattern, rows, columns):
    mask = make_on_plane(pattern, (rows, columns), "y")
    high, wide = round(pattern.acs * rows), round(pattern.acs * columns)
    top, left = rows // 2 - high // 2, columns // 2 - wide // 2
    assert mask.lines[top : top + high, left : left + wide].all()
    _poisson_disc.cache_clear()
    assert np.array_equal(mask.lines, make_on_plane(pattern, (rows, columns), "y").lines)


@planes
def test_other_seeds_give_other_samples_and_the_global_generator_has_no_say(kind):
    masks = set()
    for seed in range(5):
        np.random.seed(seed)  # noqa: NPY002
        masks.add(sampled(kind, seed=seed).tobytes())
        _poisson_disc.cache_clear()
        np.random.seed(seed + 100)  # noqa: NPY002
        assert sampled(kind, seed=seed).tobytes() in masks
    assert len(masks) == 5


@planes
def test_the_centre_is_sampled_more_densely(kind):
    where = sampled(kind, acs=0.0)
    radius = distance()
    rings = [where[(radius >= start) & (radius < start + 16)].mean() for start in (0, 16, 32)]
    assert rings == sorted(rings, reverse=True)
    assert rings[0] > 1.5 * rings[2]


def test_samples_of_a_poisson_disc_mask_keep_apart_the_further_out_the_more():
    """Nearest neighbours; where samples are drawn independently, some always touch."""
    nearest = {}
    for kind in (MaskKind.POISSON_DISC, MaskKind.RANDOM_PLANE):
        places = np.argwhere(sampled(kind, rate=0.08, acs=0.0))
        gap = cKDTree(places).query(places, k=2)[0][:, 1]
        radius = np.hypot(*(places - np.array(SHAPE) // 2).T)
        nearest[kind] = gap[radius > 40].min(), np.median(gap[radius < 15]), np.median(gap[radius > 40])
    closest, inside, outside = nearest[MaskKind.POISSON_DISC]
    assert closest >= 2
    assert outside > inside
    assert nearest[MaskKind.RANDOM_PLANE][0] == 1


def test_a_radial_mask_is_made_of_whole_diameters():
    """As many samples on every circle, twice the number of spokes; and each with its counterpart across DC."""
    where = sampled(MaskKind.RADIAL, rate=0.12, acs=0.0)
    radius = distance()
    counts = [where[(radius >= r) & (radius < r + 4)].sum() / 4 for r in (20, 28, 36, 44)]
    assert max(counts) < 1.2 * min(counts)
    inside = where[1:, 1:]  # odd about DC
    assert (inside & inside[::-1, ::-1]).sum() > 0.95 * inside.sum()


@planes
@pytest.mark.parametrize("rate", [0.9, 1.0])
def test_nearly_all_and_all_samples(kind, rate):
    assert sampled(kind, rate=rate).mean() == pytest.approx(rate, abs=0.01)


@planes
def test_a_mask_of_the_plane_says_what_it_needs(kind):
    mask = make_on_plane(SamplingPattern(kind), SHAPE, "y")
    assert mask.is_plane
    assert mask.unit == "samples"
    assert mask.note == NEEDS_3D
    assert "3-D acquisition" in NEEDS_3D


@pytest.mark.parametrize("axis", ["y", "x"])
def test_lines_run_along_the_phase_encode_axis(axis):
    pattern = SamplingPattern(seed=3)
    mask = make_on_plane(pattern, SHAPE, axis)
    assert np.array_equal(mask.lines, make(pattern, SHAPE[0 if axis == "y" else 1]).lines)
    assert not mask.is_plane
    assert mask.note == ""


@planes
def test_a_block_larger_than_what_is_sampled_is_refused(kind):
    with pytest.raises(ValueError, match=r"The ACS alone \(25\.0% of the plane\) exceeds .* lower the ACS"):
        make_on_plane(SamplingPattern(kind, 0.1, 0.5), (64, 64), "y")
