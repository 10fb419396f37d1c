import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.physics.support import measured_support


def anatomy(rows, columns, slices=4, seed=0):
    """Ellipses with sharp edges and fine texture, on air: k-space falls off slowly, as that of a head does."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    volume = np.zeros((slices, rows, columns))
    for plane in volume:
        for _ in range(12):
            cy, cx = rng.uniform(-0.5, 0.5, 2)
            ry, rx = rng.uniform(0.05, 0.4, 2)
            plane += rng.uniform(0.2, 1) * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1)
        plane += (plane > 0) * rng.normal(0, 0.05, plane.shape)
    return volume.clip(0)


def as_exported(volume, lines, axis):
    """What a scanner writes: `lines` central lines measured, zero-filled to the matrix, magnitude, air set to zero."""
    kspace = np.fft.fftshift(np.fft.fft(volume, axis=axis), axes=axis)
    n = volume.shape[axis]
    outside = np.abs(np.arange(n) - n // 2) > lines / 2
    kspace[(slice(None),) * (axis % volume.ndim) + (outside,)] = 0
    image = np.abs(np.fft.ifft(np.fft.ifftshift(kspace, axes=axis), axis=axis))
    return np.where(image > 0.05 * image.max(), image, 0)


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
@pytest.mark.parametrize("fraction", [0.55, 0.65, 0.75])
@pytest.mark.parametrize("size", [191, 256])
def test_a_zero_filled_edge_is_found(axis, fraction, size):
    volume = anatomy(size, size - 2)
    n = volume.shape[axis]
    found = measured_support(as_exported(volume, fraction * n, axis), axis)
    assert found / n == pytest.approx(fraction, abs=0.04)
    assert found % 2 == n % 2
    other = -1 if axis in (1, -2) else -2
    assert measured_support(as_exported(volume, fraction * n, axis), other) == volume.shape[other]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_measured_to_the_edge_is_kept(seed):
    rng = np.random.default_rng(seed)
    volume = anatomy(160, 200, seed=seed)
    noisy = np.abs(volume + 0.02 * (rng.normal(size=volume.shape) + 1j * rng.normal(size=volume.shape)))
    for image in (volume, noisy, rng.normal(size=volume.shape), noisy * np.exp(2j * rng.uniform(size=volume.shape))):
        assert [measured_support(image, axis) for axis in (1, 2)] == [160, 200]


def test_complex_images_and_four_axes():
    phase = np.exp(1j * np.linspace(-2, 2, 192))[:, None]
    volume = anatomy(192, 180) * phase
    kspace = np.fft.fftshift(np.fft.fft(volume, axis=1), axes=1)
    kspace[:, :30], kspace[:, -30:] = 0, 0
    image = np.fft.ifft(np.fft.ifftshift(kspace, axes=1), axis=1)
    assert measured_support(image[None], 2) == pytest.approx(132, abs=6)


@given(exponent=st.integers(-12, 12))
@settings(max_examples=10)
def test_units_do_not_matter(exponent):
    image = as_exported(anatomy(128, 64, slices=1), 80, 1)
    assert measured_support(image * 10.0**exponent, 1) == measured_support(image, 1) < 128


@given(rows=st.integers(1, 80), columns=st.integers(1, 80), value=st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e300]))
@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_flat_and_broken_images_do_not_crash(rows, columns, value):
    image = np.full((2, rows, columns), value)
    for axis in (1, 2):
        assert 1 <= measured_support(image, axis) <= image.shape[axis]
    assert measured_support(np.zeros((2, rows, columns)), 1) == rows


def test_integers_are_taken():
    image = (1000 * as_exported(anatomy(128, 64), 80, 1)).astype(np.int16)
    assert measured_support(image, 1) == pytest.approx(80, abs=5)
