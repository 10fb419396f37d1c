"""Every check finds what was done to a scan, and nothing where nothing was done."""

import numpy as np
import pytest
from phantoms import acquired, coils, image_scan, magnitude, padded, phase, raw_scan
from scipy.fft import dctn, idctn

from napari_mritransfer.honesty import Verdict, examine, in_reading_order
from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.physics.centred import transform


def of(check: str, scan: Scan):
    return next(finding for finding in examine(scan) if finding.check == check)


def test_untouched_multi_coil_data_cause_no_concern():
    findings = examine(raw_scan(coils(acquired())))
    assert {finding.verdict for finding in findings} == {Verdict.FINE}


@pytest.mark.parametrize("make", [image_scan, lambda planes: raw_scan(transform(planes)[:, None])])
def test_a_real_phase_is_told_from_a_painted_one_and_from_none(make):
    real = of("simulated k-space", make(acquired()))
    painted = of("simulated k-space", make((magnitude() * phase()).astype(np.complex64)))
    none = of("simulated k-space", make((magnitude() * np.exp(1j)).astype(np.complex64)))
    assert real.verdict is Verdict.FINE
    assert painted.verdict is none.verdict is Verdict.CONCERN
    assert "painted" in painted.sentence
    assert "painted" not in none.sentence
    assert painted.details["before removing the smooth phase"] > 10 * painted.value


def test_simulated_coils_do_not_hide_a_magnitude_image():
    assert of("simulated k-space", raw_scan(coils(magnitude()))).verdict is Verdict.CONCERN


def test_undersampled_k_space_is_judged_by_its_centre_or_not_at_all():
    lines = np.arange(144) % 4 == 0
    real, painted = coils(acquired()), coils(magnitude())
    for centre, verdicts in ((49, (Verdict.FINE, Verdict.CONCERN)), (9, (Verdict.UNKNOWN, Verdict.UNKNOWN))):
        measured = lines | (np.abs(np.arange(144) - 72) <= centre // 2)
        for kspace, verdict in zip((real, painted), verdicts, strict=True):
            assert of("simulated k-space", raw_scan(np.where(measured, kspace, 0))).verdict is verdict


def test_what_the_file_says_of_itself_comes_first():
    finding = of("simulated k-space", raw_scan(coils(acquired()), origin=Origin.SIMULATED))
    assert finding.verdict is Verdict.CONCERN
    assert "says" in finding.sentence


def test_magnitude_images_can_only_be_simulated_from():
    finding = of("simulated k-space", image_scan(magnitude()))
    assert (finding.verdict, finding.value) == (Verdict.CONCERN, None)
    assert of("partial Fourier", image_scan(magnitude())).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("source", [magnitude, acquired])
def test_zero_filling_is_found_along_its_own_axis_only(source):
    scan = image_scan(padded(source(), 128, 216))
    assert of("zero-filled or interpolated (y)", scan).verdict is Verdict.FINE
    found = of("zero-filled or interpolated (x)", scan)
    assert found.verdict is Verdict.CONCERN
    assert found.details["lines that hold signal"] == pytest.approx(144, abs=4)


def test_zero_padded_raw_lines_are_counted_exactly():
    kspace = np.zeros((3, 2, 128, 200), np.complex64)
    kspace[..., 28:172] = coils(acquired(), 2)
    found = of("zero-filled or interpolated (x)", raw_scan(kspace))
    assert found.details["lines that hold signal"] == 144
    assert found.value == pytest.approx(0.72)
    assert of("partial Fourier", raw_scan(kspace)).verdict is Verdict.FINE


def test_masked_air_is_found_even_after_a_fourier_transform():
    planes = acquired()
    masked = np.where(np.abs(planes) > 100, planes, 0)
    for scan in (image_scan(masked), image_scan(np.abs(masked)), raw_scan(transform(masked)[:, None])):
        finding = of("masked background", scan)
        assert finding.verdict is Verdict.CONCERN
        assert finding.value == pytest.approx(np.mean(masked == 0), abs=0.01)
    assert of("masked background", image_scan(planes)).verdict is Verdict.FINE


def test_eight_bits_are_found_whatever_they_were_scaled_to_since():
    planes = magnitude()
    grey = np.round(planes / planes.max() * 255)
    per_slice = grey * np.array([1.7, 0.013, 300.0], np.float32)[:, None, None]
    for doctored in (grey, per_slice):
        assert of("8-bit source", image_scan(doctored.astype(np.float32))).verdict is Verdict.CONCERN
    assert of("8-bit source", raw_scan(transform(grey * phase())[:, None])).verdict is Verdict.CONCERN
    assert of("8-bit source", image_scan(planes)).verdict is Verdict.FINE
    assert of("8-bit source", image_scan(planes[:, 60:80, 60:80])).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("start", [(0, 0), (3, 5)])
def test_jpeg_blocks_are_found_wherever_the_image_was_cut_off(start):
    """JPEG by its definition: an 8 x 8 DCT whose fine coefficients are rounded to coarse steps."""
    planes = magnitude()
    blocks = planes.reshape(3, 16, 8, 18, 8).swapaxes(2, 3)
    steps = 10 + 8 * np.add.outer(np.arange(8), np.arange(8))
    lossy = idctn(np.round(dctn(blocks, axes=(-2, -1), norm="ortho") / steps) * steps, axes=(-2, -1), norm="ortho")
    image = np.maximum(lossy.swapaxes(2, 3).reshape(planes.shape).round(), 0)[:, start[0] :, start[1] :]
    found = of("JPEG source", image_scan(image.astype(np.float32)))
    assert found.verdict is of("JPEG source", image_scan(image.astype(np.float32) * 3 / 7)).verdict is Verdict.CONCERN
    assert of("JPEG source", image_scan(planes)).verdict is Verdict.FINE


def test_too_little_signal_for_blocks_is_said_so():
    planes = np.zeros((1, 64, 64), np.float32)
    planes[:, 20:40, 20:40] = 1
    assert of("JPEG source", image_scan(planes)).verdict is Verdict.UNKNOWN


def test_coils_that_are_apart_combined_or_alone():
    assert of("coil-combined", raw_scan(coils(acquired()))).verdict is Verdict.FINE
    assert of("coil-combined", image_scan(acquired())).verdict is Verdict.CONCERN
    assert of("coil-combined", raw_scan(coils(acquired(), 1))).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("share", [5 / 8, 7 / 8])
@pytest.mark.parametrize("axis", [-2, -1])
def test_partial_fourier_is_found_on_either_axis_and_side(share, axis):
    kspace = np.swapaxes(coils(acquired()), axis, -1).copy()
    kspace[..., round(share * kspace.shape[-1]) :] = 0
    for one in (kspace, kspace[..., ::-1]):
        cut = np.swapaxes(one, axis, -1)
        assert of("partial Fourier", raw_scan(cut)).verdict is Verdict.CONCERN
        combined = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(cut[:, 0], (-2, -1))), (-2, -1))
        assert of("partial Fourier", image_scan(combined.astype(np.complex64))).verdict is Verdict.CONCERN


