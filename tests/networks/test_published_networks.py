"""The published networks behind the call that all networks here share, and what their authors left open."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mritransfer.networks.istanet import ISTANetPlus, real_part_measured
from napari_mritransfer.networks.unet import NormUNet, UNet
from napari_mritransfer.networks.varnet import VarNet, low_frequencies
from napari_mritransfer.physics.fourier import fourier, inverse_fourier

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = {
    "unet": lambda: UNet(4, 2),
    "varnet": lambda: VarNet(2, 4, 2, 3, 2),
    "istanet": lambda: ISTANetPlus(2, 4),
}
networks = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())


def made(make, dtype=torch.float32):
    torch.manual_seed(0)
    return make().to(dtype).eval()


def measured(batch=2, rows=18, columns=20, axes=(-2, -1), dtype=torch.float32, coils=None, seed=0):
    """Masked k-space of positive images, with several coils if asked for, and the mask of its lines."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((batch, rows, columns), generator=generator, dtype=dtype)
    if coils:
        maps = torch.randn((batch, coils, rows, columns), generator=generator, dtype=dtype.to_complex())
        image = maps * image[:, None]
    mask = torch.rand((1, 1, columns), generator=generator) < 0.4
    mask[..., columns // 2 - 2 : columns // 2 + 2] = True
    return torch.where(mask[:, None] if coils else mask, fourier(image, axes), 0), mask


@networks
@settings(max_examples=12)
@given(batch=st.integers(1, 3), rows=st.integers(8, 21), columns=st.integers(8, 21))
def test_any_batch_and_odd_sizes(make, batch, rows, columns):
    kspace, mask = measured(batch, rows, columns)
    image = made(make)(kspace, mask)
    assert image.shape == (batch, rows, columns)
    assert image.dtype == torch.float32
    assert image.isfinite().all()


@networks
def test_hybrid_space_gives_what_full_kspace_gives(make):
    network = made(make, torch.float64)
    kspace, mask = measured(dtype=torch.float64)
    hybrid = inverse_fourier(kspace, (-2,))
    torch.testing.assert_close(network(hybrid, mask, (-1,)), network(kspace, mask))


@networks
def test_masks_may_come_with_or_without_the_axes_that_do_not_matter(make):
    network = made(make)
    kspace, mask = measured()
    expected = network(kspace, mask)
    for shaped in (mask[0, 0], mask[0], mask.expand(2, -1, -1), mask.expand(2, 18, -1)):
        assert torch.equal(network(kspace, shaped), expected)


@networks
def test_slices_of_a_batch_do_not_see_each_other(make):
    network = made(make, torch.float64)
    kspace, mask = measured(3, dtype=torch.float64)
    alone = torch.cat([network(slice_, mask) for slice_ in kspace.split(1)])
    torch.testing.assert_close(network(kspace, mask), alone)


@networks
def test_the_scale_of_kspace_does_not_matter(make):
    """Each finds its own: by deviation, by the network's norms, by the maximum."""
    network = made(make, torch.float64)
    kspace, mask = measured(dtype=torch.float64)
    torch.testing.assert_close(network(1000 * kspace, mask), 1000 * network(kspace, mask), rtol=1e-6, atol=1e-6)


@networks
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_an_empty_slice_among_others_stays_finite(make, value):
    """Upstream's VarNet divides by a deviation of 0 there, and by maps that are 0."""
    network = made(make)
    kspace, mask = measured()
    expected = network(kspace, mask)
    kspace[1] = torch.where(mask[0], fourier(torch.full((18, 20), value)), 0)
    image = network(kspace, mask)
    assert image.isfinite().all()
    torch.testing.assert_close(image[0], expected[0])
    image.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@networks
def test_half_precision_convolutions_give_single_precision_images(make):
    network = made(make)
    kspace, mask = measured()
    expected = network(kspace, mask)
    with torch.autocast("cpu", torch.bfloat16):
        image = network(kspace, mask)
    assert image.dtype == torch.float32
    error = (image - expected).abs().max().item()
    assert 0 < error < 0.2 * expected.abs().max().item()


@pytest.mark.parametrize("make", [NETWORKS["unet"], NETWORKS["varnet"]], ids=["unet", "varnet"])
def test_several_coils_become_one_image(make):
    network = made(make)
    kspace, mask = measured(coils=3)
    image = network(kspace, mask)
    assert image.shape == (2, 18, 20)
    hybrid = inverse_fourier(kspace, (-2,))
    torch.testing.assert_close(network(hybrid, mask, (-1,)), image, rtol=1e-3, atol=1e-4)


def test_one_coil_is_a_coil_axis_of_one():
    network = made(NETWORKS["varnet"])
    kspace, mask = measured()
    assert torch.equal(network(kspace[:, None], mask), network(kspace, mask))


def test_ista_net_refuses_coils():
    kspace, mask = measured(coils=2)
    with pytest.raises(ValueError, match=r"knows a single coil; combine the coils first"):
        made(NETWORKS["istanet"])(kspace, mask)


def test_varnet_refuses_masks_of_two_dimensions():
    kspace, _ = measured()
    mask = torch.rand(1, 18, 20) < 0.5
    with pytest.raises(ValueError, match=r"differs from row to row; choose another mask"):
        made(NETWORKS["varnet"])(torch.where(mask, kspace, 0), mask)


def test_ista_net_takes_masks_of_two_dimensions():
    kspace, _ = measured()
    mask = torch.rand(1, 18, 20) < 0.5
    assert made(NETWORKS["istanet"])(torch.where(mask, kspace, 0), mask).isfinite().all()


@given(rows=st.integers(2, 11), columns=st.integers(2, 11), seed=st.integers(0, 99))
def test_shifting_image_kspace_and_mask_changes_nothing(rows, columns, seed):
    """The network's plain FFTs with DC at [0, 0] are the centred ones with DC in the centre."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((2, rows, columns), generator=generator, dtype=torch.float64)
    mask = torch.rand((rows, columns), generator=generator) < 0.5
    for axes, lines in (((-2, -1), mask), ((-1,), mask[:1])):
        centred = inverse_fourier(torch.where(lines, fourier(image, axes), 0), axes).real
        torch.testing.assert_close(real_part_measured(image, torch.fft.ifftshift(lines, dim=axes), axes), centred)


def test_the_symmetry_loss_is_there_in_training_only():
    network = made(NETWORKS["istanet"], torch.float64)
    kspace, mask = measured(dtype=torch.float64)
    network.train()
    trained = network(kspace, mask)
    peak = inverse_fourier(kspace).real.amax((-2, -1), keepdim=True)
    zero_filled = (inverse_fourier(kspace).real / peak)[:, None]
    _, residuals = network.unfold(zero_filled, torch.fft.ifftshift(mask, dim=(-1,))[:, None])
    expected = 0.01 * sum(residual.square().mean() for residual in residuals)
    torch.testing.assert_close(network.auxiliary_loss, expected)
    network.auxiliary_loss.backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "conv1_backward" in name)
    assert torch.equal(network.eval()(kspace, mask), trained)
    assert network.auxiliary_loss is None


def test_a_full_measurement_of_a_real_image_needs_no_gradient_step():
    kspace = fourier(torch.rand(1, 12, 10, dtype=torch.float64))
    network = made(NETWORKS["istanet"], torch.float64)
    for layer in network.fcs:
        torch.nn.init.zeros_(layer.conv_G)
    result = network(kspace, torch.ones(1, 1, 10, dtype=torch.bool))
    torch.testing.assert_close(result, inverse_fourier(kspace).real)


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        ("0011100", 2),  # DC at 3: one line left of it, two from it on
        ("0111110", 4),
        ("00111100", 4),
        ("0001000", 1),
        ("0000000", 1),
        ("11110000", 1),  # a run that reaches the edge counts as none: upstream's rule
        ("1111111", 1),
    ],
)
def test_the_centre_is_counted_as_upstream_counts_it(lines, columns):
    mask = torch.tensor([letter == "1" for letter in lines])
    assert low_frequencies(mask).item() == columns
    assert low_frequencies(mask.expand(2, 1, 1, -1)).tolist() == [[[columns]]] * 2


def test_the_padding_of_the_normalised_u_net_is_taken_off_again():
    torch.manual_seed(0)
    network = NormUNet(2, 2).double().eval()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)  # the U-Net returns 0, so that only the mean is left
    image = torch.randn(2, 13, 22, dtype=torch.complex128)
    torch.testing.assert_close(network(image), image.mean((-2, -1), keepdim=True).expand_as(image))


def test_what_callers_have_to_know_is_declared():
    assert (UNet.finds_own_maps, VarNet.finds_own_maps, VarNet.takes_planes) == (True, True, False)
    told = {make: (c.takes_complex, c.works_on_strips, c.returns_magnitude, c.needs_image_crop) for make, c in
            {"unet": UNet, "varnet": VarNet, "istanet": ISTANetPlus}.items()}  # fmt: skip
    assert told == {
        "unet": (True, False, True, True),
        "varnet": (True, False, True, False),
        "istanet": (False, False, True, False),
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: UNet(0),
        lambda: UNet(4, 0),
        lambda: UNet(4, 9),
        lambda: UNet(drop_prob=1.0),
        lambda: VarNet(0),
        lambda: VarNet(33),
        lambda: VarNet(1, 0),
        lambda: ISTANetPlus(0),
        lambda: ISTANetPlus(1, 0),
    ],
)
def test_impossible_networks_are_refused(make):
    with pytest.raises(ValueError, match="at least 1"):
        make()


def test_images_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match=r"Images of 7 × 9 are too small for a U-Net with 3 pools; use one with fewer"):
        made(lambda: UNet(2, 3))(*measured(1, 7, 9))


def test_a_part_of_another_network_is_no_network():
    with pytest.raises(ValueError, match="part of another network"):
        made(lambda: UNet(2, 1, in_chans=2, out_chans=2))(*measured())
