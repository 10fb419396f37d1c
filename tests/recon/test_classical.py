import subprocess
import sys

import numpy as np
import pytest
import torch
from coil_scan import coil_scan, nrmse, wrapped_kspace

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.coils import root_sum_of_squares
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.recon.classical import reconstruct_classical
from napari_mritransfer.recon.classical_menu import CLASSICAL, classical_method
from napari_mritransfer.recon.network import ReconstructionStopped

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = [method.name for method in CLASSICAL]
SPARSE = ["l1-wavelet", "total-variation"]
every_method = pytest.mark.parametrize("name", NAMES)


def stack_of(*scans):
    """(1, slice, coil, ky, kx) and the mask that all share."""
    return torch.stack([scan.kspace for scan in scans])[None], scans[0].mask.numpy()


@every_method
@pytest.mark.parametrize("maps_by", ["espirit", "low-frequency"])
def test_it_is_nearer_to_the_truth_than_the_root_sum_of_squares(name, maps_by):
    scan = coil_scan()
    image = reconstruct_classical(name, *stack_of(scan), maps_by=maps_by)
    assert image.dtype == torch.complex64
    assert image.shape == (1, 1, 64, 60)
    zero_filled = root_sum_of_squares(inverse_fourier(scan.kspace))
    truth = scan.image.abs()
    assert nrmse(image[0, 0].abs(), truth) < 0.6 * nrmse(zero_filled, truth)


@every_method
@pytest.mark.parametrize("factor", [1e-8, 1e13])
def test_units_of_the_scanner_do_not_matter(name, factor):
    kspace, mask = stack_of(coil_scan((32, 30), sigma=0.02))
    one, other = reconstruct_classical(name, kspace, mask), reconstruct_classical(name, kspace * factor, mask)
    assert nrmse(other / factor, one) < 1e-3


@pytest.mark.parametrize("name", SPARSE)
def test_a_single_coil_may_come_without_its_axis(name):
    scan = coil_scan((32, 30), n_coils=1)
    with_axis, mask = stack_of(scan)
    assert torch.equal(
        reconstruct_classical(name, with_axis[:, :, 0], mask), reconstruct_classical(name, with_axis, mask)
    )


def test_many_coils_are_compressed_and_few_slices_keep_their_places():
    scans = [coil_scan((32, 30), n_coils=16, sigma=0.005, rate=0.6)] * 3
    stack, mask = stack_of(*scans)
    stack = stack * torch.tensor([1.0, 0.0, 3.0])[:, None, None, None]
    image = reconstruct_classical("sense", stack, mask)
    assert torch.count_nonzero(image[0, 1]) == 0
    assert nrmse(image[0, 2] / 3, image[0, 0]) < 0.02
    assert nrmse(image[0, 0].abs()[scans[0].inside], scans[0].image.abs()[scans[0].inside]) < 0.15


def test_slices_are_counted_and_it_stops_within_one():
    kspace, mask = stack_of(coil_scan((32, 30)), coil_scan((32, 30)))
    told = []
    reconstruct_classical("sense", kspace, mask, on_slice=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    asked = []

    def after_a_few():
        asked.append(1)
        return len(asked) > 4

    with pytest.raises(ReconstructionStopped):
        reconstruct_classical("total-variation", kspace, mask, should_stop=after_a_few)
    assert len(asked) == 5


def test_a_head_that_wraps_is_for_sense_with_two_sets():
    full, _ = wrapped_kspace()
    truth = root_sum_of_squares(inverse_fourier(full))
    kspace, mask = wrapped_kspace(rate=0.5)
    image = reconstruct_classical("sense", kspace[None, None], mask.numpy())
    assert nrmse(image[0, 0].abs(), truth) < 0.5 * nrmse(root_sum_of_squares(inverse_fourier(kspace)), truth)
    with pytest.raises(BadInput, match="The head wraps around the field of view, which low-frequency maps"):
        reconstruct_classical("sense", kspace[None, None], mask.numpy(), maps_by="low-frequency")


@pytest.mark.parametrize(("name", "label"), [("l1-wavelet", "L1-wavelet"), ("total-variation", "Total variation")])
def test_a_head_that_wraps_is_refused_by_name(name, label):
    kspace, mask = wrapped_kspace()
    with pytest.raises(BadInput, match=f"The head wraps around the field of view, where {label}.* choose SENSE"):
        reconstruct_classical(name, kspace[None, None], mask.numpy())


def test_what_cannot_work_is_said_in_a_sentence():
    kspace, mask = stack_of(coil_scan((32, 30)))
    with pytest.raises(BadInput, match="no classical reconstruction called 'grappa'; choose one of: sense, l1-wave"):
        reconstruct_classical("grappa", kspace, mask)
    with pytest.raises(BadInput, match="SENSE tells voxels apart by several coils"):
        reconstruct_classical("sense", kspace[:, :, 0], mask)
    with pytest.raises(BadInput, match="name its axes"):
        reconstruct_classical("sense", kspace[0], mask[:-1])
    without_centre = mask.copy()
    without_centre[16, 15] = False
    with pytest.raises(BadInput, match=r"no fully sampled centre \(ACS\)"):
        reconstruct_classical("sense", kspace, without_centre)
    few_lines = np.zeros_like(mask)
    few_lines[14:18] = True
    with pytest.raises(BadInput, match=r"\(ACS\) has 4 × 30 samples and ESPIRiT needs 6 × 6"):
        reconstruct_classical("sense", kspace, few_lines)
    assert reconstruct_classical("sense", kspace, few_lines, maps_by="low-frequency").isfinite().all()


def test_an_empty_mask_is_said_too():
    kspace, mask = stack_of(coil_scan((32, 30)))
    with pytest.raises(BadInput, match="mask is empty"):
        reconstruct_classical("sense", kspace, np.zeros_like(mask))


def test_the_menu_needs_no_torch():
    code = "import sys, napari_mritransfer.recon.classical_menu; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert classical_method("sense").label == "SENSE"
