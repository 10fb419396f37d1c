import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mritransfer.cohort.crop import crop_of, cropped, cropped_shape
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.io.errors import BadInput


def test_the_published_middle_at_one_millimetre():
    """Voxels 11 to 170, 13 to 204 and 11 to 170 of 182 x 218 x 182."""
    assert cropped_shape(1.0) == (160, 192, 160)
    assert crop_of(Grid(1.0).shape, cropped_shape(1.0)) == (slice(11, 171), slice(13, 205), slice(11, 171))


@given(spacing_mm=st.floats(0.5, 20))
def test_the_middle_fits_on_every_grid_and_lies_in_its_middle(spacing_mm):
    there, wanted = Grid(spacing_mm).shape, cropped_shape(spacing_mm)
    for slices, length, want in zip(crop_of(there, wanted), there, wanted, strict=True):
        assert slices.stop - slices.start == want
        assert 0 <= (length - slices.stop) - slices.start <= 1
    for want, millimetres in zip(wanted, (160, 192, 160), strict=True):
        assert abs(want * spacing_mm - millimetres) <= spacing_mm / 2


def test_cropping_takes_the_voxels_that_are_named():
    volume = np.random.default_rng(0).random((7, 8, 9)).astype(np.float32)
    assert np.array_equal(cropped(volume, (3, 8, 6)), volume[2:5, :, 1:7])


def test_what_is_too_small_is_refused():
    with pytest.raises(BadInput, match="takes 160 x 192 x 160 voxels, the common grid has 91 x 109 x 91; choose"):
        cropped(np.zeros(Grid(2.0).shape, dtype=np.float32), (160, 192, 160))
