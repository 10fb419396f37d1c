import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.networks.consistency import DataConsistency, Samples
from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleCascade
from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.fourier import fourier, inverse_fourier
from napari_mritransfer.physics.simulated_coils import simulated_maps

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = {"dccnn": lambda: DCCNN(2, 3, 4), "multiscale": lambda: MultiscaleCascade(2, (4, 6), 2)}
networks = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())


def drawn(*shape, dtype=torch.complex64, seed=0):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def scene(batch=2, coils=3, rows=12, columns=10, axes=(-2, -1), seed=0):
    """Image, maps, mask of columns and masked multi-coil k-space."""
    image = drawn(batch, rows, columns, dtype=torch.complex128, seed=seed)
    maps = simulated_maps(coils, (rows, columns), seed).to(torch.complex128).expand(batch, -1, -1, -1)
    mask = torch.rand((1, 1, columns), generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[..., columns // 2] = True
    kspace = torch.where(mask[:, None], fourier(expand(image, maps), axes), 0)
    return image, maps, mask, kspace


@given(coils=st.integers(2, 5), rows=st.integers(2, 9), columns=st.integers(2, 9), seed=st.integers(0, 50))
def test_consistency_with_coils_leaves_the_true_image_alone(coils, rows, columns, seed):
    image, maps, mask, kspace = scene(2, coils, rows, columns, seed=seed)
    result = DataConsistency(noise_weighted=False).double()(image, Samples.of(kspace, mask, (-2, -1), maps))
    torch.testing.assert_close(result, image)


def test_consistency_with_coils_is_a_gradient_step_of_the_misfit():
    """d/dx of ‖M F S x − k₀‖² / 2 is what is taken off, times the weight."""
    _image, maps, mask, kspace = scene()
    guess = drawn(2, 12, 10, dtype=torch.complex128, seed=1).requires_grad_()
    misfit = torch.where(mask[:, None], fourier(expand(guess, maps)) - kspace, 0).abs().square().sum() / 2
    (gradient,) = torch.autograd.grad(misfit, guess)
    result = DataConsistency(noise_weighted=False)(guess.detach(), Samples.of(kspace, mask, (-2, -1), maps))
    torch.testing.assert_close(result, guess.detach() - gradient)


def test_consistency_with_one_coil_of_constant_sensitivity_is_the_one_without():
    image, _, mask, _ = scene()
    kspace = torch.where(mask, fourier(image), 0)
    guess = drawn(2, 12, 10, dtype=torch.complex128, seed=1)
    pull = DataConsistency(noise_weighted=True).double()
    ones = torch.ones(2, 1, 12, 10, dtype=torch.complex128)
    with_maps = pull(guess, Samples.of(kspace[:, None], mask, (-2, -1), ones))
    torch.testing.assert_close(with_maps, pull(guess, Samples.of(kspace, mask, (-2, -1))))


@networks
def test_rows_are_problems_of_their_own_with_coils_too(make):
    """Hybrid space and k-space give the same data consistency; the readout is sampled in full."""
    torch.manual_seed(0)
    network = make().double()
    _image, maps, mask, kspace = scene()
    hybrid = inverse_fourier(kspace, (-2,))
    torch.testing.assert_close(network(hybrid, mask, (-1,), maps), network(kspace, mask, (-2, -1), maps))


@networks
def test_every_weight_learns_from_several_coils(make):
    torch.manual_seed(0)
    network = make().double()
    image, maps, mask, kspace = scene()
    (network(kspace, mask, (-2, -1), maps) - image).abs().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@networks
def test_a_network_that_adds_nothing_returns_the_combined_image(make):
    network = make().double()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "blocks" in name:
                parameter.zero_()
    image, maps, mask, _kspace = scene()
    everywhere = torch.ones_like(mask)
    full = fourier(expand(image, maps))
    torch.testing.assert_close(network(full, everywhere, (-2, -1), maps), combine(inverse_fourier(full), maps))
