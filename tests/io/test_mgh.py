import nibabel as nib
import numpy as np
import pytest
from nifti_files import AXIAL_LPS

from napari_mritransfer.io import UnreadableScan, describe, load, save

CONFORMED = np.array([[-1, 0, 0, 12.5], [0, 0, 1, -20.25], [0, -1, 0, 30], [0, 0, 0, 1]], dtype=float)


@pytest.mark.parametrize("ending", [".mgz", ".mgh", ".MGZ"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
def test_read_as_nibabel_does(tmp_path, ending, dtype):
    voxels = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(dtype)
    nib.save(nib.MGHImage(voxels, CONFORMED), tmp_path / "plain.mgz")
    path = tmp_path / f"head{ending}"
    nib.save(nib.MGHImage(voxels, CONFORMED), path.with_suffix(ending.lower()))
    path.with_suffix(ending.lower()).rename(path)
    scan = load(path)
    np.testing.assert_array_equal(scan.axes.to_file(scan.image), voxels)
    np.testing.assert_allclose(scan.affine, CONFORMED, rtol=1e-6)
    assert (scan.orientation, scan.name) == ("coronal", "head")
    assert describe(scan)["stored_type"] == np.dtype(dtype).name
    assert describe(scan)["format"] == ending[1:].upper()


def test_saved_as_nifti_with_the_same_affine_and_repetition_time(tmp_path):
    tilt = np.radians(7)
    affine = AXIAL_LPS.copy()
    affine[:3, :3] = [[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]] @ affine[:3, :3]
    affine[:3, 3] = (0.1, 77.7, -31.4159)
    image = nib.MGHImage(np.random.default_rng(0).random((4, 5, 6, 3)).astype(np.float32), affine)
    image.header["tr"] = 2500
    nib.save(image, tmp_path / "in.mgz")
    scan = load(tmp_path / "in.mgz")
    save(scan, tmp_path / "out.nii.gz")
    again = load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(again.image, scan.image)
    np.testing.assert_array_equal(again.affine, scan.affine)
    assert (again.axes, again.spacing_mm) == (scan.axes, scan.spacing_mm)
    assert nib.load(tmp_path / "out.nii.gz").header["pixdim"][4] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, 7, "does not start with an MGH header"),
        (4, -3, "-3 x 5 x 6"),
        (4, 2_000_000_000, "bytes its header announces"),
        (20, 99, "type 99"),
        (30, 0, "voxel size"),
    ],
)
def test_headers_that_make_no_sense(tmp_path, at, value, said):
    nib.save(nib.MGHImage(np.ones((4, 5, 6), dtype=np.float32), CONFORMED), tmp_path / "head.mgh")
    content = bytearray((tmp_path / "head.mgh").read_bytes())
    content[at : at + 4] = np.array(value, dtype=">i4").tobytes()
    (tmp_path / "head.mgh").write_bytes(content)
    with pytest.raises(UnreadableScan, match=said):
        load(tmp_path / "head.mgh")
