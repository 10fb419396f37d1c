"""What must hold whatever the image: invariances of what the checks measure."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import acquired, image_scan, padded

from napari_mritransfer.honesty import Verdict, examine
from napari_mritransfer.honesty.extent import outer_level_db
from napari_mritransfer.honesty.grey import grey_levels, zero_share
from napari_mritransfer.honesty.jpeg import blockiness
from napari_mritransfer.honesty.partial import mirror_coherence, one_sided_share
from napari_mritransfer.honesty.symmetry import hermitian_residual, without_smooth_phase
from napari_mritransfer.physics.centred import transform

shapes = st.tuples(st.integers(1, 2), st.integers(20, 45), st.integers(20, 45))
scales = st.floats(1e-6, 1e6)
angles = st.floats(0, 6.3)
seeds = st.integers(0, 99)


def random_planes(seed, shape):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@given(seed=seeds, shape=shapes, scale=scales, angle=angles)
def test_the_hermitian_residual_ignores_one_phase_and_one_scale(seed, shape, scale, angle):
    planes = random_planes(seed, shape)
    residual = hermitian_residual(planes)
    np.testing.assert_allclose(hermitian_residual(planes * scale * np.exp(1j * angle)), residual, rtol=1e-5)
    assert ((residual >= 0) & (residual <= np.sqrt(0.5))).all()
    np.testing.assert_allclose(hermitian_residual(np.abs(planes) * np.exp(1j * angle)), 0, atol=1e-3)


@given(seed=seeds, shape=shapes)
def test_the_hermitian_residual_is_the_asymmetry_of_k_space(seed, shape):
    """Of odd sizes, where every sample has its mirror image: the smallest ||K - e^(2ia) conj K(-k)|| / (2 ||K||)."""
    planes = random_planes(seed, (shape[0], shape[1] | 1, shape[2] | 1))
    kspace = transform(planes).astype(np.complex128)
    mirrored = np.conj(kspace[..., ::-1, ::-1])
    turns = np.exp(1j * np.linspace(0, 2 * np.pi, 721))[:, None, None, None]
    asymmetry = np.linalg.norm((kspace - turns * mirrored).reshape(721, shape[0], -1), axis=-1).min(0)
    norm = np.linalg.norm(kspace.reshape(shape[0], -1), axis=-1)
    np.testing.assert_allclose(hermitian_residual(planes), asymmetry / (2 * norm), rtol=1e-3)


@given(seed=seeds, shape=shapes, scale=scales, angle=angles)
def test_removing_the_smooth_phase_keeps_magnitudes_and_ignores_one_phase(seed, shape, scale, angle):
    planes = random_planes(seed, shape)
    flat = without_smooth_phase(planes)
    np.testing.assert_allclose(np.abs(flat), np.abs(planes), rtol=1e-4)
    turned = without_smooth_phase(planes * np.complex64(scale * np.exp(1j * angle)))
    np.testing.assert_allclose(turned / scale, flat, rtol=1e-2, atol=1e-3)


@given(seed=seeds, shape=shapes, scale=scales)
def test_levels_and_shares_ignore_the_unit(seed, shape, scale):
    planes = np.random.default_rng(seed).integers(0, 200, shape).astype(np.float64)
    assert grey_levels(planes * scale) == grey_levels(planes) <= 200
    assert zero_share(planes * scale) == zero_share(planes) == np.mean(planes == 0)


@settings(max_examples=20)
@given(seed=seeds, scale=scales)
def test_blockiness_ignores_the_unit_and_stays_within_zero_and_one(seed, scale):
    planes = np.random.default_rng(seed).uniform(1, 2, (2, 64, 72))
    ratio = blockiness(planes)
    assert 0.8 < ratio <= 1
    np.testing.assert_allclose(blockiness(planes * scale), ratio, rtol=1e-6)


@given(seed=seeds, length=st.integers(34, 300), scale=scales)
def test_line_statistics_ignore_the_unit_and_the_direction(seed, length, scale):
    power = np.random.default_rng(seed).uniform(0.5, 2, length | 1)
    for other in (power * scale, power[::-1]):
        assert np.isclose(outer_level_db(other), outer_level_db(power))
    assert one_sided_share(power * scale) == one_sided_share(power) == one_sided_share(power[::-1]) == 0


@given(seed=seeds, length=st.integers(64, 300), factor=st.floats(1.2, 4))
def test_lines_that_were_zero_filled_are_silent_however_many_there_are(seed, length, factor):
    power = np.random.default_rng(seed).uniform(0.5, 2, length)
    wider = np.zeros(round(length * factor))
    start = len(wider) // 2 - length // 2
    wider[start : start + length] = power
    assert outer_level_db(wider) == -200


@settings(max_examples=20)
@given(seed=seeds, rows=st.integers(0, 20), columns=st.integers(24, 80))
def test_the_support_that_is_found_is_the_matrix_before_it_was_padded(seed, rows, columns):
    shape = (1, 96, 100)
    larger = padded(acquired(seed, shape), 96 + rows, 100 + columns)
    found = {finding.check: finding for finding in examine(image_scan(larger))}["zero-filled or interpolated (x)"]
    assert found.verdict is Verdict.CONCERN
    assert abs(found.details["lines that hold signal"] - 100) <= 3


@given(seed=seeds, shape=shapes, angle=angles)
def test_mirrored_lines_cohere_fully_and_independent_ones_hardly(seed, shape, angle):
    kspace = random_planes(seed, (shape[0], shape[1] | 1, 2 * shape[2] + 1))
    hermitian = (kspace + np.conj(kspace[..., ::-1, ::-1])) * np.exp(1j * angle)
    assert np.isclose(mirror_coherence(hermitian), 1)
    assert mirror_coherence(kspace) < 0.7
