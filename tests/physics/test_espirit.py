import numpy as np
import pytest
import torch
from coil_scan import ACS, coil_scan, wrapped_kspace
from sigpy.mri.app import EspiritCalib

from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.espirit import espirit, wrapped_share, wraps
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.physics.sensitivity import low_frequency_maps

pytestmark = pytest.mark.usefixtures("one_thread")


def likeness(maps, other):
    """|<a, b>| over the coils in every voxel: 1 where both mean the same one-dimensional subspace."""
    return combine(maps, other).abs()


def test_maps_agree_with_sigpys():
    scan = coil_scan()
    found = espirit(scan.kspace, ACS)
    sigpys = torch.from_numpy(EspiritCalib(scan.kspace.numpy(), calib_width=ACS[0], crop=0, show_pbar=False).run())
    assert likeness(found.maps[0], sigpys)[scan.inside].min() > 0.99


def test_maps_are_those_of_the_array_inside_the_object():
    scan = coil_scan(sigma=0.002)
    found = espirit(scan.kspace, ACS)
    close = likeness(found.maps[0], scan.maps)[scan.inside]
    assert close.median() > 0.999
    assert close.quantile(0.05) > 0.99
    assert found.eigenvalues[0][scan.inside].min() > 0.95


@pytest.mark.parametrize("size", [(48, 41), (45, 50)])
def test_norms_are_one_or_zero_and_eigenvalues_lie_between(size):
    found = espirit(coil_scan(size).kspace, ACS, n_sets=2)
    norms = torch.linalg.vector_norm(found.maps, dim=1)
    kept = found.eigenvalues > found.crop
    torch.testing.assert_close(norms, kept.float())
    assert kept[0].any()
    assert (found.eigenvalues >= 0).all()
    assert (found.eigenvalues <= 1).all()
    assert (found.eigenvalues[0] >= found.eigenvalues[1]).all()


def test_the_phase_is_that_of_the_low_frequency_maps():
    scan = coil_scan(sigma=0.002)
    both = combine(espirit(scan.kspace, ACS).maps[0], low_frequency_maps(scan.kspace, ACS))
    assert both[scan.inside].angle().abs().quantile(0.95) < 0.1


def test_a_head_that_fits_needs_one_set_and_one_that_wraps_needs_two():
    scan = coil_scan()
    fits, wrapped = espirit(scan.kspace, ACS, n_sets=2), espirit(wrapped_kspace()[0], ACS, n_sets=2)
    assert wrapped_share(fits) < 0.03
    assert not wraps(fits)
    assert wrapped_share(wrapped) > 0.15
    assert wraps(wrapped)


def test_two_sets_explain_a_wrapped_head_that_one_cannot():
    kspace, _ = wrapped_kspace(sigma=0)
    coil_images = inverse_fourier(kspace)
    maps = espirit(kspace, ACS, n_sets=2).maps
    left = []
    for used in (maps[:1], maps):
        explained = expand(combine(coil_images, used), used).sum(0)
        bright = torch.linalg.vector_norm(coil_images, dim=0) > 0.2
        left.append(float((coil_images - explained)[:, bright].norm() / coil_images[:, bright].norm()))
    assert left[1] < 0.4 * left[0]


@pytest.mark.parametrize("sigma", [0.03, 0.1, 0.2])
def test_noise_does_not_pass_for_a_second_place(sigma):
    scan = coil_scan(sigma=sigma)
    assert wrapped_share(espirit(scan.kspace, ACS, n_sets=2, sigma=sigma)) < 0.03
    if sigma > 0.05:
        assert wraps(espirit(scan.kspace, ACS, n_sets=2))  # or the noise would not matter here


def test_an_empty_slice_has_empty_maps():
    found = espirit(torch.zeros(4, 32, 32, dtype=torch.complex64), ACS, n_sets=2)
    assert torch.count_nonzero(found.maps) == 0
    assert torch.isfinite(found.eigenvalues).all()
    assert not wraps(found)


def test_double_precision_is_kept():
    found = espirit(coil_scan((32, 32), n_coils=3).kspace.to(torch.complex128), ACS)
    assert found.maps.dtype == torch.complex128
    assert found.eigenvalues.dtype == torch.float64


def test_what_cannot_be_estimated_is_said():
    kspace = coil_scan((32, 32), n_coils=2).kspace
    with pytest.raises(ValueError, match=r"\(ACS\) has 4 × 20 samples"):
        espirit(kspace, (4, 20))
    with pytest.raises(ValueError, match="2 coils have 1 to 2 sets"):
        espirit(kspace, ACS, n_sets=3)
    with pytest.raises(ValueError, match="estimate two"):
        wrapped_share(espirit(kspace, ACS))
    assert np.isfinite(espirit(kspace, ACS, n_sets=2).maps.abs().numpy()).all()
