"""Files and arrays that do not say how they lie in the patient: nobody may make a side up."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from napari_mritransfer.io import load, save
from napari_mritransfer.io.nifti_header import centred_affine


@pytest.fixture
def silent(tmp_path):
    """A volume whose header names neither qform nor sform."""
    image = nib.Nifti1Image(np.arange(24, dtype=np.float32).reshape(2, 3, 4), None)
    image.header.set_zooms((2.0, 3.0, 5.0))
    image.header["qform_code"] = image.header["sform_code"] = 0
    nib.save(image, tmp_path / "silent.nii")
    return tmp_path / "silent.nii"


def test_a_silent_header_is_told(silent):
    scan = load(silent)
    assert not scan.sides_known
    assert any("side" in note for note in scan.notes)
    assert scan.spacing_mm == (5.0, 3.0, 2.0)


def test_a_header_that_speaks_is_believed(silent, tmp_path):
    image = nib.load(silent)
    for form in ("set_qform", "set_sform"):
        spoken = nib.Nifti1Image(np.asarray(image.dataobj), None)
        spoken.header["qform_code"] = spoken.header["sform_code"] = 0
        getattr(spoken, form)(np.diag([-2.0, 3.0, 5.0, 1.0]), code=2)
        nib.save(spoken, tmp_path / "spoken.nii")
        assert load(tmp_path / "spoken.nii").sides_known


def test_what_is_unknown_stays_unknown_when_saved(silent, tmp_path):
    scan = load(silent)
    save(scan.with_image(scan.image * 2), tmp_path / "again.nii.gz")
    again = load(tmp_path / "again.nii.gz")
    assert not again.sides_known
    np.testing.assert_array_equal(again.image, scan.image * 2)
    np.testing.assert_allclose(again.affine, scan.affine)


def test_a_scan_without_a_header_is_saved_as_unknown_too(silent, tmp_path):
    scan = replace(load(silent), header=b"")
    save(scan, tmp_path / "again.nii.gz")
    again = load(tmp_path / "again.nii.gz")
    assert not again.sides_known
    np.testing.assert_array_equal(again.image, scan.image)
    np.testing.assert_allclose(again.affine, centred_affine((2, 3, 4), (2.0, 3.0, 5.0)))
