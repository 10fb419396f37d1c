"""The preview of a run: three pictures, as stored, with the voxels' own proportions."""

import numpy as np
import pytest
from qtpy.QtGui import QColor

from napari_mritransfer.widgets.preview_view import PreviewView

CAPTION, GAP = 18, 4  # pixels
WIDTH = 3 * 80 + 2 * GAP


@pytest.fixture
def preview(qtbot):
    widget = PreviewView()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def file(tmp_path):
    """Bright on the left half, 20 rows by 40 columns."""
    planes = np.zeros((3, 20, 40), dtype=np.float32)
    planes[:, :, :20] = 1
    np.save(tmp_path / "preview.npy", planes)
    return tmp_path / "preview.npy"


@pytest.mark.parametrize(("aspect", "height"), [(1.0, 40), (2.0, 80), (0.5, 20)])
def test_voxels_that_are_not_square_are_drawn_so(preview, file, aspect, height):
    preview.show_file(file, "Now", aspect=aspect)
    assert preview.heightForWidth(WIDTH) == CAPTION + height
    preview.show_file(file, "Now")
    assert preview.heightForWidth(WIDTH) == CAPTION + 40


def test_the_picture_is_drawn_as_stored_and_says_so(preview, file):
    preview.show_file(file, "Now", aspect=1.5)
    preview.resize(WIDTH, preview.heightForWidth(WIDTH))
    picture = preview.grab().toImage()
    middle = CAPTION + (preview.height() - CAPTION) // 2
    for left in (0, 80 + GAP, 2 * (80 + GAP)):
        assert QColor(picture.pixel(left + 20, middle)).value() > 200
        assert QColor(picture.pixel(left + 60, middle)).value() < 50
    assert "As stored, radiological" in preview.toolTip()


def test_without_a_readable_file_the_picture_stays(preview, file, tmp_path):
    preview.show_file(tmp_path / "missing.npy", "Now")
    assert preview.isHidden()
    preview.show_file(file, "Step 10")
    (tmp_path / "cut.npy").write_bytes(file.read_bytes()[:200])
    preview.show_file(tmp_path / "cut.npy", "Step 20", aspect=3.0)
    assert preview.planes.shape == (3, 20, 40)
    assert preview.heightForWidth(WIDTH) == CAPTION + 40
