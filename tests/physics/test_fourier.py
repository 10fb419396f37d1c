import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier

pytestmark = pytest.mark.usefixtures("one_thread")

sizes = st.integers(1, 24)
seeds = st.integers(0, 99)
axes_sets = st.sampled_from([(-2, -1), (-1,), (-2,), (0, 2), (1, -1, 0)])


def drawn(*shape, seed=0):
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def dot(a, b):
    return torch.vdot(a.flatten(), b.flatten())


@given(shape=st.tuples(sizes, sizes, sizes), axes=axes_sets, seed=seeds)
def test_the_transform_and_its_adjoint_agree(shape, axes, seed):
    """<F x, y> = <x, Fᴴ y>, and Fᴴ undoes F."""
    x, y = drawn(*shape, seed=seed), drawn(*shape, seed=seed + 1)
    torch.testing.assert_close(dot(fourier(x, axes), y), dot(x, inverse_fourier(y, axes)), rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(inverse_fourier(fourier(x, axes), axes), x)


@given(shape=st.tuples(sizes, sizes), axes=st.sampled_from([(-2, -1), (-1,), (0,)]), seed=seeds)
def test_it_is_numpys_centred_orthonormal_transform(shape, axes, seed):
    image = drawn(*shape, seed=seed)
    shifted = np.fft.ifftshift(image.numpy(), axes=axes)
    expected = np.fft.fftshift(np.fft.fftn(shifted, axes=axes, norm="ortho"), axes=axes)
    np.testing.assert_allclose(fourier(image, axes).numpy(), expected, atol=1e-12)


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 4),
    axes=st.lists(st.integers(-4, 3), min_size=1, max_size=4, unique_by=lambda axis: axis % 4),
    kind=st.sampled_from(["complex", "real", "transposed", "conjugated", "repeated", "whole numbers"]),
    block=st.sampled_from([1, 40, 2**18]),
    seed=seeds,
)
def test_signs_in_place_of_shifts_change_nothing_else(shape, axes, kind, block, seed):
    """Any mixture of odd and even lengths, any axes, whatever lies in memory in whatever order; in both directions."""
    array = drawn(*shape, seed=seed).to(torch.complex64)
    array = array.real.contiguous() if kind == "real" else array
    array = array.transpose(0, 2) if kind == "transposed" else array
    array = array.conj() if kind == "conjugated" else array
    array = array[:1].expand(*shape) if kind == "repeated" else array
    array = (100 * array.real).long() if kind == "whole numbers" else array
    before = array.clone()
    for centred, plain in ((fourier, torch.fft.fftn), (inverse_fourier, torch.fft.ifftn)):
        shifted = plain(torch.fft.ifftshift(array, dim=axes), dim=axes, norm="ortho")
        expected = torch.fft.fftshift(shifted, dim=axes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("napari_mritransfer.physics.fourier._BLOCK", block)
            found = centred(array, axes)
        assert found.dtype == expected.dtype
        assert (found - expected).abs().max() <= 1e-6 * max(1, expected.abs().max())
    assert torch.equal(array, before)


@pytest.mark.parametrize("shape", [(4, 5), (6, 4), (5, 3)])
@pytest.mark.parametrize("axes", [(-2, -1), (-1,), (0,)])
def test_gradients_pass_through_signs_and_shifts(shape, axes):
    image = drawn(2, *shape).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: inverse_fourier(fourier(x, axes).abs(), axes), image)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_volume_in_blocks_is_what_it_would_be_in_one_go(dtype):
    """64 slices are more than a block; where a gradient is wanted, they are transformed in one go."""
    volume = drawn(64, 72, 90).to(dtype)
    learning = fourier(volume.clone().requires_grad_())
    assert learning.requires_grad
    whole = learning.detach()
    torch.testing.assert_close(fourier(volume), whole)
    torch.testing.assert_close(fourier(volume.unflatten(0, (4, 16))), whole.unflatten(0, (4, 16)))
    torch.testing.assert_close(fourier(volume.conj()), inverse_fourier(volume).conj())
    torch.testing.assert_close(fourier(volume.mT), whole.mT)


