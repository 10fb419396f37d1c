"""The deformations one by one: of known size, smooth, and never folding space."""

from itertools import product

import numpy as np
import pytest

from napari_mritransfer.cohort.simulation.focal import FOCAL_KINDS, LARGEST_FOCAL_SHARE, FocalWarp
from napari_mritransfer.cohort.simulation.pose import Pose, rotation
from napari_mritransfer.cohort.simulation.smooth import KNOT_COUNT, SmoothWarp
from napari_mritransfer.cohort.simulation.widening import LineWidening, velocity, widen

VENTRICLE = np.array(
    [(12, 23, 8), (7, 12, 13), (8, 2, 18), (11, -10, 22), (15, -22, 22), (20, -35, 17), (25, -43, 10)], dtype=float
)
BOTH = (VENTRICLE, VENTRICLE * (-1, 1, 1))


def box(low, high, step) -> np.ndarray:
    axes = [np.arange(a, b + step / 2, step, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def jacobians(positions: np.ndarray, step: float) -> np.ndarray:
    gradients = np.stack([np.stack(np.gradient(one, step), axis=-1) for one in positions.astype(float)], axis=-2)
    return np.linalg.det(gradients)


@pytest.mark.parametrize("kind", FOCAL_KINDS)
@pytest.mark.parametrize("share", [0.05, 0.2, LARGEST_FOCAL_SHARE])
def test_a_focal_warp_peaks_where_it_says_and_ends_with_its_ball(kind, share):
    warp = FocalWarp((3, -2, 1), 18, 18 * share, kind, (0.6, 0, 0.8))
    before = box((-20, -25, -22), (26, 21, 24), 1)
    after = before.reshape(3, -1).copy()
    inside = warp.displace(after).reshape(before.shape[1:])
    length = np.linalg.norm(after.reshape(before.shape) - before, axis=0)
    distance = np.linalg.norm(before - np.array([3, -2, 1])[:, None, None, None], axis=0)
    assert length.max() == pytest.approx(18 * share, rel=0.01)
    assert not length[distance >= 18].any()
    assert np.array_equal(inside, distance < 18)
    assert jacobians(after.reshape(before.shape), 1).min() > 0


def test_kinds_do_what_they_are_called():
    """Positions are where the signal comes from: drawn together, the centre shows what lay farther out."""
    point = np.array([[5], [0], [0]], np.float32)
    moved = {kind: point.copy() for kind in FOCAL_KINDS}
    for kind, position in moved.items():
        FocalWarp((0, 0, 0), 18, 3, kind).displace(position)
    assert moved["shrinkage"][0, 0] > 5.5
    assert moved["expansion"][0, 0] < 4.5
    assert np.linalg.norm(moved["twist"]) == pytest.approx(5, rel=1e-5)


def test_a_focal_warp_that_would_fold_is_refused():
    with pytest.raises(ValueError, match="fold"):
        FocalWarp((0, 0, 0), 10, 4, "shrinkage")


@pytest.mark.parametrize("widening", [-6, -2, 3, 9])
def test_ventricles_widen_without_folding_and_narrow_again(widening):
    lines = tuple(LineWidening(line, widening, 22) for line in BOTH)
    back = tuple(LineWidening(line, -widening, 22) for line in BOTH)
    before = box((-50, -68, -16), (50, 48, 46), 2)
    after = before.reshape(3, -1).copy()
    moved = widen(after, lines).reshape(before.shape[1:])
    assert jacobians(after.reshape(before.shape), 2).min() > 0
    away = np.linalg.norm(after.reshape(before.shape) - before, axis=0)
    assert not away[~moved].any()
    # most lose a little to the other side, whose ventricle pushes the septum the other way
    assert 0.6 * abs(widening) < away.max() < 1.15 * abs(widening)
    widen(after, back)
    assert np.abs(after.reshape(before.shape) - before).max() < 0.05 * abs(widening)


def test_a_straight_ventricle_is_pushed_by_what_it_says_and_outwards():
    line = LineWidening(np.array([(0, -80, 0), (0, 80, 0)], float), 4, 22)
    across = np.zeros((3, 61), np.float32)
    across[0] = np.linspace(-30, 30, 61)
    speed = velocity(across, (line,))
    assert np.abs(speed).max() == pytest.approx(4, rel=0.01)
    assert (np.sign(speed[0]) == np.sign(across[0]))[np.abs(across[0]) < 22].all()
    assert not speed[:, np.abs(across[0]) >= 22].any()


@pytest.mark.parametrize("seed", range(3))
def test_the_smooth_warp_has_its_size_at_any_spacing_and_does_not_fold(seed):
    knots = np.random.default_rng(seed).standard_normal((3, *[KNOT_COUNT] * 3)).astype(np.float32)
    warp = SmoothWarp(knots, 28, 1.2)
    coarse, fine = (
        warp.on_grid(tuple(np.arange(0, length, step, dtype=float) for length in (182, 218, 182))) for step in (6, 3)
    )
    assert np.allclose(fine[:, ::2, ::2, ::2], coarse, atol=1e-5)
    assert np.sqrt((coarse**2).sum(axis=0).mean()) == pytest.approx(1.2, rel=0.2)
    positions = box((0, 0, 0), (180, 216, 180), 3)
    assert positions.shape == fine.shape
    assert jacobians(positions + fine, 3).min() > 0.2


def test_a_pose_and_its_inverse_agree():
    pose = Pose(rotation((4, -2, 1)) * 1.03, np.array([1.0, 2, -3]), np.array([0.0, -18, 18]))
    for place in product((-40.0, 30.0), (0.0, 50.0), (-20.0, 60.0)):
        there = pose(np.array(place, np.float32)[:, None])[:, 0]
        assert np.allclose(pose.inverse(there.astype(float)), place, atol=1e-4)
