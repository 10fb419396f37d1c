import numpy as np
import pytest
from skimage.io import imread

from napari_mritransfer.evaluation.canvas import BACKGROUND
from napari_mritransfer.evaluation.curves import _apart
from napari_mritransfer.evaluation.figure import comparison_figure, learning_curves_figure

DARK = np.array([int(BACKGROUND[i : i + 2], 16) for i in (1, 3, 5)])


def brain(slices=5, height=40, width=40):
    y, x = np.mgrid[:height, :width]
    plane = ((y - height / 2) ** 2 + (x - width / 2) ** 2 < (min(height, width) * 0.45) ** 2) * (100.0 + 3 * x)
    return np.repeat(plane[None], slices, axis=0)


def picture(path):
    return imread(path)[..., :3].astype(int)


def painted(region):
    """Fraction of the pixels that are not the figure's background."""
    return float((np.abs(region - DARK).max(axis=-1) > 8).mean())


def test_panels_lie_where_they_should_and_hold_images(tmp_path):
    reference = brain()
    methods = {"zero-filled": reference * 0.8, "LFT": reference * 0.99}
    path = tmp_path / "comparison.png"
    comparison_figure(reference, methods, {"LFT": "PSNR 40.0 dB\nSSIM 0.99"}, path, title="Patient $03$")
    shot = picture(path)
    top = 16 + 32 + 3 * 18 + 8  # margin, title, name and two caption lines
    assert shot.shape[:2] == (top + 320 + 12 + 320 + 16, 16 + 3 * (320 + 12) + 14 + 72 + 16)
    columns = [slice(16 + i * 332, 16 + i * 332 + 320) for i in range(3)]
    images, errors = slice(top, top + 320), slice(top + 332, top + 652)
    brightness = [shot[images, column].mean() for column in columns]
    assert brightness[0] > brightness[2] > brightness[1] > 20, "one window: the darker image looks darker"
    wrong, right = (shot[errors, column].mean() for column in columns[1:])
    assert wrong > 5 * right, "one magnification: the larger error looks larger"
    assert 0.005 < painted(shot[errors, columns[0]]) < 0.2, "the place below the reference holds the note"
    assert painted(shot[16:40, :332]) > 0.02, "the title"
    assert painted(shot[:, -8:]) == painted(shot[-8:]) == painted(shot[:8]) == 0, "nothing touches an edge"
    assert list(tmp_path.iterdir()) == [path]


def test_voxel_size_sets_the_aspect(tmp_path):
    reference = brain(height=30, width=40)
    comparison_figure(reference, {"FT": reference}, {}, tmp_path / "a.png", spacing=(1.0, 1.0))
    comparison_figure(reference, {"FT": reference}, {}, tmp_path / "b.png", spacing=(4 / 3, 1.0))
    assert picture(tmp_path / "b.png").shape[0] - picture(tmp_path / "a.png").shape[0] == 2 * (320 - 240)


def test_long_names_break_and_stay_inside(tmp_path):
    reference = brain(height=60, width=20)
    name = "a strategy with a very long name and_a_word_that_never_ends_" * 2
    comparison_figure(reference, {name: reference * 0.9}, {name: "caption " * 20}, tmp_path / "long.png")
    shot = picture(tmp_path / "long.png")
    assert painted(shot[:, -8:]) == 0
    columns_end = 16 + 2 * 212
    assert painted(shot[16:100, 228 : columns_end - 12]) > 0.05
    assert painted(shot[:100, columns_end:]) == 0, "the heading ends where its column does"


def test_the_middle_slice_of_the_foreground_is_shown(tmp_path):
    reference = brain(slices=9)
    reference[:6] = 0
    comparison_figure(reference, {"FT": reference * 0.9}, {}, tmp_path / "default.png")
    comparison_figure(reference, {"FT": reference * 0.9}, {}, tmp_path / "asked.png", slice_index=7)
    assert np.array_equal(picture(tmp_path / "default.png"), picture(tmp_path / "asked.png"))


def test_an_empty_slice_and_an_exact_copy_can_be_shown(tmp_path):
    reference = brain()
    reference[0] = 0
    comparison_figure(reference, {"copy": reference}, {}, tmp_path / "empty.png", slice_index=0)
    assert (tmp_path / "empty.png").stat().st_size > 0


def test_without_a_reference_there_is_one_row_and_the_note_below_it(tmp_path):
    bright = brain()
    comparison_figure(None, {"zero-filled": bright * 0.5, "LFT": bright}, {}, tmp_path / "a.png", note="no reference")
    shot = picture(tmp_path / "a.png")
    top, below = 16 + 18 + 8, 3 * 18  # the name; slice, window and note
    assert shot.shape[:2] == (top + 320 + 12 + below + 16, 16 + 2 * (320 + 12) + 14 + 72 + 16)
    dark, light = (shot[top : top + 320, 16 + i * 332 : 16 + i * 332 + 320].mean() for i in range(2))
    assert light > 1.2 * dark, "one window for both"
    assert painted(shot[top + 332 :, :332]) > 0.01, "the note"
    assert painted(shot[:, -8:]) == painted(shot[-8:]) == 0, "nothing touches an edge"


