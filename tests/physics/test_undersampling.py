import math

import numpy as np
import pytest
import torch

from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern, make
from napari_mritransfer.physics.undersampling import on_image_matrix, signal_level, undersample, zero_filled

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERN = SamplingPattern(MaskKind.RANDOM, 0.3, 0.08, seed=5)


def head(frames=2, slices=3, rows=60, columns=49):
    """An ellipse with fine texture on air."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    inside = (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    texture = torch.rand((frames, slices, rows, columns), generator=torch.Generator().manual_seed(1))
    return 300.0 * inside * (0.7 + 0.6 * texture)


def zero_filled_by_the_scanner(rows=192, columns=160, measured=110):
    """Only `measured` central columns of k-space were acquired; the rest is the scanner's interpolation."""
    kspace = centre_crop_or_pad(fourier(head(1, 4, rows, columns)), (measured,), (-1,))
    image = inverse_fourier(centre_crop_or_pad(kspace, (columns,), (-1,))).abs()
    return torch.where(image > 20, image, 0)


@pytest.mark.parametrize("phase_encode", ["y", "x"])
@pytest.mark.parametrize("kind", MaskKind)
@pytest.mark.parametrize("shape", [(60, 49), (48, 48)], ids=["oblong", "square"])
def test_measured_samples_are_untouched_and_the_rest_is_zero(phase_encode, kind, shape):
    image = head(2, 3, *shape)
    measurement = undersample(image, SamplingPattern(kind, 0.3, 0.08), phase_encode=phase_encode)
    exact = fourier(image)
    sampled = torch.from_numpy(measurement.sampled)
    if not kind.is_plane:
        assert len(measurement.mask.lines) == image.shape[2 if phase_encode == "y" else 3]
        assert (sampled.all(1 if phase_encode == "y" else 0) == sampled.any(1 if phase_encode == "y" else 0)).all()
    assert torch.equal(measurement.kspace[..., sampled], exact[..., sampled])
    assert torch.count_nonzero(measurement.kspace[..., ~sampled]) == 0
    assert measurement.kspace.dtype == torch.complex64
    assert measurement.mask.note or measurement.mask.achieved_rate == pytest.approx(0.3, abs=1 / 48)


def test_a_complete_measurement_is_the_image():
    image = head() * torch.exp(1j * torch.linspace(0, 3, 49))
    measurement = undersample(image, SamplingPattern(rate=1.0))
    torch.testing.assert_close(zero_filled(measurement), image, rtol=0, atol=1e-3)
    torch.testing.assert_close(measurement.reference, image, rtol=0, atol=1e-3)


@pytest.mark.parametrize("phase_encode", ["y", "x"])
@pytest.mark.parametrize("snr_db", [10.0, 30.0])
def test_noise_has_the_sigma_that_the_snr_says(phase_encode, snr_db):
    """SNR = 20 log10(mean foreground / σ), σ per real channel, in k-space and (orthonormal FFT) in the image alike."""
    image = head(2, 4, 128, 120)
    measurement = undersample(image, PATTERN, phase_encode=phase_encode, snr_db=snr_db)
    foreground = image[image > 0].mean().item()
    assert 20 * math.log10(foreground / measurement.noise_sigma) == pytest.approx(snr_db, abs=0.05)
    lines = torch.from_numpy(measurement.mask.lines).nonzero()[:, 0]
    axis = 2 if phase_encode == "y" else 3
    noise = (measurement.kspace - fourier(image)).index_select(axis, lines)
    assert noise.real.std().item() == pytest.approx(measurement.noise_sigma, rel=0.02)
    assert noise.imag.std().item() == pytest.approx(measurement.noise_sigma, rel=0.02)
    assert abs(torch.corrcoef(torch.stack([noise.real.flatten(), noise.imag.flatten()]))[0, 1]) < 0.03
    assert torch.count_nonzero(measurement.kspace) == noise.numel()


def test_air_does_not_count_as_signal():
    image = head(1, 1)
    surrounded = centre_crop_or_pad(image, (240, 196))
    assert signal_level(surrounded) == pytest.approx(signal_level(image), rel=0.05)


def test_the_reference_has_no_added_noise():
    image = head()
    noisy, clean = undersample(image, PATTERN, snr_db=15), undersample(image, PATTERN)
    assert torch.equal(noisy.reference, clean.reference)
    assert clean.noise_sigma == 0


