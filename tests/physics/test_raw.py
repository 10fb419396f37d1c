import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.physics.coils import combine, expand, root_sum_of_squares
from napari_mritransfer.physics.extent import missing_along
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.raw import (
    Acquired,
    as_measured,
    combined,
    maps_of,
    simulated_coils,
    undersample_raw,
)
from napari_mritransfer.physics.simulated_coils import simulated_maps
from napari_mritransfer.physics.undersampling import as_shown, zero_filled

pytestmark = pytest.mark.usefixtures("one_thread")


def ellipses(rows=32, columns=40):
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    inside = ((x / 0.7) ** 2 + (y / 0.8) ** 2 < 1).float() + 0.5 * (((x - 0.2) / 0.2) ** 2 + (y / 0.3) ** 2 < 1).float()
    return inside * torch.exp(0.5j * (x + y))


def raw(rows=32, columns=40, coils=4, slices=2, frames=1, seed=0):
    """Fully sampled k-space of a smooth-phase phantom seen by simulated coils, and the phantom."""
    image = ellipses(rows, columns).expand(frames, slices, rows, columns)
    maps = simulated_maps(coils, (rows, columns), seed).to(torch.complex64)
    return fourier(expand(image, maps)), image


def whole(kspace):
    return Acquired.of(kspace, np.ones(kspace.shape[-2:], dtype=bool))


def test_zero_padding_is_cut_away_and_the_box_stays_centred():
    kspace, _ = raw(32, 40)
    padded = centre_crop_or_pad(kspace, (32, 64))
    acquired = Acquired.of(padded, (padded.abs().sum((0, 1, 2)) > 0).numpy())
    assert acquired.box == (32, 40)
    assert acquired.matrix == (32, 64)
    torch.testing.assert_close(acquired.kspace, kspace)


@given(length=st.integers(4, 33), first=st.integers(0, 32), last=st.integers(0, 32), along_rows=st.booleans())
def test_the_box_is_the_smallest_centred_one_that_holds_every_sample(length, first, last, along_rows):
    first, last = sorted((first % length, last % length))
    line = np.zeros(length, dtype=bool)
    line[first : last + 1] = True
    sampled = np.tile(line[:, None], (1, 4)) if along_rows else np.tile(line, (4, 1))
    acquired = Acquired.of(torch.ones((1, 1, 1, *sampled.shape), dtype=torch.complex64), sampled)
    kept = acquired.box[0 if along_rows else 1]
    assert acquired.sampled.sum() == sampled.sum()
    assert kept % 2 == length % 2
    smaller = kept - 2
    if smaller >= 1:
        size = (smaller, 4) if along_rows else (4, smaller)
        assert centre_crop_or_pad(torch.from_numpy(sampled), size).sum() < sampled.sum()


def test_the_rate_counts_measured_lines_only():
    kspace, _ = raw(32, 40)
    padded = centre_crop_or_pad(kspace, (32, 64))
    acquired = Acquired.of(padded, (padded.abs().sum((0, 1, 2)) > 0).numpy())
    measurement = undersample_raw(acquired, SamplingPattern(rate=0.5, acs=0.2), "x")
    assert len(measurement.mask.lines) == 40
    assert measurement.mask.lines.sum() == 20
    assert measurement.matrix == (32, 64)
    assert as_shown(zero_filled(measurement), measurement).shape[-2:] == (32, 64)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_what_is_kept_is_what_was_measured(axis):
    kspace, _ = raw()
    measurement = undersample_raw(whole(kspace), SamplingPattern(rate=0.4, acs=0.2, seed=3), axis)
    kept = torch.from_numpy(measurement.mask.on_plane(axis))
    torch.testing.assert_close(measurement.kspace, torch.where(kept, kspace, 0))


def test_the_reference_is_the_root_sum_of_squares_with_the_phase_of_the_object():
    kspace, image = raw(64, 64, coils=6)
    reference = undersample_raw(whole(kspace), SamplingPattern(rate=0.5, acs=0.25), "y").reference
    torch.testing.assert_close(reference.abs(), root_sum_of_squares(inverse_fourier(kspace)))
    object_ = image[0, 0].abs() > 0.9
    turned = reference[0, 0][object_] * image[0, 0][object_].conj()
    assert (turned / turned.abs()).mean().abs() > 0.99  # they differ by one phase for all at most


def test_maps_come_from_the_measured_centre_alone():
    """Change everything outside the ACS: the maps stay."""
    kspace, _ = raw()
    acquired = whole(kspace)
    first = undersample_raw(acquired, SamplingPattern(rate=0.4, acs=0.25), "y")
    lines = torch.arange(32)
    outside = (lines < 12) | (lines >= 20)
    spoiled = torch.where(outside[:, None], 7 * kspace.flip(-2), kspace)
    second = undersample_raw(whole(spoiled), SamplingPattern(rate=0.25, acs=0.25), "y")
    torch.testing.assert_close(maps_of(spoiled, second.mask, "y"), maps_of(kspace, second.mask, "y"))
    assert first.maps.shape == (2, 4, 32, 40)
    torch.testing.assert_close(torch.linalg.vector_norm(first.maps, dim=1), torch.ones(2, 32, 40))


def test_combining_what_the_maps_expand_gives_the_object_back():
    kspace, _ = raw(64, 64, coils=6)
    measurement = undersample_raw(whole(kspace), SamplingPattern(rate=1.0, acs=0.3), "y")
    image = combine(inverse_fourier(measurement.kspace), measurement.maps)
    error = (image.abs() - measurement.reference.abs()).norm() / measurement.reference.norm()
    assert error < 0.05


