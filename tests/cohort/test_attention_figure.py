"""The picture of a look: nothing is cut off, no scale is stretched, and simulated data say so."""

import dataclasses

import numpy as np
import pytest
from test_record import GRID, view
from test_record import record as of_views

from napari_mritransfer.cohort import figures
from napari_mritransfer.cohort.figures import attention_figure
from napari_mritransfer.cohort.record import write_array

LONG = "Dropping the 5 most attended slices moves the prediction by 3.1 years; blocks of 5 neighbouring slices by 0.4."


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Draws a record; the figure stays to be looked at."""
    kept = []
    monkeypatch.setattr(figures, "save_png", lambda figure, path: kept.append(figure))
    write_array(np.random.default_rng(0).random(GRID.shape).astype(np.float32), tmp_path / "00-volume.npy")
    peak = np.ones(GRID.shape, np.float32)
    peak[3, 5, 7] = 40
    write_array(peak, tmp_path / "00-map.npy")

    def draw(*views, simulated=True, record=None):
        told = record or dataclasses.replace(of_views(*views), simulated=simulated)
        attention_figure(told, tmp_path, tmp_path / "attention.png")
        return kept[-1]

    return draw


def texts_of(figure):
    figure.canvas.draw()
    return [text for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text().strip()]


def rich(**changes):
    curve = {"chosen": [1.0, 2.0, 2.5], "blocks": [0.1, 0.2, 0.3], "lowest": [0.0] * 3, "highest": [0.5] * 3}
    return view(
        input="zero-filled at 25 %, random lines, seed 17, of a patient with a long name", difference=1.4,
        difference_text="+1.4 years", expected_error="MAE 3.2 years in validation (12 scans)", sentence=LONG,
        relative=(5.0, *(8 / 12,) * 12), mean_relative=(1.0,) * 13, changed=(True, *(False,) * 12),
        share_on_changed=0.4, by_chance=0.1, sanity={"deletion": curve, "insertion": curve}, **changes,
    )  # fmt: skip


@pytest.mark.parametrize("views", [(view(),), (rich(), view(slicing="axial", kind="contribution", model="b"), rich())])
def test_no_text_is_cut_off(drawn, views):
    figure = drawn(*views)
    width, height = figure.canvas.get_width_height()
    texts_of(figure)
    for drawn_part in (*figure.texts, *figure.axes):  # axes with their numbers, titles and legends
        box = drawn_part.get_tightbbox()
        assert min(box.x0, box.y0) >= 0, drawn_part
        assert box.x1 <= width, drawn_part
        assert box.y1 <= height, drawn_part


def test_text_does_not_run_into_other_text(drawn):
    figure = drawn(rich(), rich(), view())
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure) if text.axes is None]
    for index, (first, box) in enumerate(boxes):
        for second, other in boxes[index + 1 :]:
            shared = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert not (shared[0] > 1 and shared[1] > 3), (first, second)


def test_bars_have_one_fixed_scale_and_what_is_above_is_counted(drawn):
    figure = drawn(rich(), view())
    bars = [axes for axes in figure.axes if "weight × slices" in axes.get_ylabel()]
    assert [axes.get_ylim() for axes in bars] == [(0, 3), (0, 3)]
    assert max(patch.get_height() for patch in bars[0].patches if patch.get_width() < 12 and patch.get_y() == 0) <= 3
    said = [text.get_text() for text in texts_of(figure)]
    assert any("1 bars reach above it" in text for text in said)
    assert "1 = uniform" in said


def test_all_views_are_cut_through_the_largest_value_of_the_first_map(drawn):
    said = [text.get_text() for text in texts_of(drawn(view(), view()))]
    for letter, axis, index in (("x", "sagittal", 3), ("y", "coronal", 5), ("z", "axial", 7)):
        position = GRID.positions_mm(axis)[index]
        assert said.count(f"{axis}, {letter} = {position:.0f} mm") == 2


def test_a_sentence_that_stands_beside_its_view_is_not_repeated_below(drawn, tmp_path):
    one = rich()
    told = dataclasses.replace(of_views(one), sentences=(f"{one.name}: {LONG}", "Another finding."))
    said = " ".join(text.get_text() for text in texts_of(drawn(record=told)))
    assert "Another finding." in said
    assert said.count("neighbouring slices") == 1


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_data_say_so(drawn, simulated):
    said = [text.get_text() for text in texts_of(drawn(view(map=None), simulated=simulated))]
    assert ("SIMULATED DATA" in said) == simulated


def test_more_views_than_fit_are_counted(drawn):
    said = " ".join(text.get_text() for text in texts_of(drawn(*[view(map=None)] * 14)))
    assert "2 more views stand in slices.csv" in said
