"""Undersampled complex images give their lines back; images that were not undersampled are told apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import MaskKind, SamplingMask, SamplingPattern, make
from napari_mritransfer.physics.measured import measured
from napari_mritransfer.physics.undersampling import undersample, zero_filled

pytestmark = pytest.mark.usefixtures("one_thread")


def complex_head(frames=1, slices=3, rows=60, columns=49, *, noise=0.01, seed=0):
    """A bright ellipse with a smooth phase on air, and as much noise as real scans have at the very least."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij")
    inside = ((y / 0.8) ** 2 + (x / 0.7) ** 2 < 1) * (1 + 0.3 * torch.cos(9 * x))
    image = 300 * inside * torch.exp(1j * (2 * y + x))
    draw = torch.randn((frames, slices, rows, columns, 2), generator=generator)
    return image + 300 * noise * torch.view_as_complex(draw)


@given(
    kind=st.sampled_from([kind for kind in MaskKind if not kind.is_plane]),
    rate=st.sampled_from([0.2, 0.33, 0.5]),
    shape=st.sampled_from([(60, 49), (48, 64), (33, 40)]),
    phase_encode=st.sampled_from(["y", "x"]),
    noise=st.sampled_from([1e-4, 0.01, 1.0]),
    frames=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_the_zero_filled_image_gives_back_lines_and_kspace(kind, rate, shape, phase_encode, noise, frames, seed):
    image = complex_head(frames, 2, *shape, noise=noise, seed=seed)
    made = undersample(
        image, SamplingPattern(kind, rate, 0.08, seed), phase_encode=phase_encode, crop_to_support=False
    )
    found = measured(zero_filled(made), phase_encode)
    assert np.array_equal(found.mask.lines, made.mask.lines)
    # two FFTs of complex64: a millionth of the strongest sample is rounding
    torch.testing.assert_close(found.kspace, made.kspace, rtol=0, atol=1e-6 * made.kspace.abs().max().item())
    assert torch.equal(found.kspace == 0, made.kspace == 0)
    assert (found.reference, found.mask.pattern, found.noise_sigma) == (None, None, 0.0)
    assert found.matrix == found.support == shape
    assert found.mask.nominal_rate == found.mask.achieved_rate == found.effective_rate


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_brightness_and_precision_do_not_matter(dtype):
    made = undersample(complex_head(), SamplingPattern(seed=3), crop_to_support=False)
    for brightness in (1e-9, 1e9):
        image = (zero_filled(made) * brightness).to(dtype)
        assert np.array_equal(measured(image, "y").mask.lines, made.mask.lines)
    assert measured(image, "y").kspace.dtype == torch.complex64


def test_a_line_of_faint_noise_was_measured():
    """The weakest lines of a scan, a ten-thousandth of the strongest, are not taken for rounding."""
    made = undersample(complex_head(), SamplingPattern(rate=0.5), crop_to_support=False)
    kspace = made.kspace.clone()
    line = int(np.flatnonzero(made.mask.lines)[0])
    kspace[:, :, line] *= 1e-4 * kspace.norm(dim=-1).max() / kspace[:, :, line].norm(dim=-1).max()
    assert measured(inverse_fourier(kspace), "y").mask.lines[line]


def test_an_empty_slice_does_not_disturb_the_others():
    image = complex_head()
    image[:, 1] = 0
    made = undersample(image, SamplingPattern(), crop_to_support=False)
    assert np.array_equal(measured(zero_filled(made), "y").mask.lines, made.mask.lines)


def test_slices_with_lines_of_their_own_are_refused():
    """Taken together they would look like a denser mask, and holes in each would count as measured zeros."""
    image = complex_head()
    parts = [
        zero_filled(undersample(image[:, i : i + 1], SamplingPattern(seed=i), crop_to_support=False)) for i in range(3)
    ]
    with pytest.raises(ValueError, match="not all measured on the same lines"):
        measured(torch.cat(parts, 1), "y")


def test_one_block_of_lines_is_told_to_look_like_interpolation():
    kspace = centre_crop_or_pad(fourier(complex_head()), (30,), (-2,))
    interpolated = inverse_fourier(centre_crop_or_pad(kspace, (60,), (-2,)))
    found = measured(interpolated, "y")
    assert "one block" in found.mask.note
    assert found.mask.centre_lines == 30
    with_gaps = measured(zero_filled(undersample(complex_head(), SamplingPattern(), crop_to_support=False)), "y")
    assert with_gaps.mask.note == ""


def test_the_rates_are_said_without_a_nominal_one():
    made = undersample(complex_head(), SamplingPattern(), crop_to_support=False)
    text = measured(zero_filled(made), "y").describe_rate()
    assert text == f"as measured, {made.mask.achieved_rate:.1%} of the lines"


@pytest.mark.parametrize(
    ("image", "phase_encode", "said"),
    [
        (complex_head().abs(), "y", "magnitude image has lost its k-space"),
        (complex_head(), "y", "along y holds signal"),
        (torch.zeros(1, 2, 40, 40, dtype=torch.complex64), "y", "zero everywhere"),
        (complex_head()[0], "y", "four axes"),
        (complex_head(), "z", "'y' or 'x', not 'z'"),
    ],
)
def test_what_was_not_undersampled_is_refused(image, phase_encode, said):
    with pytest.raises(ValueError, match=said):
        measured(image, phase_encode)


def test_lines_along_the_other_axis_are_not_seen_along_this_one():
    made = undersample(complex_head(), SamplingPattern(), phase_encode="x", crop_to_support=False)
    with pytest.raises(ValueError, match="choose the other phase-encode axis"):
        measured(zero_filled(made), "y")


@pytest.mark.parametrize("n_lines", [40, 41])
@pytest.mark.parametrize("acs", [0.0, 0.1, 1.0])
def test_centre_lines_are_the_acs_of_a_mask_without_touching_neighbours(n_lines, acs):
    lines = make(SamplingPattern(MaskKind.CENTRE, max(acs, 1 / n_lines)), n_lines).lines.copy()
    lines[n_lines // 2] = acs > 0
    assert SamplingMask(lines, None).centre_lines == (max(1, round(acs * n_lines)) if acs else 0)
    lines[0] = True  # far away, or at the end of a complete mask
    assert SamplingMask(lines, None).centre_lines == (max(1, round(acs * n_lines)) if acs else 0)
