import brains
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from napari_mritransfer.cohort.brain import check_brain
from napari_mritransfer.cohort.brain_picture import brain_picture
from napari_mritransfer.cohort.grid import Grid, upright
from napari_mritransfer.cohort.reuse.thumbnail import thumbnail

OUTLINE = np.array([255, 176, 0])


def test_a_slice_is_shown_as_radiologists_do():
    """Up is on top; the nose points to the left of sagittal slices, and right is on the left of the others."""
    grid = Grid(20)
    marks = {}
    for name, world in {"right": (60, -20, 0), "front": (0, 50, 0), "top": (0, -20, 70)}.items():
        volume = np.zeros(grid.shape)
        place = np.rint(np.linalg.solve(grid.affine, [*world, 1])[:3]).astype(int)
        volume[tuple(place)] = 1
        marks[name] = (volume, place)

    def seen(name, axis):
        volume, place = marks[name]
        picture = upright(volume, axis, place[axis])
        row, column = (one[0] for one in np.nonzero(picture))
        return row < picture.shape[0] / 2, column < picture.shape[1] / 2

    assert seen("top", 0)[0]
    assert seen("front", 0)[1]
    assert seen("top", 1)[0]
    assert seen("right", 1)[1]
    assert seen("front", 2)[0]
    assert seen("right", 2)[1]


@pytest.mark.parametrize("spacing_mm", [1.0, 3.0, 5.0])
def test_a_thumbnail_is_as_large_and_shows_the_same_at_any_spacing(spacing_mm):
    brain = brains.prepared(brains.brain("patient12"), spacing_mm=spacing_mm)
    picture = thumbnail(brain, outline=False)
    assert picture.shape == (116, 316, 3)
    usual = thumbnail(brains.prepared(brains.brain("patient12"), spacing_mm=2.0), outline=False)
    assert np.corrcoef(picture.ravel(), usual.ravel())[0, 1] > 0.93


def test_the_outline_is_drawn_where_the_brain_should_be_and_only_if_asked_for():
    brain = brains.prepared(brains.brain("patient04"), brains.scaled_to_template())
    plain, outlined = thumbnail(brain, outline=False), thumbnail(brain, outline=True)
    drawn = (outlined == OUTLINE).all(axis=2)
    assert 500 < drawn.sum() < 2500
    assert not (plain == OUTLINE).all(axis=2).any()
    assert np.array_equal(outlined[~drawn], plain[~drawn])
    assert (plain[..., 0] > 30)[drawn].mean() > 0.9  # its outermost pixels
    low = thumbnail(brains.prepared(brains.brain("patient04"), brains.moved(top=-20)), outline=False)
    assert (low[..., 0] > 30)[drawn].mean() < 0.5


def test_a_picture_shows_scan_outline_and_what_is_wrong():
    low = brains.prepared(brains.brain("patient04"), brains.moved(top=-20))
    fine = brains.prepared(brains.brain("patient04"))
    pictures = {}
    for name, one in {"low": low, "fine": fine}.items():
        pictures[name] = brain_picture(one, check_brain(one))
        assert pictures[name].dtype == np.uint8
        assert pictures[name].shape == (360, 810, 3)
    title = {name: picture[:45].reshape(-1, 3).astype(int) for name, picture in pictures.items()}
    red = np.rint(255 * np.array(to_rgb("#ff8f8f")))
    near_red = {name: int((np.abs(pixels - red).max(axis=1) < 12).sum()) for name, pixels in title.items()}
    assert near_red["low"] > 100
    assert near_red["fine"] == 0
    # readable on any background: its own is dark, its words are light
    assert np.median(pictures["fine"]) < 40
    assert title["fine"].max() > 200
    brightness = [picture[60:340, :270, 2].astype(float) for picture in pictures.values()]
    rows = [(np.arange(280) * (part > 60).sum(axis=1)).sum() / (part > 60).sum() for part in brightness]
    assert rows[0] > rows[1] + 10  # what lies too low is shown lower
