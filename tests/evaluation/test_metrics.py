import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from napari_mritransfer.evaluation.metrics import Peak, evaluate, foreground


def head(slices=4, size=48, air=0.0, seed=0):
    """Bright scalp, dark skull, brain, dark ventricle, dimmer towards the last slice; `air` is the SD of the noise."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(y, x * 1.2) / size
    plane = np.where(radius < 0.42, 900.0, 0.0)
    plane[radius < 0.38] = 30.0
    plane[radius < 0.35] = 500.0
    plane[radius < 0.07] = 60.0
    volume = plane * np.linspace(1, 0.7, slices)[:, None, None]
    if air:
        rng = np.random.default_rng(seed)
        volume = np.abs(volume + air * (rng.normal(size=volume.shape) + 1j * rng.normal(size=volume.shape)))
    return volume.astype(np.float32), np.broadcast_to(radius < 0.42, volume.shape)


def test_a_constant_error_gives_the_psnr_and_nmse_of_the_textbook():
    reference = np.full((3, 8, 10), 100.0)
    reference[1] = 50.0
    whole = evaluate(reference, reference + 10).whole
    assert whole.psnr.slices == pytest.approx((20.0, 20.0, 20.0))
    assert whole.psnr.sd == pytest.approx(0.0)
    assert whole.nmse.slices == pytest.approx((0.01, 0.04, 0.01))
    assert whole.nmse.mean == pytest.approx(0.02)
    assert whole.nmse.sd == pytest.approx(np.std([0.01, 0.04, 0.01], ddof=1))
    assert whole.nmse.volume == pytest.approx(300 / (2 * 100**2 + 50**2))


def test_slice_peak_lowers_the_psnr_of_dim_slices_only():
    reference = np.full((2, 8, 8), 100.0)
    reference[1] = 50.0
    by_slice = evaluate(reference, reference + 10, peak=Peak.SLICE)
    assert by_slice.whole.psnr.slices == pytest.approx((20.0, 20 * math.log10(5)))
    assert by_slice.whole.psnr.volume == pytest.approx(20.0)
    assert by_slice.convention.peak is Peak.SLICE


@pytest.mark.parametrize("peak", Peak)
def test_ssim_is_scikit_images(peak):
    reference, _ = head(air=20)
    other, _ = head(air=40, seed=1)
    scores = evaluate(reference, other, peak=peak)
    mask = foreground(reference)
    for index, (exact, approximate) in enumerate(zip(reference, other, strict=True)):
        full_scale = float(reference.max() if peak is Peak.VOLUME else exact.max())
        mean, local = structural_similarity(
            exact.astype(float), approximate.astype(float), data_range=full_scale, full=True
        )
        assert scores.whole.ssim.slices[index] == pytest.approx(mean, abs=1e-10)
        assert scores.foreground.ssim.slices[index] == pytest.approx(local[mask[index]].mean(), abs=1e-10)


def test_each_slice_value_knows_its_slice():
    """Air in the middle: left out of the values, not of the count."""
    reference, _ = head(slices=5)
    reference = reference.copy()
    reference[2] = 0
    scores = evaluate(reference, reference * 0.9)
    assert scores.foreground.counted == scores.whole.counted == (0, 1, 3, 4)
    assert len(scores.foreground.psnr.slices) == len(scores.foreground.ssim.slices) == 4


def test_foreground_scores_do_not_see_the_air():
    reference, inside = head()
    disturbed = np.where(inside, reference, 50.0)
    scores = evaluate(reference, disturbed, inside.copy())
    assert scores.foreground.psnr.mean == math.inf
    assert scores.foreground.nmse.volume == 0
    assert scores.whole.psnr.mean < 40


def test_brightness_is_never_matched():
    reference, _ = head()
    assert evaluate(reference, reference / 2).whole.nmse.volume == pytest.approx(0.25)
    assert "no scale" in evaluate(reference, reference).convention.intensity


def test_an_exact_copy_is_infinite_and_never_nan():
    reference, _ = head()
    psnr = evaluate(reference, reference).foreground.psnr
    assert (psnr.volume, psnr.mean, psnr.sd) == (math.inf, math.inf, 0.0)
    partly = reference.copy()
    partly[0] += 5
    psnr = evaluate(reference, partly).whole.psnr
    assert (psnr.mean, psnr.sd) == (math.inf, math.inf)
    assert math.isfinite(psnr.volume)


@pytest.mark.parametrize("peak", Peak)
def test_slices_without_signal_leave_the_mean_but_not_the_volume(peak):
    reference, _ = head(slices=3)
    empty = np.zeros_like(reference[:1])
    longer = np.concatenate([empty, reference])
    hallucinated = np.concatenate([empty + 100, reference + 10])
    scores = evaluate(longer, hallucinated, peak=peak)
    without = evaluate(reference, reference + 10, peak=peak)
    assert len(scores.whole.psnr.slices) == len(scores.foreground.psnr.slices) == 3
    assert scores.whole.psnr.mean == pytest.approx(without.whole.psnr.mean)
    assert scores.whole.psnr.volume < without.whole.psnr.volume
    assert math.isfinite(scores.whole.ssim.volume)


def test_a_single_slice_has_no_spread():
    reference, _ = head(slices=1)
    scores = evaluate(reference, reference + 3).foreground
    assert scores.psnr.sd == scores.ssim.sd == scores.nmse.sd == 0
    assert scores.psnr.mean == pytest.approx(scores.psnr.volume)


@given(seed=st.integers(0, 99), power=st.integers(-30, 30), dtype=st.sampled_from([np.float32, np.float64]))
def test_units_do_not_matter(seed, power, dtype):
    rng = np.random.default_rng(seed)
    reference = rng.random((2, 9, 8)).astype(dtype)
    other = rng.random((2, 9, 8)).astype(dtype)
    everywhere = np.ones(reference.shape, dtype=bool)
    unit = dtype(2.0**power)
    # exactly, because a power of two changes no digit
    assert evaluate(reference, other, everywhere) == evaluate(reference * unit, other * unit, everywhere)


def test_integer_images_do_not_wrap_around():
    reference = np.full((1, 8, 8), 10, dtype=np.uint8)
    assert evaluate(reference, reference + np.uint8(10)).whole.nmse.volume == pytest.approx(1.0)


def test_the_convention_says_where_the_mask_came_from():
    reference, inside = head()
    assert "Otsu" in evaluate(reference, reference).convention.foreground
    assert evaluate(reference, reference, inside.copy(), mask_rule="drawn").convention.foreground == "drawn"


@pytest.mark.parametrize(
    ("reconstruction", "said"),
    [
        (np.ones((2, 8, 8), dtype=complex), "np.abs"),
        (np.ones((2, 8, 9)), "shape"),
        (np.ones((8, 8)), "image\\[None\\]"),
        (np.full((2, 8, 8), np.nan), "NaN"),
        (np.full((2, 8, 8), np.inf), "infinity"),
    ],
)
def test_a_wrong_reconstruction_is_refused(reconstruction, said):
    with pytest.raises(ValueError, match=said):
        evaluate(np.ones((2, 8, 8)), reconstruction)


def test_a_wrong_reference_or_mask_is_refused():
    image = np.ones((2, 8, 8))
    with pytest.raises(ValueError, match="zero everywhere"):
        evaluate(np.zeros_like(image), image)
    with pytest.raises(ValueError, match="7x7"):
        evaluate(image[:, :6], image[:, :6])
    with pytest.raises(ValueError, match="boolean"):
        evaluate(image, image, image)
    with pytest.raises(ValueError, match="boolean"):
        evaluate(image, image, image[:1] > 0)
    with pytest.raises(ValueError, match="covers no signal"):
        evaluate(image, image, image < 0)


@pytest.mark.parametrize("air", [0.0, 30.0])
def test_foreground_is_the_head_with_its_dark_parts(air):
    volume, inside = head(size=96, air=air)
    mask = foreground(volume)
    overlap = (mask & inside).sum() / (mask | inside).sum()
    assert overlap > 0.97
    assert mask[:, 46:50, 46:50].all(), "the ventricle belongs to the head"


def test_foreground_keeps_both_legs_and_drops_specks():
    volume = np.zeros((2, 40, 80))
    volume[:, 5:35, 5:35] = volume[:, 5:35, 45:75] = 100
    volume[0, 1, 1] = 100
    mask = foreground(volume)
    assert mask[:, 10:30, 10:30].all()
    assert mask[:, 10:30, 50:70].all()
    assert not mask[0, 1, 1]


def test_noise_that_pokes_through_the_threshold_is_not_joined_to_the_head():
    volume, inside = head(size=96)
    spikes = (np.random.default_rng(0).random(volume.shape) < 0.04) & ~inside
    mask = foreground(np.where(spikes, 500, volume))
    assert (mask & ~inside).sum() < 0.02 * inside.sum()


def test_foreground_of_a_zero_image_is_empty():
    assert not foreground(np.zeros((1, 8, 8))).any()


@given(seed=st.integers(0, 999), filled=st.integers(1, 128), scale=st.sampled_from([1e-12, 1.0, 1e6]))
def test_foreground_is_never_empty(seed, filled, scale):
    rng = np.random.default_rng(seed)
    image = np.zeros(2 * 8 * 8)
    image[rng.permutation(image.size)[:filled]] = rng.random(filled) + 0.01
    assert foreground(image.reshape(2, 8, 8) * scale).any()


def test_foreground_refuses_complex_images():
    with pytest.raises(ValueError, match="complex"):
        foreground(np.ones((1, 8, 8), dtype=np.complex64))