def test_noise_is_one_seeded_realisation():
    image = head()
    first, again = (undersample(image, PATTERN, snr_db=20, noise_seed=3) for _ in range(2))
    other = undersample(image, PATTERN, snr_db=20, noise_seed=4)
    assert torch.equal(first.kspace, again.kspace)
    assert not torch.equal(first.kspace, other.kspace)
    # a line measured at two rates carries the same noise, so that rates can be compared
    denser = undersample(image, SamplingPattern(MaskKind.RANDOM, 0.6, 0.08), snr_db=20, noise_seed=3)
    both = torch.from_numpy(first.mask.lines & denser.mask.lines)
    assert both.any()
    assert torch.equal(first.kspace[:, :, both], denser.kspace[:, :, both])


def test_what_the_scanner_zero_filled_is_cut_away():
    image = zero_filled_by_the_scanner()
    measurement = undersample(image, PATTERN, phase_encode="x")
    rows, columns = measurement.kspace.shape[-2:]
    assert rows == 192
    assert columns == pytest.approx(110, abs=6)
    assert measurement.support == (rows, columns)
    assert measurement.matrix == (192, 160)
    assert measurement.reference.shape == measurement.kspace.shape
    assert len(measurement.mask.lines) == columns
    assert measurement.effective_rate == measurement.mask.achieved_rate
    assert "effective" not in measurement.describe_rate()


def test_the_effective_rate_is_told_where_empty_lines_were_sampled():
    image = zero_filled_by_the_scanner()
    measurement = undersample(image, PATTERN, phase_encode="x", crop_to_support=False)
    assert measurement.kspace.shape == image.shape
    n_support = measurement.support[1]
    inside = np.abs(np.arange(160) - 80 + 0.5) < n_support / 2
    assert measurement.effective_rate == pytest.approx(measurement.mask.lines[inside].mean())
    # variable density puts most lines inside, so what looks like 30 % is really more
    assert measurement.effective_rate > measurement.mask.achieved_rate + 0.03
    assert f"effective {measurement.effective_rate:.1%}" in measurement.describe_rate()


def test_the_effective_rate_of_a_plane_counts_the_samples_that_hold_signal():
    measurement = undersample(
        zero_filled_by_the_scanner(), SamplingPattern(MaskKind.POISSON_DISC), crop_to_support=False
    )
    rows, columns = measurement.support
    top, left = 96 - rows // 2, 80 - columns // 2
    inside = measurement.mask.lines[top : top + rows, left : left + columns]
    assert columns < 120
    assert measurement.effective_rate == pytest.approx(inside.mean())
    assert measurement.effective_rate > measurement.mask.achieved_rate + 0.03
    assert "of the samples that hold signal" in measurement.describe_rate()


def test_reference_on_the_image_matrix_is_the_band_limited_image():
    image = zero_filled_by_the_scanner()
    measurement = undersample(image, PATTERN)
    band_limited = inverse_fourier(
        centre_crop_or_pad(centre_crop_or_pad(fourier(image), measurement.support), measurement.matrix)
    )
    back = on_image_matrix(measurement.reference, measurement.matrix)
    torch.testing.assert_close(back, band_limited, rtol=0, atol=1e-3)
    # what was cut away is only the little that taking the magnitude and blanking the air had put there
    assert (back - image).norm() < 0.05 * image.norm()
    assert on_image_matrix(back, measurement.matrix) is back


def test_every_slice_gets_the_mask_that_the_pattern_makes():
    measurement = undersample(head(), PATTERN)
    assert np.array_equal(measurement.mask.lines, make(PATTERN, 60).lines)
    sampled = measurement.kspace.abs().amax(-1) > 0
    assert torch.equal(sampled, torch.from_numpy(measurement.mask.lines).expand_as(sampled))


def test_an_empty_image_stays_finite():
    measurement = undersample(torch.zeros(1, 2, 40, 40), PATTERN, snr_db=20)
    assert measurement.noise_sigma == 0
    assert torch.count_nonzero(measurement.kspace) == 0


@pytest.mark.parametrize("dtype", [torch.int16, torch.float64, torch.complex128])
def test_any_kind_of_number_is_taken(dtype):
    measurement = undersample(head().to(dtype), PATTERN)
    assert measurement.kspace.dtype == measurement.reference.dtype == torch.complex64


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="four axes"):
        undersample(torch.zeros(40, 40), PATTERN)
    with pytest.raises(ValueError, match="'y' or 'x', not 'z'"):
        undersample(head(), PATTERN, phase_encode="z")
    with pytest.raises(ValueError, match="sampling rate"):
        undersample(head(), SamplingPattern(rate=2))
