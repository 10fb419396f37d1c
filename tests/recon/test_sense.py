import pytest
import torch
from coil_scan import ACS, coil_scan, nrmse, wrapped_kspace

from napari_mritransfer.physics.coils import (
    combine_sets,
    root_sum_of_squares,
    sense_adjoint,
    sense_forward,
    soft_sense_adjoint,
    soft_sense_forward,
)
from napari_mritransfer.physics.espirit import espirit
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.recon.sense import cg_sense

pytestmark = pytest.mark.usefixtures("one_thread")


def test_without_noise_and_with_the_true_maps_the_image_comes_back():
    scan = coil_scan(sigma=0, rate=0.5)
    image = cg_sense(scan.kspace, scan.mask, scan.maps, regularisation=1e-6, iterations=200)
    assert nrmse(sense_adjoint(scan.kspace, scan.maps, scan.mask), scan.image) > 0.1
    assert nrmse(image, scan.image) < 0.02


@pytest.mark.parametrize("regularisation", [0.01, 0.3])
def test_the_answer_solves_the_regularised_normal_equations(regularisation):
    """(AᴴA + λ) x = Aᴴy to the tolerance it states; in double precision."""
    scan = coil_scan((24, 21), n_coils=4)
    kspace, maps = scan.kspace.to(torch.complex128), scan.maps.to(torch.complex128)
    image = cg_sense(kspace, scan.mask, maps, regularisation=regularisation, iterations=200)
    back = sense_adjoint(sense_forward(image, maps, scan.mask), maps, scan.mask) + regularisation * image
    wanted = sense_adjoint(kspace, maps, scan.mask)
    assert nrmse(back, wanted) < 1.01e-4


def test_two_sets_solve_their_equations_too_and_make_one_image():
    kspace, mask = wrapped_kspace(rate=0.5)
    maps = espirit(kspace, ACS, n_sets=2).maps
    images = cg_sense(kspace, mask, maps, regularisation=0.01, iterations=200)
    assert images.shape == (2, 64, 60)
    back = soft_sense_adjoint(soft_sense_forward(images, maps, mask), maps, mask) + 0.01 * images
    assert nrmse(back, soft_sense_adjoint(kspace, maps, mask)) < 1e-3
    assert combine_sets(images).shape == (64, 60)


def test_a_head_that_wraps_needs_both_sets():
    full, _ = wrapped_kspace()
    truth = root_sum_of_squares(inverse_fourier(full))
    kspace, mask = wrapped_kspace(rate=0.5)
    maps = espirit(kspace, ACS, n_sets=2).maps
    far = {n: nrmse(combine_sets(cg_sense(kspace, mask, maps[:n], regularisation=1e-3)).abs(), truth) for n in (1, 2)}
    assert far[2] < 0.7 * far[1]


def test_iterations_end_when_nothing_changes_any_more():
    scan, told = coil_scan(rate=1.0), []
    cg_sense(
        *(scan.kspace, scan.mask, scan.maps),
        regularisation=0.01,
        on_iteration=lambda done, total: told.append((done, total)),
    )
    assert told[0] == (1, 50)
    assert 1 <= len(told) < 5  # everything was measured: AᴴA is the identity


def test_empty_kspace_gives_an_empty_image():
    scan = coil_scan()
    image = cg_sense(torch.zeros_like(scan.kspace), scan.mask, scan.maps, regularisation=0.01)
    assert torch.count_nonzero(image) == 0


def test_it_stops_between_two_iterations():
    scan, told = coil_scan(), []
    with pytest.raises(ReconstructionStopped):
        cg_sense(
            *(scan.kspace, scan.mask, scan.maps),
            regularisation=1e-6,
            on_iteration=lambda done, _: told.append(done),
            should_stop=lambda: len(told) == 3,
        )
    assert told == [1, 2, 3]
