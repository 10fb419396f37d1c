import numpy as np
import pytest
import torch
from coil_scan import coil_scan, nrmse

from napari_mritransfer.recon.regularisation import array_noise, sparsity_weight, tikhonov_weight
from napari_mritransfer.recon.sense import cg_sense
from napari_mritransfer.recon.sparse import l1_wavelet, total_variation

pytestmark = pytest.mark.usefixtures("one_thread")

AROUND = (0.1, 0.3, 1, 3, 10)
levels = pytest.mark.parametrize("sigma", [0.02, 0.06])


def errors(scan, solve, weight):
    """Of the magnitude, at multiples of the weight that the rule gives."""
    return {
        factor: nrmse(
            solve(scan.kspace, scan.mask, scan.maps, regularisation=factor * weight).abs()[scan.inside],
            scan.image.abs()[scan.inside],
        )
        for factor in AROUND
    }


@levels
def test_the_rule_for_sense_is_near_the_best_there_is(sigma):
    scan = coil_scan(sigma=sigma)
    found = errors(scan, cg_sense, tikhonov_weight(scan.kspace, scan.mask, sigma))
    assert found[1] < 1.2 * min(found.values())
    assert min(found, key=found.get) in (0.3, 1, 3)


@levels
@pytest.mark.parametrize("method", [l1_wavelet, total_variation])
def test_the_rule_for_sparse_images_is_near_the_best_there_is(method, sigma):
    scan = coil_scan(sigma=sigma)
    found = errors(scan, method, sparsity_weight(scan.mask, sigma))
    assert found[1] < 1.2 * min(found.values())
    assert min(found, key=found.get) in (0.3, 1, 3)


def test_weights_follow_the_units_of_the_data():
    scan = coil_scan(sigma=0.05)
    assert tikhonov_weight(scan.kspace * 1e6, scan.mask, 5e4) == pytest.approx(
        tikhonov_weight(scan.kspace, scan.mask, 0.05), rel=1e-3
    )
    assert sparsity_weight(scan.mask, 5e4) == pytest.approx(1e6 * sparsity_weight(scan.mask, 0.05))


def test_weights_grow_with_the_noise_and_stay_in_bounds():
    scan = coil_scan(sigma=0.05)
    weights = [tikhonov_weight(scan.kspace, scan.mask, sigma) for sigma in (0, 0.001, 0.01, 0.05, 10.0)]
    assert weights == sorted(weights)
    assert weights[0] == 1e-6
    assert weights[-1] == 1.0
    assert sparsity_weight(torch.ones(4, 4, dtype=torch.bool), 0.5) == 0.5


def test_an_array_is_as_noisy_as_its_coils_on_average():
    assert array_noise(np.array([3.0, 4.0, 5.0])) == pytest.approx((50 / 3) ** 0.5)
