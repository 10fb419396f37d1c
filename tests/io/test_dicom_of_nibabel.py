"""Real files that nibabel brings along for its own tests: where voxels lie, by its wrappers for each kind of file."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicom_files import dicomwrappers

from napari_mritransfer.io import UnreadableScan, load

DATA = Path(dicomwrappers.__file__).parent / "tests" / "data"
CLOSE_MM = 1e-3  # the files give positions to six digits


def unpacked(name, folder):
    content = (DATA / name).read_bytes()
    path = folder / name.removesuffix(".gz")
    path.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    return path


def assert_nibabel_agrees(path):
    """Every voxel of nibabel's (row, column, slice) holds our value at our place."""
    scan = load(path)
    wrapper = dicomwrappers.wrapper_from_file(path)
    theirs = wrapper.get_data()
    affine = np.diag([-1, -1, 1, 1]) @ wrapper.affine
    places = np.moveaxis(np.indices(theirs.shape), 0, -1).reshape(-1, theirs.ndim)
    ras = nib.affines.apply_affine(affine, places)
    ours = np.rint(nib.affines.apply_affine(np.linalg.inv(scan.affine), ras)).astype(int)
    np.testing.assert_allclose(nib.affines.apply_affine(scan.affine, ours), ras, atol=CLOSE_MM)
    values = scan.axes.to_file(scan.image)[tuple(ours.T)]
    np.testing.assert_allclose(values, theirs[tuple(places.T)], rtol=1e-6)
    return scan


def test_an_enhanced_head_of_philips(tmp_path):
    scan = assert_nibabel_agrees(unpacked("philips_mprage.dcm.gz", tmp_path))
    assert scan.image.shape[:2] == (1, 176)
    assert scan.orientation == "sagittal"


def test_a_mosaic_of_siemens_is_told_what_to_do(tmp_path):
    with pytest.raises(UnreadableScan, match="mosaic"):
        load(unpacked("siemens_dwi_0.dcm.gz", tmp_path))
