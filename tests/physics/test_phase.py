import pytest
import torch

from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.phase import smooth_phase


def hermitian_error(image):
    """How far k-space is from ``conj(k(-k))``, which it equals where the image is real; of odd sizes, for DC's sake."""
    kspace = fourier(image)
    return float((kspace - kspace.flip(-2, -1).conj()).norm() / kspace.norm())


@pytest.mark.parametrize("seed", range(5))
def test_phasors_have_unit_magnitude_and_change_slowly(seed):
    phasors = smooth_phase((96, 80), seed)
    assert phasors.dtype == torch.complex64
    assert torch.allclose(phasors.abs(), torch.ones(96, 80))
    for axis in (0, 1):
        ahead, here = phasors.narrow(axis, 1, phasors.shape[axis] - 1), phasors.narrow(axis, 0, phasors.shape[axis] - 1)
        assert (ahead * here.conj()).angle().abs().max() < 0.3
        assert (ahead * here.conj()).angle().abs().max() > 0


def test_one_seed_is_one_phase_on_any_matrix():
    small, large = smooth_phase((33, 17), 4), smooth_phase((65, 33), 4)
    assert torch.allclose(large[::2, ::2], small, atol=1e-5)
    assert not torch.allclose(smooth_phase((33, 17), 5), small)


def test_with_a_phase_the_halves_of_kspace_no_longer_tell_each_other():
    image = torch.rand(63, 51, generator=torch.Generator().manual_seed(0))
    assert hermitian_error(image) < 1e-5
    assert hermitian_error(image * smooth_phase((63, 51), 0)) > 0.3
