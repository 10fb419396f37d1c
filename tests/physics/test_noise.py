import numpy as np
import pytest
from coil_scan import coil_scan
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.noise import noise_sigma

pytestmark = pytest.mark.usefixtures("one_thread")


def white(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


@given(level=st.floats(1e-9, 1e9), seed=st.integers(0, 99))
def test_white_noise_of_any_level_is_found_within_ten_percent(level, seed):
    """2000 of 40,000 samples: the standard error of the median is 1.8 %."""
    found = noise_sigma(white(2, 200, 200, seed=seed) * np.float32(level), np.ones((200, 200), dtype=bool))
    np.testing.assert_allclose(found, level, rtol=0.1)


def test_anatomy_in_the_centre_does_not_count():
    scan = coil_scan((128, 120), n_coils=4, sigma=0.05, rate=0.4)
    found = noise_sigma(scan.kspace.numpy(), scan.mask.numpy())
    assert found.shape == (4,)
    np.testing.assert_allclose(found, 0.05, rtol=0.15)
    assert found.mean() == pytest.approx(0.05, rel=0.08)


def test_every_coil_has_its_own_noise():
    levels = np.array([1.0, 3.0, 0.2])
    found = noise_sigma(white(3, 200, 200) * levels[:, None, None], np.ones((200, 200), dtype=bool))
    np.testing.assert_allclose(found, levels, rtol=0.06)


def test_zero_padding_outside_the_measured_lines_does_not_count():
    """Corners of what was measured, not of the matrix."""
    mask = np.zeros((200, 256), dtype=bool)
    mask[:, 44:212] = True
    np.testing.assert_allclose(noise_sigma(white(2, 200, 256) * mask, mask), 1, rtol=0.06)


def test_frames_and_slices_are_pooled():
    kspace = white(5, 4, 2, 40, 40)
    kspace[0] *= 0.5
    assert noise_sigma(kspace, np.ones((40, 40), dtype=bool)).shape == (2,)
    assert 0.8 < noise_sigma(kspace, np.ones((40, 40), dtype=bool)).mean() < 1.0


def test_without_noise_it_is_zero():
    kspace = np.zeros((1, 32, 32), dtype=np.complex64)
    kspace[0, 16, 16] = 5
    assert noise_sigma(kspace, np.ones((32, 32), dtype=bool)).tolist() == [0.0]


def test_an_empty_mask_has_no_noise_level():
    with pytest.raises(ValueError, match="mask is empty"):
        noise_sigma(white(1, 8, 8), np.zeros((8, 8), dtype=bool))


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 9)])
def test_shapes_have_to_fit(shape):
    with pytest.raises(ValueError, match="does not fit a mask"):
        noise_sigma(white(*shape), np.ones((8, 8), dtype=bool))
