import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.cohort.grid import CODES, SLICINGS, Grid, axis_of
from napari_mritransfer.io.errors import BadInput


@pytest.mark.parametrize(
    ("spacing", "shape"), [(1, (182, 218, 182)), (2, (91, 109, 91)), (3, (61, 73, 61)), (8, (23, 28, 23))]
)
def test_it_is_the_box_of_the_templates(spacing, shape):
    grid = Grid(spacing)
    assert grid.shape == shape
    assert "".join(nibabel.aff2axcodes(grid.affine)) == CODES
    np.testing.assert_array_equal(grid.affine[:3, 3], (90, -126, -72))


def test_two_millimetres_are_every_second_voxel_of_one_millimetre():
    fine, coarse = Grid(1), Grid(2)
    voxel = np.array([11, 20, 33, 1])
    np.testing.assert_array_equal(coarse.affine @ voxel, fine.affine @ (voxel * [2, 2, 2, 1]))


@given(spacing=st.floats(0.5, 20), slicing=st.sampled_from(SLICINGS))
def test_positions_are_the_affines(spacing, slicing):
    grid, axis = Grid(spacing), axis_of(slicing)
    positions = grid.positions_mm(slicing)
    assert len(positions) == grid.slice_count(slicing) == grid.shape[axis]
    last = np.eye(4)[3] + np.eye(4)[axis] * (grid.shape[axis] - 1)
    np.testing.assert_allclose(positions[[0, -1]], [grid.affine[axis, 3], (grid.affine @ last)[axis]])


def test_the_midsagittal_plane_is_slice_45_of_the_published_grid():
    assert Grid(2).positions_mm("sagittal")[45] == 0


def test_the_centre_is_half_way_between_the_first_and_the_last_voxel():
    grid = Grid(2)
    corners = grid.affine @ np.array([[0, 0, 0, 1], [90, 108, 90, 1]]).T
    np.testing.assert_allclose(grid.centre_mm, corners[:3].mean(axis=1))


@pytest.mark.parametrize("spacing", [0, -2, 0.1, 50, float("nan"), float("inf")])
def test_impossible_spacings_are_refused(spacing):
    with pytest.raises(BadInput, match=r"mm cannot work; choose from 0\.5 to 20 mm"):
        Grid(spacing)


def test_an_unknown_slicing_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="no slicing 'transverse'; choose one of sagittal, coronal, axial"):
        Grid().positions_mm("transverse")
