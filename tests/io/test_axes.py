import nibabel as nib
import numpy as np
import pytest

from napari_mritransfer.io import Axes, Scan
from napari_mritransfer.io.axes import spacing_of


def affine_of(codes, spacing=(1.0, 1.0, 1.0)):
    ornt = nib.orientations.axcodes2ornt(codes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(ornt):
        affine[int(world), axis] = sign * spacing[axis]
    return affine


@pytest.mark.parametrize(
    ("codes", "spacing", "permutation", "flips", "orientation"),
    [
        ("LPS", (0.7, 0.7, 4.0), (2, 1, 0), (False, False, False), "axial"),  # as dicom2nifti and the scanners store
        ("LAS", (0.5, 0.5, 7.5), (2, 1, 0), (False, True, False), "axial"),  # as dcm2niix stores
        ("RAS", (1.0, 1.0, 1.0), (2, 1, 0), (False, True, True), "axial"),
        ("PSR", (1.0, 1.0, 1.0), (2, 1, 0), (True, True, False), "sagittal"),  # a 3-D head, slices along k
        ("LIA", (1.0, 1.0, 1.0), (2, 1, 0), (True, False, False), "coronal"),  # FreeSurfer's conformed volumes
        ("LPS", (5.0, 0.9, 0.9), (0, 2, 1), (False, True, False), "sagittal"),  # resorted, but thick along i
        ("LPS", (0.9, 5.0, 0.9), (1, 2, 0), (False, True, False), "coronal"),
        ("LPS", (1.4, 1.0, 1.0), (2, 1, 0), (False, False, False), "axial"),  # not clearly coarser
    ],
)
def test_slices_are_found_and_seen_as_a_radiologist_does(codes, spacing, permutation, flips, orientation):
    axes = Axes.from_affine(affine_of(codes, spacing))
    assert (axes.permutation, axes.flips, axes.codes) == (permutation, flips, codes)
    assert axes.orientation == orientation
    assert axes.directions == {"axial": "SPL", "sagittal": "LIP", "coronal": "PIL"}[orientation]
    assert axes.obliquity_deg == pytest.approx(0)


def test_the_header_or_a_person_may_name_the_slices():
    assert Axes.from_affine(affine_of("LPS", (1, 1, 4)), slice_axis=0).orientation == "sagittal"


def test_a_single_slice_is_a_slice_wherever_the_file_puts_it():
    assert Axes.from_affine(affine_of("LPS"), shape=(64, 1, 64)).orientation == "coronal"


def test_obliquity_is_measured_and_told():
    tilt = np.radians(12)
    affine = affine_of("LPS", (1, 1, 4))
    rotation = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine[:3, :3] = rotation @ affine[:3, :3]
    scan = Scan.from_file_order(np.ones((4, 5, 6)), affine)
    assert scan.axes.obliquity_deg == pytest.approx(12)
    assert "The slices are oblique by 12.0° and are shown unrotated." in scan.notes
    assert not any("oblique" in note for note in Scan.from_file_order(np.ones((4, 5, 6)), np.eye(4)).notes)


def test_to_scan_is_a_view():
    array = np.zeros((3, 4, 5), dtype=np.float32)
    axes = Axes.from_affine(affine_of("RAS"))
    axes.to_scan(array)[0, 0, 0, 0] = 1
    assert array[2, 3, 0] == 1


def test_spacing_is_the_length_of_the_columns():
    np.testing.assert_allclose(spacing_of(affine_of("PSR", (0.5, 0.7, 3))), (0.5, 0.7, 3))


def test_a_singular_affine_and_a_wrong_number_of_axes_are_refused():
    with pytest.raises(ValueError, match="invertible"):
        Axes.from_affine(np.diag([1.0, 1, 0, 1]))
    axes = Axes.from_affine(np.eye(4))
    with pytest.raises(ValueError, match="3 or 4 axes"):
        axes.to_scan(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="4 axes"):
        axes.to_file(np.zeros((2, 2, 2)))


def test_new_voxels_must_fit_the_geometry():
    scan = Scan.from_file_order(np.ones((4, 5, 6)), np.eye(4), name="phantom")
    assert scan.with_image(np.zeros((2, 6, 5, 4)), name="recon").name == "recon"
    with pytest.raises(ValueError, match="phantom has"):
        scan.with_image(np.zeros((1, 6, 5, 5)))