@pytest.mark.parametrize("reference", [None, brain()], ids=["without reference", "with reference"])
def test_the_window_ends_where_it_is_told_to(tmp_path, reference):
    shots = []
    for white in (150.0, 300.0):
        comparison_figure(reference, {"LFT": brain()}, {}, tmp_path / "a.png", white=white)
        shots.append(picture(tmp_path / "a.png")[16 + 18 + 8 :][:320, 16:336].mean())
    assert shots[0] > 1.3 * shots[1]


def test_the_window_begins_where_it_is_told_to_and_errors_at_zero(tmp_path):
    shots = []
    for black in (0.0, 100.0):
        path = tmp_path / "a.png"
        comparison_figure(brain(), {"LFT": brain() * 0.9}, {}, path, white=250.0, black=black, error_magnification=5)
        shots.append(picture(path)[16 + 18 + 8 :])
    images, errors = slice(0, 320), slice(332, 652)
    column = slice(16 + 332, 16 + 332 + 320)
    assert shots[0][images, column].mean() > 1.3 * shots[1][images, column].mean()
    assert np.array_equal(shots[0][errors, column], shots[1][errors, column])


def test_names_that_are_no_text_can_be_drawn(tmp_path):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    comparison_figure(brain(), {name: brain()}, {name: name}, tmp_path / "a.png", title=name, note=name)
    comparison_figure(brain(), {"caf?": brain()}, {"caf?": "caf?"}, tmp_path / "b.png", title="caf?", note="caf?")
    assert np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reconstructions": {}}, "at least one"),
        ({"reconstructions": {"FT": brain()[:1]}}, "shape"),
        ({"reconstructions": {"FT": brain() * 1j}}, "complex"),
        ({"reconstructions": {"FT": brain() * np.nan}}, "NaN"),
        ({"reconstructions": {"reference": brain()}}, "name of its method"),
        ({"reference": brain() * 0}, "zero everywhere"),
        ({"slice_index": 5}, "no slice 5"),
        ({"slice_index": -1}, "no slice -1"),
        ({"error_magnification": 0.0}, "above 0"),
        ({"white": 0.0}, "above 0"),
        ({"white": float("nan")}, "above 0"),
        ({"white": 100.0, "black": 100.0}, "above 100"),
        ({"white": 100.0, "black": float("nan")}, "window from nan"),
        ({"reference": None, "reconstructions": {"FT": brain() * 0}}, "FT is zero everywhere"),
        ({"reference": None, "reconstructions": {"FT": brain(), "LFT": brain()[:1]}}, "LFT has shape"),
        ({"spacing": (0.0, 1.0)}, "above 0"),
    ],
)
def test_bad_input_is_refused_and_leaves_no_file(tmp_path, changed, said):
    given = {"reference": brain(), "reconstructions": {"FT": brain()}, "captions": {}} | changed
    with pytest.raises(ValueError, match=said):
        comparison_figure(path=tmp_path / "figure.png", **given)
    assert not list(tmp_path.iterdir())


def test_only_png_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"\.png"):
        comparison_figure(brain(), {"FT": brain()}, {}, tmp_path / "figure.pdf")


def test_learning_curves_and_levels_are_drawn(tmp_path):
    path = tmp_path / "curves.png"
    curves = {"LFT": [(0, 25.0), (50, 29.0), (100, 30.0)], "FT": [(0, 25.0), (50, float("nan"))], "none": []}
    learning_curves_figure(curves, {"zero-filled": 24.0, "pretrained": 25.0}, path)
    shot = picture(path)
    assert shot.shape[:2] == (540, 960)
    first_colour = np.array([0x56, 0xB4, 0xE9])
    assert (np.abs(shot - first_colour).max(axis=-1) < 10).sum() > 500
    assert painted(shot[:, 708:]) > 0.005, "names stand in the right margin"
    assert painted(shot[:, -4:]) == 0


def test_learning_curves_need_a_number(tmp_path):
    with pytest.raises(ValueError, match="nothing to draw"):
        learning_curves_figure({"FT": [(0, float("nan"))]}, {"pretrained": float("inf")}, tmp_path / "curves.png")


def test_crowded_names_are_moved_apart_and_stay_on_the_page():
    placed = _apart([500.0, 501.0, 502.0, 530.0], 18, 540)
    assert placed[-1] <= 531
    assert min(np.diff(placed)) >= 18
