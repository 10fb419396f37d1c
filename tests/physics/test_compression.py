import pytest
import torch
from coil_scan import coil_scan

from napari_mritransfer.physics.compression import compress_coils, energy_kept

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_rows_of_the_matrix_are_orthonormal_and_make_the_virtual_coils():
    kspace = coil_scan(n_coils=8).kspace
    virtual, matrix = compress_coils(kspace, 3)
    assert virtual.shape == (3, *kspace.shape[1:])
    assert virtual.dtype == kspace.dtype
    torch.testing.assert_close(matrix @ matrix.mH, torch.eye(3, dtype=matrix.dtype))
    torch.testing.assert_close(virtual, torch.tensordot(matrix, kspace, 1))


def test_no_other_choice_of_as_many_keeps_more():
    kspace = coil_scan(n_coils=8).kspace
    virtual, matrix = compress_coils(kspace, 3)
    expected = (torch.linalg.svdvals(kspace.flatten(1))[:3] ** 2).sum() / kspace.norm() ** 2
    assert energy_kept(kspace, matrix) == pytest.approx(float(expected), abs=1e-5)
    assert energy_kept(kspace, matrix) == pytest.approx(float(virtual.norm() ** 2 / kspace.norm() ** 2), abs=1e-5)
    strengths = virtual.flatten(1).norm(dim=1)
    assert (strengths.diff() < 0).all()


def test_as_many_coils_as_there_were_lose_nothing():
    kspace = coil_scan(n_coils=5).kspace
    virtual, matrix = compress_coils(kspace, 5)
    assert energy_kept(kspace, matrix) == pytest.approx(1)
    torch.testing.assert_close(torch.tensordot(matrix.mH, virtual, 1), kspace, rtol=1e-4, atol=1e-5)


def test_frames_and_slices_share_one_matrix():
    stack = torch.stack([coil_scan(n_coils=4, seed=seed).kspace for seed in range(6)]).unflatten(0, (2, 3))
    virtual, matrix = compress_coils(stack, 2)
    assert virtual.shape == (2, 3, 2, 64, 60)
    torch.testing.assert_close(virtual[1, 2], torch.tensordot(matrix, stack[1, 2], 1))


def test_empty_kspace_stays_empty():
    virtual, matrix = compress_coils(torch.zeros(4, 6, 6, dtype=torch.complex64), 2)
    assert torch.count_nonzero(virtual) == 0
    assert energy_kept(torch.zeros(4, 6, 6, dtype=torch.complex64), matrix) == 1


@pytest.mark.parametrize("n", [0, 5])
def test_coils_cannot_be_multiplied(n):
    with pytest.raises(ValueError, match=f"4 coils can be compressed to 1 to 4 virtual ones, not to {n}"):
        compress_coils(torch.zeros(4, 6, 6, dtype=torch.complex64), n)
