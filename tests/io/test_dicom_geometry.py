"""Where DICOM voxels lie: against points known from the equation of the standard, and against nibabel."""

import itertools

import nibabel as nib
import numpy as np
import pytest
from dicom_files import (
    COLUMN_MM,
    COLUMNS,
    CORNER,
    ROW_MM,
    ROWS,
    SLICE_MM,
    SLICES,
    U,
    V,
    W,
    classic,
    dicomwrappers,
    enhanced,
    place,
    slice_pixels,
    value_of,
    world_positions,
    write_series,
    written,
)

from napari_mritransfer.io import UnreadableScan, load, save

RAS_TO_LPS = np.array([-1, -1, 1])
CLOSE_MM = 1e-4


def assert_values_lie_where_they_should(scan, frame=0, factor=1.0):
    """Every voxel holds the value of its place: nothing is mirrored, swapped or shifted, in any of the axes."""
    expected = factor * value_of(world_positions(scan) * RAS_TO_LPS)
    np.testing.assert_allclose(scan.image[frame], expected, atol=0.51)  # stored as whole numbers, a step of at least 2


def test_voxels_of_an_oblique_series_lie_at_known_points(tmp_path):
    write_series(tmp_path / "head")
    scan = load(tmp_path / "head")
    corners = list(itertools.product((0, COLUMNS - 1), (0, ROWS - 1), (0, SLICES - 1)))
    for column, row, index in corners:
        known = CORNER + column * COLUMN_MM * U + row * ROW_MM * V + index * SLICE_MM * W
        found = (scan.affine @ [column, row, index, 1])[:3] * RAS_TO_LPS
        np.testing.assert_allclose(found, known, atol=CLOSE_MM)
    assert scan.spacing_mm == pytest.approx((SLICE_MM, ROW_MM, COLUMN_MM))
    assert_values_lie_where_they_should(scan)


@pytest.mark.parametrize(
    ("directions", "orientation"),
    [
        ((U, V), "axial"), ((-U, V), "axial"), ((V, U), "axial"), ((U, W), "coronal"), ((V, -W), "sagittal"),
        ((W, V), "sagittal"), ((-V, -W), "sagittal"), ((-W, U), "coronal"),
    ],
)  # fmt: skip
def test_any_direction_of_rows_and_columns(tmp_path, directions, orientation):
    """Twice right-handed, twice left-handed, and with rows and columns in each other's place."""
    along_row, along_column = directions
    normal = np.cross(*directions)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    for index in range(SLICES):
        corner = CORNER - index * SLICE_MM * normal  # files count against the normal
        lps = corner + columns[..., None] * COLUMN_MM * along_row + rows[..., None] * ROW_MM * along_column
        pixels = np.rint(value_of(lps)).astype(np.uint16)
        written(classic(pixels, corner, instance=index + 1, directions=directions), tmp_path / f"{index}.dcm")
    scan = load(tmp_path / "0.dcm")
    assert scan.orientation == orientation
    assert_values_lie_where_they_should(scan)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[1::5])
def test_neither_names_nor_numbers_sort(tmp_path, order):
    write_series(tmp_path / "head", order=order, indices=range(4))
    scan = load(tmp_path / "head")
    assert scan.image.shape == (1, 4, ROWS, COLUMNS)
    assert_values_lie_where_they_should(scan)


def test_nibabels_wrapper_gives_every_slice_the_same_place(tmp_path):
    paths = write_series(tmp_path / "head", order=[3, 0, 4, 1, 2])
    scan = load(tmp_path / "head")
    for path in paths:
        wrapper = dicomwrappers.wrapper_from_file(path)
        lps_to_ras = np.diag([-1, -1, 1, 1])
        # nibabel's array is (row, column) of the one slice
        rows, columns = np.mgrid[:ROWS, :COLUMNS]
        points = np.stack([rows, columns, np.zeros_like(rows), np.ones_like(rows)], axis=-1)
        ras = (points @ (lps_to_ras @ wrapper.affine).T)[..., :3]
        expected = value_of(ras * RAS_TO_LPS)
        np.testing.assert_allclose(wrapper.get_unscaled_data(), expected, atol=0.51)
        ours = world_positions(scan)
        nearest = np.linalg.norm(ours[:, None, None] - ras[None, :1, :1, None, None], axis=-1).min()
        assert nearest < CLOSE_MM


def affine_of_nibabel(path):
    """RAS mm of nibabel's (row, column, slice); its own is LPS."""
    return np.diag([-1, -1, 1, 1]) @ dicomwrappers.wrapper_from_file(path).affine


