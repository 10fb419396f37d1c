import sys

import pytest
import torch
from coil_scan import coil_scan, nrmse

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.coils import sense_adjoint
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.recon.sparse import l1_wavelet, total_variation

pytestmark = pytest.mark.usefixtures("one_thread")

methods = pytest.mark.parametrize("method", [l1_wavelet, total_variation])


@methods
def test_it_is_nearer_to_the_truth_than_zero_filling(method, capfd):
    scan = coil_scan()
    image = method(scan.kspace, scan.mask, scan.maps, regularisation=0.005)
    assert image.dtype == torch.complex64
    assert nrmse(image, scan.image) < 0.6 * nrmse(sense_adjoint(scan.kspace, scan.maps, scan.mask), scan.image)
    assert capfd.readouterr() == ("", "")


@methods
def test_where_no_coil_sees_anything_the_image_is_zero(method):
    """Nothing measured speaks against what regularisation likes to put there."""
    scan = coil_scan()
    maps = scan.maps * scan.inside
    image = method(scan.kspace, scan.mask, maps, regularisation=0.05)
    assert torch.count_nonzero(image[~scan.inside]) == 0
    assert nrmse(image, scan.image) < 0.2


@methods
def test_strong_regularisation_flattens(method):
    scan = coil_scan()
    weak, strong = (method(scan.kspace, scan.mask, scan.maps, regularisation=weight) for weight in (1e-3, 0.3))
    edges = [float(image.diff(dim=0).abs().sum()) for image in (weak, strong)]
    assert edges[1] < 0.7 * edges[0]


@methods
def test_the_same_data_give_the_same_image(method):
    scan = coil_scan((24, 24))
    images = [method(scan.kspace, scan.mask, scan.maps, regularisation=0.01, iterations=5) for _ in range(2)]
    assert torch.equal(*images)


@methods
def test_a_single_coil_will_do(method):
    scan = coil_scan(n_coils=1, rate=1.0, sigma=0)
    image = method(scan.kspace, scan.mask, torch.ones_like(scan.maps), regularisation=1e-4)
    assert nrmse(image.abs(), scan.image.abs()) < 0.03


@methods
def test_iterations_are_counted_and_stop_when_asked(method):
    scan, told = coil_scan((24, 24)), []
    with pytest.raises(ReconstructionStopped):
        method(
            *(scan.kspace, scan.mask, scan.maps),
            regularisation=0.01,
            iterations=9,
            on_iteration=lambda done, total: told.append((done, total)),
            should_stop=lambda: len(told) == 4,
        )
    assert told == [(1, 9), (2, 9), (3, 9), (4, 9)]


@methods
def test_without_sigpy_it_says_how_to_get_it(method, monkeypatch):
    monkeypatch.setitem(sys.modules, "sigpy.mri.app", None)
    scan = coil_scan((24, 24))
    with pytest.raises(BadInput, match=r"needs sigpy, which is not installed: pip install 'napari-mritransfer\[class"):
        method(scan.kspace, scan.mask, scan.maps, regularisation=0.01)
