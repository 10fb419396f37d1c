from dataclasses import replace

import pytest
import torch
from torch import nn

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleCascade
from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.fourier import fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.undersampling import undersample, zero_filled
from napari_mritransfer.recon.hybrid import phase_encode_last, to_hybrid
from napari_mritransfer.recon.network import ReconstructionStopped, reconstruct
from napari_mritransfer.recon.precision import autocast_for, use_bfloat16
from napari_mritransfer.recon.scaling import intensity_scale

pytestmark = pytest.mark.usefixtures("one_thread")

PATTERN = SamplingPattern(rate=0.4, seed=2)
axes = pytest.mark.parametrize("phase_encode", ["y", "x"])


class ZeroFilling(nn.Module):
    """The reconstruction that adds nothing; remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, kspace, mask, axes, maps=None):
        self.seen.append((kspace.clone(), mask.clone(), axes))
        return inverse_fourier(kspace, axes)


class Combining(nn.Module):
    """Zero-filled coils combined with their maps."""

    def forward(self, kspace, mask, axes, maps):
        return combine(inverse_fourier(kspace, axes), maps)


def volume(frames=2, slices=3, rows=26, columns=21):
    generator = torch.Generator().manual_seed(0)
    return 500 * torch.rand((frames, slices, rows, columns), generator=generator).sqrt()


@axes
def test_a_network_that_adds_nothing_gives_the_zero_filled_image(phase_encode):
    measurement = undersample(volume(), PATTERN, phase_encode=phase_encode)
    image = reconstruct(measurement, ZeroFilling())
    assert image.dtype == torch.complex64
    torch.testing.assert_close(image, zero_filled(measurement), rtol=1e-5, atol=1e-3)


@axes
def test_networks_see_the_phase_encode_last_and_one_brightness(phase_encode):
    measurement = undersample(volume(), PATTERN, phase_encode=phase_encode)
    network = ZeroFilling()
    reconstruct(measurement, network)
    n_lines = 26 if phase_encode == "y" else 21
    for kspace, mask, transformed in network.seen:
        assert transformed == (-1,)
        assert kspace.shape == (2, 26 + 21 - n_lines, n_lines)
        assert mask.shape == (2, 1, n_lines)
        assert torch.equal(mask[0, 0], torch.from_numpy(measurement.mask.lines))
        assert torch.count_nonzero(kspace[..., ~mask[0, 0]]) == 0
        brightest = inverse_fourier(kspace, (-1,)).abs().flatten(1).quantile(0.99, dim=1)
        torch.testing.assert_close(brightest, torch.ones(2), rtol=0.05, atol=0)


@axes
def test_a_real_network_agrees_with_data_in_full_kspace(phase_encode):
    """Hybrid space is a way to compute; the answer is that of the network on the transposed 2-D problem."""
    torch.manual_seed(0)
    measurement = undersample(volume(1, 1), PATTERN, phase_encode=phase_encode)
    network = DCCNN(2, 2, 4)
    scale = intensity_scale(to_hybrid(measurement.kspace[0], phase_encode))
    kspace = phase_encode_last(measurement.kspace[0], phase_encode) / scale
    with torch.no_grad():
        expected = network(kspace, torch.from_numpy(measurement.mask.lines)) * scale
    image = reconstruct(measurement, network)[0]
    torch.testing.assert_close(image, phase_encode_last(expected, phase_encode), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("network", [DCCNN(1, 2, 3), MultiscaleCascade(1, (3, 4), 2)], ids=["dccnn", "multiscale"])
@pytest.mark.parametrize("factor", [1e-6, 2.0, 1e6])
def test_units_of_the_scanner_do_not_matter(network, factor):
    one = reconstruct(undersample(volume(), PATTERN), network)
    other = reconstruct(undersample(volume() * factor, PATTERN), network)
    assert (other / factor - one).abs().max() < 1e-4 * one.abs().max()


def test_frames_and_slices_keep_their_places():
    image = volume(3, 4, 10, 12) * torch.arange(1, 13).reshape(3, 4, 1, 1)
    result = reconstruct(undersample(image, SamplingPattern(rate=1.0)), ZeroFilling())
    torch.testing.assert_close(result.abs(), image, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("frames", "slices"), [(2, 3), (1, 5)])
def test_slices_are_counted(frames, slices):
    """Of all frames, and also where the last pass has one slice only."""
    told = []
    measurement = undersample(volume(frames, slices), PATTERN)
    image = reconstruct(measurement, ZeroFilling(), on_slice=lambda done, total: told.append((done, total)))
    assert told == [(i, frames * slices) for i in range(1, frames * slices + 1)]
    assert image.shape[:2] == (frames, slices)


@axes
def test_every_slice_is_combined_with_its_own_maps(phase_encode):
    everything = undersample(volume(), SamplingPattern(rate=1.0), phase_encode=phase_encode, crop_to_support=False)
    maps = torch.randn((3, 4, 26, 21), dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    maps = maps / maps.abs().square().sum(1, keepdim=True).sqrt()
    coils = expand(everything.reference.flatten(0, 1), torch.cat([maps, maps])).unflatten(0, (2, 3))
    image = reconstruct(replace(everything, kspace=fourier(coils), maps=maps), Combining())
    torch.testing.assert_close(image, everything.reference, rtol=1e-4, atol=1e-2)


@axes
@pytest.mark.parametrize("network", [DCCNN(2, 3, 4), MultiscaleCascade(2, (3, 4), 2)], ids=["dccnn", "multiscale"])
def test_a_slice_looks_the_same_whatever_shares_the_pass_with_it(network, phase_encode):
    together = reconstruct(undersample(volume(1, 3), PATTERN, phase_encode=phase_encode), network)
    for index in range(3):
        alone = undersample(volume(1, 3)[:, [index]], PATTERN, phase_encode=phase_encode, support=(26, 21))
        torch.testing.assert_close(reconstruct(alone, network)[:, 0], together[:, index], rtol=1e-4, atol=1e-2)


def test_it_stops_between_two_passes():
    network = ZeroFilling()
    with pytest.raises(ReconstructionStopped):
        reconstruct(undersample(volume(), PATTERN), network, should_stop=lambda: len(network.seen) == 2)
    assert len(network.seen) == 2


def test_empty_slices_stay_empty_and_finite():
    image = volume()
    image[0, 1] = 0
    image[1] = 0
    image[1, 2, 5, 5] = 7.0  # almost all air
    result = reconstruct(undersample(image, PATTERN), ZeroFilling())
    assert result.isfinite().all()
    assert torch.count_nonzero(result[0, 1]) == 0
    assert result[1, 2].abs().max() > 1
    assert reconstruct(undersample(image, PATTERN), DCCNN(1, 2, 3)).isfinite().all()


def test_no_gradients_and_evaluation_mode():
    network = nn.Sequential(ZeroFilling())
    network.forward = network[0].forward
    assert network.train().training
    assert not reconstruct(undersample(volume(), PATTERN), network).requires_grad
    assert not network.training


def test_the_intensity_scale_is_one_number_per_slice_taken_from_what_was_measured():
    kspace = fourier(torch.stack([torch.full((8, 8), value) for value in (0.0, 2.0, 50.0)]), (-1,))
    torch.testing.assert_close(intensity_scale(kspace).flatten(), torch.tensor([1.0, 2.0, 50.0]))


def test_a_slice_that_is_almost_all_air_is_scaled_by_its_brightest_voxel():
    image = torch.zeros(1, 20, 20)
    image[0, 3, 4] = 7.0
    assert intensity_scale(fourier(image, (-1,))).item() == pytest.approx(7.0, rel=1e-5)


@axes
def test_hybrid_space_is_kspace_along_the_phase_encode_only(phase_encode):
    image = volume(1, 2).to(torch.complex64)
    axis = -2 if phase_encode == "y" else -1
    expected = phase_encode_last(fourier(image, (axis,)), phase_encode)
    torch.testing.assert_close(to_hybrid(fourier(image), phase_encode), expected, rtol=1e-4, atol=1e-2)
    assert torch.equal(phase_encode_last(phase_encode_last(image, phase_encode), phase_encode), image)


def test_autocast_reaches_the_convolutions_when_asked_for():
    device = torch.device("cpu")
    assert use_bfloat16(device, "bfloat16")
    assert not use_bfloat16(device, "float32")
    torch.manual_seed(0)
    measurement, network = undersample(volume(), PATTERN), DCCNN(1, 2, 3)
    exact = reconstruct(measurement, network, autocast=autocast_for(device, "float32"))
    fast = reconstruct(measurement, network, autocast=autocast_for(device, "bfloat16"))
    assert fast.dtype == torch.complex64
    assert 0 < (fast - exact).abs().max() < 0.05 * exact.abs().max()
