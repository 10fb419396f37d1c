import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nifti_files import AXIAL_LPS, nifti_images, written

from napari_mritransfer.io import Origin, Scan, load, save

FORCED_BY_FLOAT_VOXELS = {"datatype", "bitpix", "scl_slope", "scl_inter"}


def raw_header(path):
    """Every byte before the voxels, as fields and as the extensions after them."""
    data = nib.openers.Opener(path, "rb").read() if path.suffix == ".gz" else path.read_bytes()
    image = nib.load(path)
    layout = nib.nifti1.header_dtype if image.header.sizeof_hdr == 348 else nib.nifti2.header_dtype
    fields = np.frombuffer(data, dtype=layout.newbyteorder(image.header.endianness), count=1)[0]
    return fields, data[layout.itemsize : int(fields["vox_offset"])]


@settings(max_examples=60)
@given(image=nifti_images(), endings=st.tuples(*[st.sampled_from([".nii", ".nii.gz"])] * 2))
def test_voxels_affine_and_header_survive_any_geometry(image, endings):
    """What comes back is what nibabel reads from the original, bit for bit, but for the type of the voxels."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first" + endings[0]), Path(folder, "second" + endings[1])
        nib.save(image, first)
        scan = load(first)
        save(scan, second)
        again = load(second)
        original, copy = nib.load(first), nib.load(second)
        wide = np.complex64 if image.get_data_dtype().kind == "c" else np.float32
        voxels = np.asanyarray(original.dataobj).astype(wide)
        np.testing.assert_array_equal(np.asanyarray(copy.dataobj), voxels)
        np.testing.assert_array_equal(scan.affine, original.affine)
        np.testing.assert_array_equal(copy.affine, original.affine)
        np.testing.assert_array_equal(again.image, scan.image)
        assert again.image.dtype == wide
        assert (again.axes, again.spacing_mm, again.phase_encode) == (scan.axes, scan.spacing_mm, scan.phase_encode)
        (fields, extensions), (kept, kept_extensions) = raw_header(first), raw_header(second)
        assert kept_extensions == extensions
        for name in set(fields.dtype.names) - FORCED_BY_FLOAT_VOXELS:
            assert kept[name].tobytes() == fields[name].tobytes(), name


@settings(max_examples=30)
@given(image=nifti_images())
def test_world_position_of_every_voxel_is_kept(image):
    """The voxel at (slice, y, x), flipped and permuted back, is the file's voxel: checked by a unique value each."""
    shape = image.shape
    numbered = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    scan = Scan.from_file_order(numbered, image.affine)
    assert scan.image.shape[0] == (shape[3] if len(shape) == 4 else 1)
    np.testing.assert_array_equal(scan.axes.to_file(scan.image), numbered.reshape(scan.axes.to_file(scan.image).shape))
    for ours, (file_axis, flip) in enumerate(zip(scan.axes.permutation, scan.axes.flips, strict=True)):
        length = shape[file_axis]
        index = [0] * len(shape)
        index[file_axis] = length - 1 if flip else 0
        start = [slice(None)] * 3
        start[ours] = slice(0, 1)
        assert numbered[tuple(index)] in scan.image[(slice(None), *start)]


def test_scaled_integers_become_their_values(tmp_path):
    path = tmp_path / "scaled.nii"
    image = nib.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AXIAL_LPS)
    image.header.set_slope_inter(0.5, -3)
    nib.save(image, path)
    np.testing.assert_array_equal(load(path).image[0, 3, 2, 1], 23 * 0.5 - 3)


def test_saving_a_reconstruction_keeps_the_geometry_and_not_the_scaling(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 5, 6), dtype=np.int16), AXIAL_LPS)
    image.header.set_slope_inter(7, 1)
    nib.save(image, tmp_path / "in.nii")
    scan = load(tmp_path / "in.nii")
    complex_image = (scan.image * (0.25 + 0.5j)).astype(np.complex64)
    save(scan.with_image(complex_image, origin=Origin.SIMULATED), tmp_path / "out.nii.gz")
    again = load(tmp_path / "out.nii.gz")
    assert again.origin is Origin.SIMULATED
    np.testing.assert_array_equal(again.image, complex_image)
    np.testing.assert_array_equal(again.affine, scan.affine)


def test_more_frames_than_the_file_had_are_written_as_4d(tmp_path):
    scan = load(written(tmp_path / "in.nii", np.ones((4, 5, 6), dtype=np.float32)))
    save(scan.with_image(np.repeat(scan.image, 3, axis=0)), tmp_path / "out.nii")
    assert nib.load(tmp_path / "out.nii").shape == (4, 5, 6, 3)


def test_a_scan_without_a_header_gets_one(tmp_path):
    affine = np.array([[0, 0, 3.0, 5], [-0.5, 0, 0, 2], [0, 0.5, 0, 1], [0, 0, 0, 1]])
    scan = Scan.from_file_order(np.random.default_rng(0).random((4, 5, 6, 2)), affine, name="phantom")
    save(scan, tmp_path / "out.nii")
    again = load(tmp_path / "out.nii")
    np.testing.assert_array_equal(again.affine, affine)
    np.testing.assert_array_equal(again.image, scan.image)
    assert again.axes == scan.axes


def test_the_same_scan_gives_the_same_bytes(tmp_path):
    scan = load(written(tmp_path / "in.nii", np.ones((4, 5, 6), dtype=np.float32)))
    save(scan, tmp_path / "one.nii.gz")
    save(scan, tmp_path / "two.nii.gz")
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_save_refuses_what_load_would_refuse(tmp_path):
    scan = load(written(tmp_path / "in.nii", np.ones((4, 5, 6), dtype=np.float32)))
    with pytest.raises(ValueError, match=r"end it in \.nii or \.nii\.gz\.$"):
        save(scan, tmp_path / "out.mgz")
    spoiled = scan.image.copy()
    spoiled[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 voxels that are NaN"):
        save(scan.with_image(spoiled), tmp_path / "out.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["in.nii"]


def test_phase_encode_follows_the_header(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 5, 6), dtype=np.float32), AXIAL_LPS)
    image.header.set_dim_info(freq=1, phase=0, slice=2)
    nib.save(image, tmp_path / "in.nii")
    assert load(tmp_path / "in.nii").phase_encode == "x"


def test_a_header_in_metres_and_one_at_odds_with_its_affine_are_told(tmp_path):
    image = nib.Nifti1Image(np.ones((4, 5, 6), dtype=np.float32), np.diag([1e-3, 1e-3, 5e-3, 1]))
    image.header.set_xyzt_units("meter")
    image.header["pixdim"][3] = 2e-3
    image.header["sform_code"] = 1
    nib.save(image, tmp_path / "in.nii")
    data = bytearray((tmp_path / "in.nii").read_bytes())
    data[76 + 3 * 4 : 76 + 4 * 4] = np.float32(2e-3).tobytes()
    (tmp_path / "in.nii").write_bytes(data)
    scan = load(tmp_path / "in.nii")
    assert scan.spacing_mm == pytest.approx((5, 1, 1))
    assert any("its affine 1 x 1 x 5 mm" in note for note in scan.notes)
    assert any("millimetres" in note for note in scan.notes)
