"""Coils combined for the eye: phase and brightness are the object's, whatever the coils do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.coil_view import combine_by_low_frequencies, decibels


def smooth_object(rows: int, columns: int) -> np.ndarray:
    """A complex Gaussian with a phase that runs across it."""
    y, x = np.mgrid[:rows, :columns]
    width = 2 * (min(rows, columns) / 6) ** 2
    bump = np.exp(-((y - rows // 2) ** 2 + (x - columns // 2) ** 2) / width)
    return (bump * np.exp(1j * 2 * (x - columns // 2) / columns)).astype(np.complex64)


def coils_of(image: np.ndarray, n_coils: int) -> np.ndarray:
    """Smooth sensitivities, each with a phase of its own."""
    y, x = (np.linspace(-1, 1, n) for n in image.shape)
    angles = 2 * np.pi * np.arange(n_coils) / n_coils
    maps = [np.exp(-((y[:, None] - np.sin(a)) ** 2 + (x - np.cos(a)) ** 2) / 4 + 1j * a) for a in angles]
    return np.stack(maps) * image


@given(rows=st.integers(24, 41), columns=st.integers(24, 41), n_coils=st.integers(1, 6), scale=st.floats(1e-3, 1e3))
def test_it_is_as_bright_as_the_root_sum_of_squares_and_scales_with_it(rows, columns, n_coils, scale):
    coils = coils_of(smooth_object(rows, columns), n_coils)
    brightness = np.sqrt((np.abs(coils) ** 2).sum(0))
    combined = combine_by_low_frequencies(scale * coils)
    assert combined.dtype == np.complex64
    np.testing.assert_allclose(np.abs(combined) / scale, brightness, atol=0.02 * brightness.max())


@given(turns=st.lists(st.floats(-3, 3), min_size=4, max_size=4))
def test_phases_of_single_coils_do_not_cancel_and_the_objects_own_phase_stays(turns):
    """Each coil may have any constant phase: seen from one point of the object, the phase of the rest is the same."""
    image = smooth_object(32, 32)
    coils = coils_of(image, 4) * np.exp(1j * np.array(turns))[:, None, None]
    combined = combine_by_low_frequencies(coils)
    relative = combined * np.conj(combined[16, 16]) * np.conj(image) * image[16, 16]
    inside = np.abs(image) > 0.3
    assert np.abs(np.angle(relative[inside])).max() < 0.3


def test_what_single_coil_images_show_is_kept_as_it_is():
    image = smooth_object(30, 33)
    combined = combine_by_low_frequencies(image[None])
    np.testing.assert_allclose(combined, image, atol=0.02)


def test_leading_axes_are_looked_at_one_by_one():
    coils = np.stack([coils_of(smooth_object(24, 25), 3), 5 * coils_of(smooth_object(24, 25).T[::-1].T, 3)])
    both = combine_by_low_frequencies(coils)
    for together, alone in zip(both, coils, strict=True):
        np.testing.assert_allclose(together, combine_by_low_frequencies(alone), atol=1e-5)


def test_nothing_measured_is_black_and_not_an_error():
    assert not combine_by_low_frequencies(np.zeros((3, 8, 9), dtype=np.complex64)).any()


def test_more_low_frequencies_than_there_are_samples_take_them_all():
    assert combine_by_low_frequencies(coils_of(smooth_object(24, 24), 2)[:, :9, :11]).shape == (9, 11)


@pytest.mark.parametrize(("magnitude", "told"), [(1, 0), (0.1, -20), (1e-3, -60), (1e-5, -80), (0, -80)])
def test_decibels_count_from_the_peak_and_stop_at_the_floor(magnitude, told):
    np.testing.assert_allclose(decibels(np.array([2j * magnitude]), 2.0), [told], atol=1e-4)


def test_empty_kspace_is_all_floor():
    np.testing.assert_array_equal(decibels(np.zeros((2, 3), dtype=np.complex64), 0.0), np.full((2, 3), -80))