def test_what_inference_has_seen_can_still_be_trained():
    """The signs are kept from call to call, and a tensor made in inference mode could not take part in training."""
    with torch.inference_mode():
        fourier(drawn(1, 22, 26))
    image = drawn(1, 22, 26).requires_grad_()
    fourier(image).abs().sum().backward()
    assert image.grad is not None


@given(shape=st.tuples(sizes, sizes), seed=seeds)
def test_energy_is_kept(shape, seed):
    image = drawn(*shape, seed=seed)
    torch.testing.assert_close(fourier(image).norm(), image.norm())


@pytest.mark.parametrize("rows", [63, 64])
@pytest.mark.parametrize("columns", [65, 66])
def test_a_centred_gaussian_becomes_a_centred_gaussian(rows, columns):
    """exp(−πx²/w²) transforms to w exp(−πk²w²): at odd and even sizes, real, without a half-pixel phase ramp."""

    def gaussian(n, width):
        x = torch.arange(n, dtype=torch.float64) - n // 2
        return torch.exp(-math.pi * (x / width) ** 2)

    w, v = 7.0, 9.0
    kspace = fourier(gaussian(rows, w)[:, None] * gaussian(columns, v)[None, :])
    expected = w * v / math.sqrt(rows * columns) * gaussian(rows, rows / w)[:, None] * gaussian(columns, columns / v)
    torch.testing.assert_close(kspace.real, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(kspace.imag, torch.zeros_like(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_dc_is_in_the_middle(n):
    kspace = fourier(torch.ones(n, n, dtype=torch.float64))
    assert kspace[n // 2, n // 2].real.item() == pytest.approx(n)
    kspace[n // 2, n // 2] = 0
    assert kspace.abs().max() < 1e-12
    point = torch.zeros(n, n, dtype=torch.float64)
    point[n // 2, n // 2] = 1
    torch.testing.assert_close(fourier(point), torch.full((n, n), 1 / n, dtype=torch.complex128))


def test_single_precision_stays_single():
    assert fourier(torch.ones(4, 4)).dtype == torch.complex64
    assert inverse_fourier(torch.ones(4, 4, dtype=torch.complex64)).dtype == torch.complex64


@given(old=st.tuples(sizes, sizes), new=st.tuples(sizes, sizes), seed=seeds)
def test_cropping_and_padding_are_adjoint_and_keep_the_centre(old, new, seed):
    x, y = drawn(2, *old, seed=seed), drawn(2, *new, seed=seed + 1)
    torch.testing.assert_close(
        dot(centre_crop_or_pad(x, new), y), dot(x, centre_crop_or_pad(y, old)), rtol=1e-12, atol=1e-10
    )
    changed = centre_crop_or_pad(x, new)
    assert changed.shape == (2, *new)
    assert torch.equal(changed[:, new[0] // 2, new[1] // 2], x[:, old[0] // 2, old[1] // 2])


@given(small=st.tuples(sizes, sizes), more=st.tuples(sizes, sizes), seed=seeds)
def test_padding_then_cropping_gives_the_array_back(small, more, seed):
    x = drawn(*small, seed=seed)
    padded = centre_crop_or_pad(x, [n + m for n, m in zip(small, more, strict=True)])
    assert torch.equal(centre_crop_or_pad(padded, small), x)
    torch.testing.assert_close(padded.norm(), x.norm())


def test_every_size_needs_its_axis():
    with pytest.raises(ValueError, match="zip"):
        centre_crop_or_pad(torch.zeros(4, 4), (2,))


@given(rows=sizes, columns=sizes, along_rows=st.booleans(), seed=seeds)
def test_undersampled_transform_and_its_adjoint_agree(rows, columns, along_rows, seed):
    """<M F x, y> = <x, Fᴴ M y>: the one identity that data consistency stands on."""
    mask = torch.rand(rows if along_rows else columns, generator=torch.Generator().manual_seed(seed)) < 0.4
    mask = mask[:, None] if along_rows else mask
    x, y = drawn(rows, columns, seed=seed), drawn(rows, columns, seed=seed + 1)
    forward = torch.where(mask, fourier(x), 0)
    adjoint = inverse_fourier(torch.where(mask, y, 0))
    torch.testing.assert_close(dot(forward, y), dot(x, adjoint), rtol=1e-12, atol=1e-10)
