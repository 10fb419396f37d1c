"""One simulated subject: what age and disease change, what they do not, and that nothing else tells them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_mritransfer.cohort.grid import SLICINGS, Grid
from napari_mritransfer.cohort.simulation import Effects, Truth, head_names, load_head, simulate_subject, subject
from napari_mritransfer.cohort.simulation.deformation import deform
from napari_mritransfer.cohort.simulation.draws import draw_anatomy
from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.scanner import SITES, bias_field, draw_scanner, scan
from napari_mritransfer.cohort.simulation.settings import USUAL
from napari_mritransfer.io.errors import BadInput

GRID = Geometry.of(Grid(3.0))


def simulated(name="patient01", *, age=60.0, diseased=False, number=0, **others):
    asked = {"seed": 4, "site": "A", "spacing_mm": 3.0} | others
    return simulate_subject(name, age=age, diseased=diseased, number=number, **asked)


def anatomy(name, *, age=60.0, diseased=False, number=0, effects=USUAL):
    return draw_anatomy(load_head(name), age=age, diseased=diseased, seed=4, number=number, effects=effects)


@pytest.mark.parametrize("name", head_names())
@pytest.mark.parametrize("age", [45, 85])
def test_no_subject_is_folded(name, age):
    """A negative Jacobian determinant would show a place twice, mirrored."""
    for number in range(2):
        positions = deform(anatomy(name, age=age, diseased=bool(number), number=number), GRID).positions
        step = np.diag(GRID.affine)[:3]
        gradients = np.stack([np.stack(np.gradient(one, *step), axis=-1) for one in positions], axis=-2)
        assert np.linalg.det(gradients).min() > 0


def test_everybody_is_interpolated_once(monkeypatch):
    calls, original = [], ndimage.map_coordinates

    def counted(*arguments, **options):
        calls.append(options["order"])
        return original(*arguments, **options)

    assert load_head("patient01").spline is not None  # computed once for a head, not for a subject
    monkeypatch.setattr(subject.ndimage, "map_coordinates", counted)
    for other in ("zoom", "affine_transform", "geometric_transform", "shift", "rotate", "spline_filter"):
        monkeypatch.setattr(ndimage, other, None)
    simulated(diseased=False)
    assert calls == [3]
    simulated(diseased=True)
    assert calls == [3, 3]


def test_the_same_seed_gives_the_same_bits_and_another_number_another_person():
    first, truth = simulated(diseased=True, number=3)
    again, same = simulated(diseased=True, number=3)
    other, _ = simulated(diseased=True, number=4)
    assert np.array_equal(first, again)
    assert truth == same == Truth.from_json(truth.as_json())
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("number", range(3))
def test_healthy_and_diseased_have_focal_warps_of_one_number_and_size(number):
    one_of_each = [anatomy("patient04", diseased=diseased, number=number) for diseased in (False, True)]
    healthy, diseased = one_of_each
    assert len(healthy.focal) == len(diseased.focal)
    assert {(warp.peak_mm, warp.radius_mm) for who in one_of_each for warp in who.focal} == {(4.0, 18.0)}
    fine = Geometry.of(Grid(2.0))
    peaks = [float(deform(who, fine).focal_mm.max()) for who in one_of_each]
    assert peaks == pytest.approx([4.0, 4.0], rel=0.02)
    # all else is the same person
    assert replace(healthy, focal=(), smooth=None, pose=None, ventricles=None) == replace(
        diseased, focal=(), smooth=None, pose=None, ventricles=None
    )
    assert np.array_equal(healthy.pose.matrix, diseased.pose.matrix)
    assert np.array_equal(healthy.smooth.knots, diseased.smooth.knots)


def test_focal_warps_of_the_healthy_stay_out_of_reach_of_the_disease():
    foci = load_head("patient01").foci
    for number in range(60):
        for warp in anatomy("patient01", number=number).focal:
            assert min(np.linalg.norm(focus - warp.centre_mm) for focus in foci) >= 2 * warp.radius_mm


@pytest.mark.parametrize("number", range(2))
def test_the_slices_said_to_be_changed_are_those_that_differ(number):
    """Before the scanner, healthy and diseased of one seed differ in the balls of both, and in no voxel elsewhere."""
    healthy, of_healthy = simulated(number=number, with_scanner=False)
    diseased, of_diseased = simulated(number=number, with_scanner=False, diseased=True)
    balls = [deform(anatomy("patient01", diseased=ill, number=number), GRID).focal_mm > 0 for ill in (False, True)]
    differs = healthy != diseased
    assert not differs[~(balls[0] | balls[1])].any()
    assert of_healthy.changed["disease"] == dict.fromkeys(SLICINGS, ())
    assert of_healthy.carries["disease"] == of_diseased.carries["disease"] == of_diseased.changed["disease"]
    for axis, slicing in enumerate(SLICINGS):
        others = tuple(other for other in range(3) if other != axis)
        differing = set(np.flatnonzero((differs & balls[1]).any(axis=others)).tolist())
        changed = set(of_diseased.changed["disease"][slicing])
        displaced = set(np.flatnonzero(of_diseased.mean_displacement_mm["disease"][slicing]).tolist())
        assert changed <= differing <= displaced | {min(displaced) - 1, max(displaced) + 1}
        assert 0 < len(changed) < GRID.shape[axis] / 2


def test_the_hippocampi_shrink_in_the_diseased_alone():
    for diseased in (False, True):
        deformation = deform(anatomy("patient01", diseased=diseased), GRID)
        would = deformation.disease_reach_mm > 0
        assert deformation.disease_reach_mm.max() > 3.5
        assert deformation.focal_mm[would].any() == diseased


@pytest.mark.parametrize("name", head_names())
def test_dark_voxels_between_the_ventricles_walls_grow_with_age(name):
    def dark(age: float) -> int:
        image, _ = simulated(name, age=age, with_scanner=False)
        ventricles = image[17:44, 24:50, 24:36]
        return int(np.count_nonzero(ventricles < 0.6))

    counts = [dark(age) for age in (45, 58, 72, 85)]
    assert counts == sorted(counts)
    assert counts[-1] > 1.3 * counts[0]


def test_age_changes_nothing_near_the_hippocampi_and_disease_nothing_near_the_ventricles():
    """The two truths would be hard to tell apart otherwise."""
    deformation = deform(anatomy("patient01", age=85, diseased=True), GRID)
    both = (deformation.age_mm > 0.5) & (deformation.disease_reach_mm > 0.5)
    assert both.sum() < 0.03 * (deformation.disease_reach_mm > 0.5).sum()


def test_sharpness_does_not_tell_the_disease():
    """Energy above a Gaussian of one voxel: the mean difference of pairs against the spread of people."""
    energies = np.empty((6, 2))
    for number in range(len(energies)):
        for ill in (False, True):
            image, _ = simulated("patient04", number=number, diseased=ill, with_scanner=False)
            fine = image - ndimage.gaussian_filter(image, 1)
            energies[number, int(ill)] = np.log(np.mean(fine[image > 0] ** 2))
    difference = (energies[:, 1] - energies[:, 0]).mean()
    assert abs(difference) < 0.1 * energies[:, 0].std()


def test_labels_without_effect_change_nothing():
    nothing = Effects(age_effect=False, disease_effect=False)
    young, _ = simulated(age=45, effects=nothing)
    old, truth = simulated(age=85, diseased=True, effects=nothing)
    assert np.array_equal(young, old)
    assert truth.changed["disease"]["axial"] == ()
    assert (truth.diseased, truth.age) == (True, 85)


def test_scanners_differ_by_site_and_know_no_label():
    healthy, diseased = simulated()[1], simulated(age=80.0, diseased=True)[1]
    assert healthy.scanner == diseased.scanner
    flat = np.ones(GRID.shape, np.float32)
    for site, usual in SITES.items():
        scanner = draw_scanner(site, np.random.default_rng(0))
        seen = scan(flat, scanner, GRID.spacing_mm, np.random.default_rng(1)) / scanner.values.white_matter
        assert np.log(bias_field(GRID.shape, scanner)).std() == pytest.approx(scanner.values.shading, rel=0.1)
        noise = (seen / bias_field(GRID.shape, scanner)).std()
        assert noise == pytest.approx(usual.noise, rel=0.4)
    air = scan(np.zeros_like(flat), scanner, GRID.spacing_mm, np.random.default_rng(2)) / scanner.values.white_matter
    assert air.mean() == pytest.approx(scanner.values.noise * np.sqrt(np.pi / 2), rel=0.01)  # Rayleigh


def test_the_tissue_curve_is_monotone():
    ramp = np.linspace(0, 1.8, 91, dtype=np.float32)[:, None, None] * np.ones((1, 3, 3), np.float32)
    for site in SITES:
        scanner = draw_scanner(site, np.random.default_rng(3))
        still = replace(scanner, values=replace(scanner.values, noise=0.0, blur_mm=(0.0, 0.0, 0.0), shading=0.0))
        assert (np.diff(scan(ramp, still, (2, 2, 2), np.random.default_rng(0))[:, 1, 1]) > 0).all()


@pytest.mark.parametrize("spacing", [2.0, 3.0])
def test_images_lie_on_the_common_grid(spacing):
    image, truth = simulated(spacing_mm=spacing)
    assert image.shape == truth.shape == Grid(spacing).shape
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"name": "patient99"}, "no head 'patient99'; choose one of patient01"),
        ({"site": "D"}, "no simulated site 'D'"),
        ({"age": float("nan")}, "ages from 30 to 100"),
        ({"age": 12}, "ages from 30 to 100"),
        ({"spacing_mm": 0}, "grid of 0 mm"),
    ],
)
def test_bad_input_is_told_in_a_sentence(asked, says):
    with pytest.raises(BadInput, match=says):
        simulated(**asked)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"focal_peak_mm": 6}, "would fold"),
        ({"focal_radius_mm": 30}, "do not overlap"),
        ({"smooth_mm": 5}, "may fold"),
        ({"widening_mm": (-2, 20)}, "from -6 to 8 mm"),
        ({"scatter_years": -1}, "negative"),
    ],
)
def test_effects_that_cannot_work_are_refused(asked, says):
    with pytest.raises(BadInput, match=says):
        Effects(**asked)
