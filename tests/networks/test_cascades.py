import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from napari_mritransfer.networks.consistency import DataConsistency, Samples, as_channels, as_complex
from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleBlock, MultiscaleCascade, UpConvolution
from napari_mritransfer.physics.fourier import fourier, inverse_fourier

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = {
    "dccnn": lambda **options: DCCNN(2, 3, 4, **options),
    "multiscale": lambda **options: MultiscaleCascade(2, (4, 6), 2, **options),
    "three scales, unfolded": lambda **options: MultiscaleCascade(1, (3, 4, 5), 1, **options),
    "one scale": lambda **options: MultiscaleCascade(1, (4,), 3, **options),
}
networks = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())


def drawn(*shape, dtype=torch.complex64, seed=0):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def measured(batch=2, rows=12, columns=10, axes=(-2, -1), dtype=torch.complex64, seed=0):
    """Masked k-space of a random image, the mask over columns, and the image."""
    image = drawn(batch, rows, columns, dtype=dtype, seed=seed)
    mask = torch.rand(columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[columns // 2] = True
    return torch.where(mask, fourier(image, axes), 0), mask, image


@given(rows=st.integers(1, 16), columns=st.integers(1, 16), seed=st.integers(0, 99), one_axis=st.booleans())
def test_hard_consistency_restores_what_was_measured_and_nothing_else(rows, columns, seed, one_axis):
    axes = (-1,) if one_axis else (-2, -1)
    kspace, mask, _ = measured(2, rows, columns, axes, torch.complex128, seed)
    guess = drawn(2, rows, columns, dtype=torch.complex128, seed=seed + 1)
    result = fourier(DataConsistency(noise_weighted=False)(guess, Samples.of(kspace, mask, axes)), axes)
    torch.testing.assert_close(result, torch.where(mask, kspace, fourier(guess, axes)))


@pytest.mark.parametrize("weight", [0.1, 1.0, 20.0, 1e6])
def test_weighted_consistency_is_the_formula_of_the_paper(weight):
    """Schlemper et al., eq. 6: (k + λ k₀) / (1 + λ) where measured, k elsewhere."""
    kspace, mask, _ = measured(dtype=torch.complex128)
    guess = drawn(2, 12, 10, dtype=torch.complex128, seed=1)
    layer = DataConsistency(initial_lambda=weight).double()
    k = fourier(guess)
    expected = torch.where(mask, (k + weight * kspace) / (1 + weight), k)
    result = fourier(layer(guess, Samples.of(kspace, mask, (-2, -1))))
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-6)


def test_the_weight_is_learned_and_forgotten():
    layer = DataConsistency(initial_lambda=5.0)
    kspace, mask, image = measured()
    layer(torch.zeros_like(image), Samples.of(kspace, mask, (-2, -1))).abs().sum().backward()
    assert layer.log_lambda.grad.item() > 0
    nn.init.zeros_(layer.log_lambda)
    layer.reset_parameters()
    assert layer.log_lambda.exp().item() == pytest.approx(5.0)
    assert list(DataConsistency(noise_weighted=False).parameters()) == []


@networks
@pytest.mark.parametrize("axes", [(-2, -1), (-1,)])
def test_a_complete_measurement_with_hard_consistency_is_the_image(make, axes):
    image = drawn(2, 11, 14)
    network = make(noise_weighted=False)
    result = network(fourier(image, axes), torch.ones(14, dtype=torch.bool), axes)
    torch.testing.assert_close(result, image, rtol=1e-5, atol=1e-5)


@networks
@pytest.mark.parametrize("noise_weighted", [True, False])
def test_hybrid_space_gives_what_full_kspace_gives(make, noise_weighted):
    """The readout is fully sampled, so that transforming it or not is the same measurement and the same answer."""
    network = make(noise_weighted=noise_weighted)
    kspace, mask, _ = measured(2, 13, 18)
    hybrid = inverse_fourier(kspace, (-2,))
    full = network(kspace, mask.expand(13, 18), (-2, -1))
    torch.testing.assert_close(network(hybrid, mask[None, None], (-1,)), full, rtol=1e-4, atol=1e-5)


@networks
@settings(max_examples=12)
@given(batch=st.integers(1, 3), rows=st.integers(1, 17), columns=st.integers(1, 17))
def test_any_size_and_any_batch(make, batch, rows, columns):
    kspace, mask, _ = measured(batch, rows, columns)
    image = make()(kspace, mask)
    assert image.shape == kspace.shape
    assert image.dtype == torch.complex64
    assert image.isfinite().all()


@networks
def test_slices_of_a_batch_do_not_see_each_other(make):
    network = make().double()
    kspace, mask, _ = measured(3, dtype=torch.complex128)
    alone = torch.cat([network(slice_, mask) for slice_ in kspace.split(1)])
    torch.testing.assert_close(network(kspace, mask), alone)


@networks
def test_half_precision_convolutions_give_single_precision_images(make):
    network = make()
    kspace, mask, _ = measured()
    with torch.autocast("cpu", torch.bfloat16):
        image = network(kspace, mask)
    assert image.dtype == torch.complex64
    reference = network(kspace, mask)
    error = (image - reference).abs().max().item()
    assert 0 < error < 0.05 * reference.abs().max().item()  # 0 would mean that autocast never reached the convolutions


def test_channels_are_real_and_imaginary_and_lie_as_convolutions_like_them():
    image = drawn(3, 8, 6)
    channels = as_channels(image)
    assert torch.equal(channels, torch.stack([image.real, image.imag], 1))
    assert channels.is_contiguous(memory_format=torch.channels_last)
    assert channels.data_ptr() == image.data_ptr()  # no copy
    assert torch.equal(as_complex(channels), image)
    assert torch.equal(as_complex(channels.contiguous()), image)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.bfloat16, torch.complex64),
        (torch.float16, torch.complex64),
        (torch.float32, torch.complex64),
        (torch.float64, torch.complex128),
    ],
)
def test_complex_images_have_single_precision_at_least(dtype, expected):
    assert as_complex(torch.zeros(1, 2, 3, 4, dtype=dtype)).dtype == expected