@pytest.mark.parametrize("shared", [True, False])
def test_an_enhanced_file_agrees_with_nibabels_multiframe_wrapper(tmp_path, shared):
    path = written(enhanced(shared_orientation=shared), tmp_path / "head.dcm")
    scan = load(path)
    assert scan.image.shape == (2, SLICES, ROWS, COLUMNS)
    # nibabel's array is (row, column, slice, frame), slices against the normal: what has to agree is where values lie
    theirs = dicomwrappers.wrapper_from_file(path).get_data()
    places = np.moveaxis(np.indices(theirs.shape[:3]), 0, -1).reshape(-1, 3)
    ras = places @ affine_of_nibabel(path)[:3, :3].T + affine_of_nibabel(path)[:3, 3]
    ours = nib.affines.apply_affine(np.linalg.inv(scan.affine), ras)
    np.testing.assert_allclose(nib.affines.apply_affine(scan.affine, np.rint(ours)), ras, atol=CLOSE_MM)
    of_ours = scan.axes.to_file(scan.image)[tuple(np.rint(ours).astype(int).T)]
    np.testing.assert_allclose(of_ours, theirs[tuple(places.T)], rtol=1e-6)
    assert_values_lie_where_they_should(scan)
    assert_values_lie_where_they_should(scan, frame=1, factor=2)


def test_frames_of_a_file_are_sorted_too(tmp_path):
    order = np.random.default_rng(0).permutation(3 * SLICES)
    scan = load(written(enhanced(n_frames=3, order=order), tmp_path / "head.dcm"))
    for frame in range(3):
        assert_values_lie_where_they_should(scan, frame, factor=frame + 1)


def test_the_affine_survives_in_nifti(tmp_path):
    write_series(tmp_path / "head")
    scan = load(tmp_path / "head")
    save(scan, tmp_path / "head.nii.gz")
    volume = nib.load(tmp_path / "head.nii.gz")
    np.testing.assert_allclose(volume.affine, scan.affine, atol=CLOSE_MM)
    np.testing.assert_array_equal(volume.get_fdata(), scan.axes.to_file(scan.image))
    again = load(tmp_path / "head.nii.gz")
    np.testing.assert_array_equal(again.image, scan.image)


def test_a_single_slice_is_as_thick_as_it_says(tmp_path):
    path = written(classic(slice_pixels(2), place(2), instance=1), tmp_path / "one.dcm")
    scan = load(path)
    assert scan.image.shape == (1, 1, ROWS, COLUMNS)
    assert_values_lie_where_they_should(scan)
    np.testing.assert_allclose(scan.affine[:3, 2] * RAS_TO_LPS, SLICE_MM * W, atol=CLOSE_MM)


def test_a_missing_slice_is_told(tmp_path):
    write_series(tmp_path / "head", indices=[0, 1, 2, 4, 5, 6])
    with pytest.raises(UnreadableScan, match=r"lacks about 1 slice: after slice 3 of 6 the next is 9 mm away"):
        load(tmp_path / "head")


def shifted(millimetres):
    def change(data, index):
        if index == 2:
            data.ImagePositionPatient = [f"{one:.9g}" for one in place(2) + millimetres * W]

    return change


def test_uneven_spacing_is_silent_told_or_refused(tmp_path):
    """One slice of five is moved by 0.6 %, 10 % and 40 % of the distance."""
    for name, part in (("even", 0.006), ("nearly", 0.1), ("uneven", 0.4)):
        write_series(tmp_path / name, change=shifted(part * SLICE_MM))
    assert not any("evenly" in note for note in load(tmp_path / "even").notes)
    assert any("up to 0.45 mm from where they are shown" in note for note in load(tmp_path / "nearly").notes)
    with pytest.raises(UnreadableScan, match=r"no even stack: some slices lie up to 1\.8 mm"):
        load(tmp_path / "uneven")


def test_slices_moved_sideways_are_told_too(tmp_path):
    """Their distance along the normal is right, so sorting alone would not notice."""
    write_series(tmp_path / "head", change=lambda data, index: setattr(
        data, "ImagePositionPatient", [f"{one:.9g}" for one in place(index) + 3 * (index == 2) * U]
    ))  # fmt: skip
    with pytest.raises(UnreadableScan, match="no even stack"):
        load(tmp_path / "head")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "not at right angles"),
        ({"ImageOrientationPatient": [2, 0, 0, 0, 2, 0]}, "not at right angles"),
        ({"PixelSpacing": None}, "PixelSpacing"),
        ({"PixelSpacing": [0, 1]}, "impossible size"),
        ({"ImagePositionPatient": None}, "order is unknown"),
    ],
)
def test_geometry_that_makes_no_sense(tmp_path, tags, said):
    write_series(tmp_path / "head", **tags)
    with pytest.raises(UnreadableScan, match=said):
        load(tmp_path / "head")


def test_one_image_without_a_place_has_no_sides(tmp_path):
    data = classic(slice_pixels(0), place(0), instance=1, ImagePositionPatient=None, ImageOrientationPatient=None)
    scan = load(written(data, tmp_path / "one.dcm"))
    assert not scan.sides_known
    assert scan.spacing_mm == pytest.approx((SLICE_MM, ROW_MM, COLUMN_MM))
    np.testing.assert_array_equal(scan.image[0, 0], slice_pixels(0))
