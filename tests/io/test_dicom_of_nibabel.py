"""Real files that nibabel brings along for its own tests: where voxels lie, by its wrappers for each kind of file."""

import gzip
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_files import dicomwrappers

from napari_mritransfer.io import UnreadableScan, load

DATA = Path(dicomwrappers.__file__).parent / "tests" / "data"
CLOSE_MM = 2e-3  # nibabel takes the distance of the first two slices, rounded in the file, for that of all


def unpacked(name, folder):
    content = (DATA / name).read_bytes()
    path = folder / name.removesuffix(".gz")
    path.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    return path


def assert_nibabel_agrees(path):
    """Every voxel of nibabel's (row, column, slice) holds our value at our place."""
    scan = load(path)
    wrapper = dicomwrappers.wrapper_from_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Philips' private scale is missing
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


@pytest.mark.parametrize("name", ["siemens_dwi_0.dcm.gz", "siemens_dwi_1000.dcm.gz"])
def test_mosaics_of_siemens_are_taken_apart(tmp_path, name):
    scan = assert_nibabel_agrees(unpacked(name, tmp_path))
    assert scan.image.shape == (1, 48, 128, 128)


def test_mosaics_of_one_series_are_its_frames(tmp_path):
    """The same volume twice as another acquisition and with other values."""
    path = unpacked("siemens_dwi_0.dcm.gz", tmp_path)
    data = pydicom.dcmread(path)
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{data.SOPInstanceUID}.2"
    data.AcquisitionNumber, data.InstanceNumber = 99, 99
    data.PixelData = (2 * data.pixel_array).tobytes()
    data.save_as(tmp_path / "again.dcm")
    image = load(path).image
    assert image.shape[0] == 2
    np.testing.assert_array_equal(image[1], 2 * image[0])


@pytest.mark.parametrize("removed", [0x00290010, 0x00291010])
def test_a_mosaic_without_siemens_header_is_refused_by_name(tmp_path, removed):
    path = unpacked("siemens_dwi_0.dcm.gz", tmp_path)
    data = pydicom.dcmread(path)
    del data[removed]
    data.save_as(path)
    with pytest.raises(UnreadableScan, match=r"mosaic.*dcm2niix"):
        load(path)