def test_the_cascade_is_differentiable():
    network = MultiscaleCascade(1, (2, 2), 2).double()
    kspace, mask, _ = measured(1, 5, 6, dtype=torch.complex128)
    assert torch.autograd.gradcheck(lambda k: network(k, mask), (kspace.requires_grad_(),))


@pytest.mark.parametrize("shape", [(7, 10), (8, 9), (5, 3)])
def test_sizes_that_do_not_divide_are_padded_at_the_far_end_and_cut_there(shape):
    """Each output pixel belongs to the input pixel of the same place, or the correction would be added shifted."""
    block = MultiscaleBlock((4, 6), 2)
    channels = torch.randn(1, 2, *shape)
    height, width = shape
    padded = torch.zeros(1, 2, height + -height % 4, width + -width % 4)
    padded[..., :height, :width] = channels
    assert torch.equal(block(channels), block(padded)[..., :height, :width])


@pytest.mark.parametrize("learns", [True, False], ids=["bias learns", "bias frozen"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["first", "last"])
@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("batch", [(2,), ()], ids=["batch", "no batch"])
def test_an_up_convolution_does_what_torchs_own_does(learns, layout, half, batch):
    torch.manual_seed(0)
    own, torchs = UpConvolution(4, 3, 2, stride=2), nn.ConvTranspose2d(4, 3, 2, stride=2)
    torchs.load_state_dict(own.state_dict())
    features = drawn(*batch, 4, 6, 5, dtype=torch.float32)
    features = features.to(memory_format=layout) if batch else features
    gradients = []
    for layer in (own, torchs):
        layer.bias.requires_grad_(learns)
        entered = features.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output = layer(entered)
            assert torch.equal(output, torchs(features))
        output.relu_().square().sum().backward()  # what it returns may be overwritten
        gradients.append([entered.grad, *(p.grad for p in layer.parameters() if p.requires_grad)])
    tolerance = {"rtol": 1e-2, "atol": 1e-1} if half else {}
    torch.testing.assert_close(*gradients, **tolerance)
    assert len(gradients[0]) == 2 + learns
    assert all(gradient.dtype == torch.float32 for gradient in gradients[0])
    with torch.no_grad():
        assert torch.equal(own(features), torchs(features))


def test_reset_begins_near_the_identity_again():
    block = MultiscaleBlock((4, 6), 2)
    bound = 0.1 / math.sqrt(4 * 9)  # torch draws from ±1/√(fan in); here a tenth of it
    nn.init.ones_(block.leave.weight)
    block.reset_parameters()
    assert 0.05 * bound < block.leave.weight.abs().max() <= bound
    assert block.leave.bias.abs().max() <= bound
    channels = torch.randn(1, 2, 8, 8)
    assert block(channels).abs().mean() < 0.3 * channels.abs().mean()


@pytest.mark.parametrize(
    "make",
    [
        lambda: DCCNN(0),
        lambda: DCCNN(depth=1),
        lambda: DCCNN(width=0),
        lambda: MultiscaleCascade(0),
        lambda: MultiscaleCascade(widths=()),
        lambda: MultiscaleCascade(widths=(8, 0)),
        lambda: MultiscaleCascade(fold=0),
        lambda: DataConsistency(initial_lambda=0.0),
        lambda: DataConsistency(initial_lambda=-1.0),
    ],
)
def test_impossible_networks_are_refused(make):
    with pytest.raises(ValueError, match=r"at least|above 0"):
        make()
