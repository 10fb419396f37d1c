import numpy as np
import pytest
import torch
from coil_scan import ACS, coil_scan
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern, make_on_plane
from napari_mritransfer.physics.sensitivity import body_coil, calibration_data, calibration_region, low_frequency_maps

pytestmark = pytest.mark.usefixtures("one_thread")

sizes = st.integers(1, 14)


def centred(plane, rows, columns):
    top, left = plane.shape[0] // 2 - rows // 2, plane.shape[1] // 2 - columns // 2
    return plane[top : top + rows, left : left + columns]


@given(rows=sizes, columns=sizes, density=st.floats(0.3, 1), seed=st.integers(0, 99))
def test_its_shorter_side_is_the_longest_there_is_and_of_those_it_is_the_largest(rows, columns, density, seed):
    mask = np.random.default_rng(seed).random((rows, columns)) < density
    sides = [(r, c) for r in range(1, rows + 1) for c in range(1, columns + 1) if centred(mask, r, c).all()]
    full = [(min(r, c), r * c) for r, c in sides]
    if not full:
        with pytest.raises(ValueError, match=r"no fully sampled centre \(ACS\)"):
            calibration_region(mask, mask.shape)
        return
    found = calibration_region(mask, mask.shape)
    assert centred(mask, *found).all()
    assert (min(found), found[0] * found[1]) == max(full)


def test_lines_reach_over_the_whole_readout():
    lines = np.zeros(12, dtype=bool)
    lines[[0, 4, 5, 6, 7, 9]] = True
    assert calibration_region(lines, (12, 9), "y") == (4, 9)
    assert calibration_region(lines, (9, 12), "x") == (9, 4)


@pytest.mark.parametrize("kind", [kind for kind in MaskKind if kind.is_plane])
def test_the_block_of_a_mask_over_the_plane_is_found_beside_spokes_and_chance_rows(kind):
    """Coil maps need the whole block, not a long thin stretch that happens to be whole too."""
    for seed in range(30):
        mask = make_on_plane(SamplingPattern(kind, 0.25, 0.06, seed), (192, 160), "y")
        assert min(calibration_region(mask.lines, (192, 160))) >= 10
        assert mask.centre_lines >= 10


def test_a_mask_has_to_fit():
    with pytest.raises(ValueError, match="does not fit"):
        calibration_region(np.ones((8, 8), dtype=bool), (8, 9))


def test_at_most_24_samples_along_an_axis_calibrate():
    kspace = torch.zeros(2, 64, 60, dtype=torch.complex64)
    assert calibration_data(kspace, (64, 10)).shape == (2, 24, 10)


def test_maps_are_those_of_the_array_but_for_the_phase_of_a_voxel():
    scan = coil_scan(sigma=0.002)
    maps = low_frequency_maps(scan.kspace, ACS)
    likeness = combine(maps, scan.maps).abs()[scan.inside]
    assert likeness.median() > 0.995
    assert likeness.quantile(0.05) > 0.97


def test_maps_have_unit_norm_even_where_there_is_nothing():
    stack = torch.stack([coil_scan(seed=1).kspace, torch.zeros(8, 64, 60, dtype=torch.complex64)])
    maps = low_frequency_maps(stack, ACS)
    torch.testing.assert_close(torch.linalg.vector_norm(maps, dim=1), torch.ones(2, 64, 60))


def test_the_combined_image_keeps_the_phase_of_the_object():
    """Up to the smooth phase of the body coil: turning the object by a steep phase turns the combination as much."""
    scan = coil_scan(sigma=0, rate=1.0)
    ramp = torch.polar(torch.ones(64, 60), 2 * torch.linspace(-1, 1, 60).expand(64, 60) ** 2)
    combined = []
    for image in (scan.image, scan.image * ramp):
        coil_images = expand(image, scan.maps)
        combined.append(combine(coil_images, low_frequency_maps(fourier(coil_images), ACS)))
    turned = (combined[1] * combined[0].conj() * ramp.conj())[scan.inside]
    assert turned.angle().abs().median() < 0.03


def test_the_body_coil_sees_more_than_any_coil():
    scan = coil_scan()
    weights = body_coil(scan.kspace)
    assert weights.norm() == pytest.approx(1, abs=1e-5)
    seen = torch.tensordot(weights.conj(), scan.kspace, 1).norm()
    assert seen > max(coil.norm() for coil in scan.kspace)
    assert weights[weights.abs().argmax()].imag.abs() < 1e-6
