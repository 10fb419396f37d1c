import dataclasses
import itertools
import re

import brains
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_mritransfer.cohort.brain import check_brain
from napari_mritransfer.cohort.brain_measures import measure
from napari_mritransfer.cohort.brain_template import MNI_CENTRE_MM, MNI_ML, MNI_SPREAD_MM, template, template_at
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, prepare

FEW = settings(max_examples=5)


@pytest.fixture(scope="module")
def brain():
    return brains.brain("patient04")


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0, 3.0])
def test_the_template_has_the_place_and_size_of_mni152(spacing_mm):
    grid = Grid(spacing_mm)
    inside = template_at(grid) > 0.5
    world = np.argwhere(inside) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    assert world.mean(axis=0) == pytest.approx(MNI_CENTRE_MM, abs=1.0)
    assert world.std(axis=0) == pytest.approx(MNI_SPREAD_MM, rel=0.03)
    assert inside.sum() * spacing_mm**3 / 1000 == pytest.approx(MNI_ML, rel=0.06)
    assert np.abs(template() - template()[::-1]).max() < 0.01  # both sides alike


@pytest.mark.parametrize("name", brains.NAMES)
def test_brains_pass_and_whole_heads_do_not(name):
    assert check_brain(brains.prepared(brains.brain(name))).kind == "fine"
    head = check_brain(brains.prepared(brains.head(name)))
    assert head.kind == "skull not removed"
    assert re.match(r"\d{4} ml of it are solid, but the brain of MNI152 has 1887 ml: extract the brain", head.sentence)


@pytest.mark.parametrize("spacing_mm", [1.0, 2.0])
def test_finer_grids_say_the_same(spacing_mm, brain):
    on_grid = brains.prepared(brain, spacing_mm=spacing_mm)
    assert check_brain(on_grid).kind == "fine"
    head = brains.prepared(brains.head("patient04"), spacing_mm=spacing_mm)
    assert check_brain(head).kind == "skull not removed"
    coarse, fine = measure(brains.prepared(brain)), measure(on_grid)
    assert fine.offset_mm == pytest.approx(coarse.offset_mm, abs=0.5)
    assert fine.nod_deg == pytest.approx(coarse.nod_deg, abs=1)
    assert fine.volume_ml == pytest.approx(coarse.volume_ml, rel=0.08)


def test_a_brain_that_was_not_scaled_passes_with_a_word(brain):
    unscaled = check_brain(brains.prepared(brain))
    assert re.search(r"at 8\d% of the template's size: it seems to be registered without scaling", unscaled.sentence)
    assert unscaled.is_small
    scaled = check_brain(brains.prepared(brain, brains.scaled_to_template()))
    assert scaled.sentence == "A brain lies where MNI152 space has it."
    assert not scaled.is_small
    assert scaled.measures.mean_size == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "contrast", [lambda v: 255 - v, np.sqrt, lambda v: v * np.linspace(1, 3, v.shape[0])[:, None, None]]
)
def test_any_contrast_will_do(contrast, brain):
    inside = brain > 0
    other = np.where(inside, contrast(brain) + 40, 0).astype(np.float32)
    assert check_brain(brains.prepared(other)).kind == "fine"


@pytest.mark.parametrize(
    ("side", "words"),
    [
        ({"top": -14}, r"lies 1[0-4] mm too low"), ({"top": 14}, r"lies 1[4-8] mm too high"),
        ({"front": -14}, r"lies 1[0-4] mm too far back"), ({"front": 14}, r"lies 1[4-8] mm too far forward"),
        ({"right": 14}, r"lies 1[3-6] mm too far right"), ({"right": -14}, r"lies 1[2-5] mm too far left"),
    ],
)  # fmt: skip
def test_a_brain_elsewhere_is_not_registered(side, words, brain):
    finding = check_brain(brains.prepared(brain, brains.moved(**side)))
    assert finding.kind == "not registered"
    assert re.search(words + "; register it to MNI152 linearly", finding.sentence)


@FEW
@given(
    name=st.sampled_from(brains.NAMES), axis=st.sampled_from(("right", "front", "top")), sign=st.sampled_from((-1, 1))
)  # fmt: skip
def test_twelve_millimetres_are_noticed_and_three_are_not(name, axis, sign):
    """Whoever it is, and whichever way."""
    volume = brains.brain(name)
    assert check_brain(brains.prepared(volume, brains.moved(**{axis: 12 * sign}))).kind == "not registered"
    assert check_brain(brains.prepared(volume, brains.moved(**{axis: 3 * sign}))).kind == "fine"


@pytest.mark.parametrize(
    ("linear", "words"),
    [
        (np.eye(3) * 0.8, r"has 6\d% of the size that MNI152's has"),
        (np.diag([1, 0.75, 1]), r"From back to front the brain has 6\d% of the size"),
    ],
)  # fmt: skip
def test_a_brain_of_another_size_is_not_registered(linear, words, brain):
    finding = check_brain(brains.prepared(brain, brains.about_centre(linear)))
    assert finding.kind == "not registered"
    assert re.search(words, finding.sentence)