def test_lines_filled_from_the_other_side_are_found():
    kspace = transform(acquired(0, (3, 129, 145)))[:, None]
    filled = kspace.copy()
    filled[..., 100:, :] = np.conj(kspace[..., ::-1, ::-1])[..., 100:, :]
    assert of("partial Fourier", raw_scan(kspace)).verdict is Verdict.FINE
    found = of("partial Fourier", raw_scan(filled))
    assert found.verdict is Verdict.CONCERN
    assert "filled from the other" in found.sentence
    assert found.value == pytest.approx(1, abs=1e-5)


def test_dc_in_a_corner_and_an_image_torn_over_its_border():
    kspace = coils(acquired())
    assert of("DC off the centre", raw_scan(kspace)).verdict is Verdict.FINE
    corner = of("DC off the centre", raw_scan(np.fft.ifftshift(kspace, (-2, -1))))
    assert corner.verdict is Verdict.CONCERN
    assert corner.value == pytest.approx(72, abs=1)
    torn = of("DC off the centre", image_scan(np.fft.fftshift(magnitude(), (1, 2))))
    assert torn.verdict is Verdict.CONCERN
    assert "border" in torn.sentence


def test_undersampled_raw_data_are_asked_for_their_acs():
    kspace = coils(acquired())
    missing, present = np.arange(144) % 4 == 0, (np.arange(144) % 4 == 0) | (np.abs(np.arange(144) - 72) < 8)
    assert of("missing ACS", raw_scan(np.where(missing, kspace, 0))).verdict is Verdict.CONCERN
    assert of("missing ACS", raw_scan(np.where(present, kspace, 0))).verdict is Verdict.FINE
    rows = (np.arange(128) % 3 == 0)[:, None]
    assert of("missing ACS", raw_scan(np.where(rows, kspace, 0))).details["lines"] == 128
    assert all(finding.check != "missing ACS" for finding in examine(raw_scan(kspace)))


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_scan_without_signal_or_numbers_gets_one_sentence(value):
    (finding,) = examine(image_scan(np.full((2, 32, 32), value, np.float32)))
    assert finding.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (1, 7, 40), (2, 33, 17)])
def test_images_of_any_size_are_examined(shape):
    rng = np.random.default_rng(0)
    planes = rng.normal(size=(2, *shape))
    for scan in (image_scan(np.abs(planes[0]).astype(np.float32)), raw_scan((planes[0] + 1j * planes[1])[:, None])):
        assert all(finding.sentence.endswith(".") for finding in examine(scan))


def test_few_slices_of_a_long_scan_are_read():
    looked_at = set()
    planes = transform(acquired()[:1])

    def read(frame: int, index: int) -> np.ndarray:
        looked_at.add(index)
        return planes + 0

    scan = Scan.from_kspace(KSpace((1, 500, 1, 128, 144), read))
    examine(scan)
    assert len(looked_at) <= 6  # three in the middle, three to see what was measured
    seen = set()
    stack = LazyStack((1, 500), (128, 144), np.float32, lambda at: seen.add(at) or magnitude()[0])
    examine(Scan.from_image(stack))
    assert len(seen) == 8


def test_a_cine_of_one_slice_is_examined_over_its_frames():
    scan = Scan.from_image(np.repeat(magnitude(), 10, axis=0)[:, None])
    assert of("8-bit source", scan).details["slices"][0] > 0
    assert len(of("8-bit source", scan).details["slices"]) == 8


def test_concerns_are_read_first():
    verdicts = [finding.verdict for finding in in_reading_order(examine(image_scan(magnitude())))]
    assert verdicts == sorted(verdicts, key=[Verdict.CONCERN, Verdict.UNKNOWN, Verdict.FINE].index)
    assert verdicts[0] is Verdict.CONCERN