def test_raw_data_that_were_undersampled_are_taken_as_they_are():
    kspace, _ = raw()
    lines = np.zeros(32, dtype=bool)
    lines[::3] = lines[12:20] = True
    kept = torch.where(torch.from_numpy(lines)[:, None], kspace, 0)
    sampled = np.broadcast_to(lines[:, None], (32, 40))
    measurement = as_measured(Acquired.of(kept, sampled, cut=False), "y")
    np.testing.assert_array_equal(measurement.mask.lines, lines)
    assert measurement.reference is None
    assert measurement.maps is not None
    assert "As measured" in measurement.describe_sampling()
    with pytest.raises(ValueError, match="undersampled when it was acquired"):
        undersample_raw(Acquired.of(kept, sampled, cut=False), SamplingPattern(), "y")
    with pytest.raises(ValueError, match="undersampled when it was acquired"):
        combined(Acquired.of(kept, sampled, cut=False))


def test_samples_over_the_plane_stay_a_plane():
    kspace, _ = raw()
    sampled = np.random.default_rng(0).random((32, 40)) < 0.3
    sampled[12:20, 16:24] = True
    measurement = as_measured(Acquired.of(torch.where(torch.from_numpy(sampled), kspace, 0), sampled), "y")
    assert measurement.mask.is_plane
    assert measurement.mask.achieved_rate == measurement.effective_rate
    assert "over the plane" in measurement.describe_sampling()
    assert measurement.maps is not None


def test_a_fully_sampled_scan_is_not_taken_as_measured():
    kspace, _ = raw()
    with pytest.raises(ValueError, match="Every sample"):
        as_measured(whole(kspace), "y")
    with pytest.raises(ValueError, match="zero everywhere"):
        Acquired.of(torch.zeros_like(kspace), np.zeros((32, 40), dtype=bool))


def test_partial_fourier_is_told_and_its_missing_lines_are_never_kept():
    kspace, _ = raw()
    sampled = np.ones((32, 40), dtype=bool)
    sampled[:6] = False
    partial = torch.where(torch.from_numpy(sampled), kspace, 0)
    measurement = undersample_raw(Acquired.of(partial, sampled), SamplingPattern(rate=0.5, acs=0.25), "y")
    assert not measurement.mask.lines[:6].any()
    assert "partial Fourier" in measurement.mask.note


def test_without_a_fully_sampled_centre_there_are_no_maps():
    kspace, _ = raw()
    measurement = undersample_raw(whole(kspace), SamplingPattern("equispaced", rate=0.25, acs=0.0, offset=1), "y")
    assert measurement.maps is None
    one = undersample_raw(whole(kspace[:, :, :1]), SamplingPattern(rate=0.5), "y")
    assert one.maps is None
    assert one.kspace.shape == (1, 2, 32, 40)


def test_noise_is_added_to_every_coil_alike():
    kspace, _ = raw(64, 64)
    pattern = SamplingPattern(rate=1.0)
    quiet = undersample_raw(whole(kspace), pattern, "y")
    noisy = undersample_raw(whole(kspace), pattern, "y", snr_db=20, noise_seed=1)
    difference = torch.view_as_real(noisy.kspace - quiet.kspace)
    assert math.isclose(float(difference.std()), noisy.noise_sigma, rel_tol=0.05)
    torch.testing.assert_close(noisy.reference, quiet.reference)


def test_the_axis_with_missing_lines_is_the_phase_encoding():
    sampled = np.ones((8, 10), dtype=bool)
    assert missing_along(sampled) is None
    sampled[:, ::2] = False
    assert missing_along(sampled) == "x"
    assert missing_along(sampled.T) == "y"
    assert missing_along(np.eye(6, dtype=bool)) is None


@settings(max_examples=20)
@given(coils=st.integers(2, 6), rows=st.integers(6, 20), columns=st.integers(6, 20))
def test_simulated_coils_see_the_image_through_maps_of_unit_norm(coils, rows, columns):
    image = torch.rand((1, 2, rows, columns), generator=torch.Generator().manual_seed(0))
    acquired = simulated_coils(image, coils, 0, crop_to_support=False)
    seen = root_sum_of_squares(inverse_fourier(acquired.kspace))
    torch.testing.assert_close(seen, image, atol=1e-4, rtol=1e-4)


def test_the_single_coil_problem_has_one_coil_and_the_same_magnitude():
    kspace, _ = raw()
    one = combined(whole(kspace))
    assert one.kspace.shape[2] == 1
    torch.testing.assert_close(
        inverse_fourier(one.kspace)[:, :, 0].abs(), root_sum_of_squares(inverse_fourier(kspace)), atol=1e-4, rtol=1e-4
    )


def test_zero_padding_that_is_kept_is_neither_counted_nor_taken_for_partial_fourier():
    kspace, _ = raw(32, 40)
    padded = centre_crop_or_pad(kspace, (32, 64))
    sampled = (padded.abs().sum((0, 1, 2)) > 0).numpy()
    measurement = undersample_raw(Acquired.of(padded, sampled, cut=False), SamplingPattern(rate=0.5, acs=0.2), "x")
    assert len(measurement.mask.lines) == 64
    assert measurement.support == (32, 40)
    assert measurement.effective_rate == measurement.mask.lines.sum() / 40
    assert "partial" not in measurement.mask.note