def test_a_brain_too_large_for_one_is_not_taken_for_a_head(brain):
    finding = check_brain(brains.prepared(brain, brains.about_centre(np.eye(3) * 1.33)))
    assert finding.measures.volume_ml > 2150
    assert finding.kind == "not registered"
    assert re.search(r"1\d\d% of the size that MNI152's has", finding.sentence)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (brains.nodded(24), r"front points (1[7-9]|2\d)° too high"), (brains.nodded(-20), r"front points 2\d° too low"),
        (brains.turned(22), r"is turned by (1[7-9]|2\d)° to the right"),
        (brains.turned(-22), r"is turned by (1[7-9]|2\d)° to the left"),
    ],
)  # fmt: skip
def test_a_brain_askew_is_not_registered(matrix, words, brain):
    finding = check_brain(brains.prepared(brain, brains.about_centre(matrix)))
    assert finding.kind == "not registered"
    assert re.search(words, finding.sentence)


def test_the_angles_are_those_that_it_was_turned_by(brain):
    level = measure(brains.prepared(brain))
    for degrees in (-12, 9):
        nod = measure(brains.prepared(brain, brains.about_centre(brains.nodded(degrees))))
        assert nod.nod_deg - level.nod_deg == pytest.approx(degrees, abs=1)
        turn = measure(brains.prepared(brain, brains.about_centre(brains.turned(degrees))))
        assert turn.turn_deg - level.turn_deg == pytest.approx(degrees, abs=1)


@pytest.mark.parametrize(
    ("order", "signs"),
    [one for one in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3))
     if one[0] != (0, 1, 2) or one[1][1:] != (1, 1)][::3],
)  # fmt: skip
def test_a_header_that_lies_about_the_axes_is_found_out(order, signs, brain):
    """Its voxels stored in another order or direction than the affine says; every third of all ways."""
    wrong = brain.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = MNI_CENTRE_MM - affine[:3, :3] @ ndimage.center_of_mass(wrong)
    finding = check_brain(brains.prepared(np.ascontiguousarray(wrong), affine))
    assert finding.kind == "wrong orientation", finding.sentence
    if order == (0, 1, 2):
        words = {(1, -1): "upside down", (-1, 1): "back to front", (-1, -1): "upside down and back to front"}
        assert f"It seems to lie {words[signs[1:]]};" in finding.sentence
    else:
        axes = ("left to right", "back to front", "bottom to top")
        assert re.search(r"with its axes exchanged \(what should .* runs from .*\); correct", finding.sentence)
        first = next(axis for axis in range(3) if order[axis] != axis)
        # where the template's axis is found in what the file shows
        assert f"should run from {axes[first]} runs from {axes[order.index(first)]}" in finding.sentence


def test_left_and_right_exchanged_cannot_be_told(brain):
    """As the description says: a brain's outline is the same on both sides."""
    assert check_brain(brains.prepared(np.ascontiguousarray(brain[::-1]))).kind == "fine"


def test_part_of_a_brain_is_not_taken_for_one(brain):
    world = brains.GRID.affine[2, 3] + 2.0 * np.arange(brain.shape[2])
    for kept in (world < 35, world > -22):
        finding = check_brain(brains.prepared(np.ascontiguousarray(brain * kept)))
        assert finding.kind in ("no brain", "not registered")
    half = check_brain(brains.prepared(np.ascontiguousarray(brain * (np.arange(brain.shape[0]) < 45)[:, None, None])))
    assert half.kind in ("no brain", "not registered")


def test_something_else_is_no_brain():
    index = np.stack(np.meshgrid(*(np.arange(size) for size in brains.GRID.shape), indexing="ij"))
    cube = (abs(index - np.array([45, 52, 41])[:, None, None, None]) < 25).all(axis=0)
    assert check_brain(brains.prepared(100 * cube.astype(np.float32))).kind == "no brain"
    speck = np.zeros(brains.GRID.shape, dtype=np.float32)
    speck[40:50, 48:60, 36:50] = 7
    finding = check_brain(brains.prepared(speck))
    assert finding.kind == "no brain"
    assert re.match(r"Only 1\d ml of it are solid, which is no whole brain; choose another image.", finding.sentence)


def test_a_scan_without_anything_solid_needs_no_measures(brain):
    one = brains.prepared(brain)
    empty = dataclasses.replace(one, raw=np.zeros_like(one.raw), tissue=np.zeros_like(one.tissue))
    finding = check_brain(empty)
    assert (finding.kind, finding.measures) == ("no brain", None)


def test_scalp_about_a_small_head_is_told_by_where_it_lies():
    """A head of less than 2.15 l: the bright shell beyond the brain gives it away."""
    small = brains.prepared(brains.head("patient01"), brains.about_centre(np.eye(3) * 0.92), spacing_mm=2.0)
    finding = check_brain(small)
    assert finding.measures.volume_ml < 2150
    assert finding.kind == "skull not removed"
    assert re.match(r"\d+% of what is bright lies beyond the brain, as scalp does: extract", finding.sentence)


def test_mean_normalisation_divides_by_the_whole_grid_before_any_cropping(brain):
    one = prepare(brains.scan_of(brain), Preparation(2.0, "mean"))
    assert one.array.mean(dtype=np.float64) == pytest.approx(1, rel=1e-4)
    assert np.allclose(one.array, one.raw / one.raw.mean(dtype=np.float64), rtol=1e-5)
    assert f"divided by the mean of all voxels of the whole grid ({one.raw.mean(dtype=np.float64):.4g})" in one.said[-1]
    brighter = prepare(brains.scan_of(7 * brain), Preparation(2.0, "mean"))
    assert np.allclose(brighter.array, one.array, rtol=1e-4)
