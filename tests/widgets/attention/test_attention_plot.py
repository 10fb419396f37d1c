"""Bars on a fixed scale; clicking and dragging asks for the slice under the mouse."""

from types import SimpleNamespace

import numpy as np
import pyqtgraph as pg
import pytest
from fake_maps import GRID, write_maps
from qtpy.QtCore import QPointF, Qt

from napari_mritransfer.widgets.attention_data import read_attention
from napari_mritransfer.widgets.attention_plot import MINUS_MEAN, AttentionPlot

N = GRID.shape[0]


@pytest.fixture
def plot(qtbot):
    made = AttentionPlot(SimpleNamespace(theme="dark"))  # of a viewer it wants the colours alone
    qtbot.addWidget(made)
    return made


@pytest.fixture
def shown(plot, tmp_path):
    def show(*views, **changes):
        data = read_attention(write_maps(tmp_path / "maps", *views, **changes))
        plot.show_view(data.views[0], {view.name: view for view in data.views})
        return data.views[0]

    return show


class Mouse:
    """As pyqtgraph tells of a click or a drag, at slice `x`."""

    def __init__(self, plot, x, button=Qt.MouseButton.LeftButton):
        plot.canvas.resize(280, 200)
        plot.plot.layout.activate()
        self._place = plot.box.mapFromView(QPointF(x, 0.5))
        self._button = button
        self.is_taken = False

    def button(self):
        return self._button

    def pos(self):
        return self._place

    def accept(self):
        self.is_taken = True


def items(plot, kind):
    return [item for item in plot.plot.items if isinstance(item, kind)]


def heights(plot):
    return [float(height) for height in plot.bars.opts["height"]]


def test_the_scale_is_the_same_whatever_is_in_it(plot, shown):
    for factor in (0.01, 1.0):
        view = shown({"relative": [factor * (index % 3) for index in range(N)]})
        assert heights(plot) == pytest.approx(view.relative)
        assert plot.plot.viewRange()[1] == [0, 3]
        assert plot.cut.isHidden()


def test_bars_beyond_the_scale_are_cut_off_marked_and_told(plot, shown):
    shown({"relative": [7.25, 3.5, *[0.5] * (N - 2)]})
    assert heights(plot)[:3] == [3.0, 3.0, 0.5]
    (marks,) = items(plot, pg.ScatterPlotItem)
    assert [point.pos().x() for point in marks.points()] == [0, 1]
    assert plot.cut.text().startswith("▲ 2 slices lie beyond the scale (7.2 at most)")
    assert not plot.cut.isHidden()


def test_the_difference_from_the_mean_has_a_fixed_scale_too(plot, shown):
    view = shown({"relative_minus_mean": [-4.0, 0.2, *[0.0] * (N - 2)]})
    plot.choice.setCurrentIndex(plot.choice.findData(MINUS_MEAN))
    assert plot.plot.viewRange()[1] == [-1.5, 1.5]
    assert heights(plot)[:3] == [-1.5, view.minus_mean[1], 0.0]
    assert "1 slice lies beyond" in plot.cut.text()
    shown({"relative_minus_mean": None, "mean_relative": None})
    assert plot.shows == "relative"
    assert not plot.choice.isEnabled()


def test_the_cohorts_mean_is_a_line_of_steps_and_other_views_are_thin(plot, shown):
    view = shown({"scan": "reference"}, {"scan": "lft"}, {"scan": "cut otherwise", "slicing": "coronal"})
    other, mean = items(plot, pg.PlotCurveItem)
    assert mean.opts["stepMode"] == "center"
    np.testing.assert_array_equal(mean.getData()[1], np.clip(view.mean_relative, 0, 3))
    assert mean.opts["pen"].width() > other.opts["pen"].width()
    assert "cohort&#x27;s&nbsp;mean" in plot.legend.text()
    assert "lft" in plot.legend.text()
    assert "otherwise" not in plot.legend.text()


def test_known_truth_is_shaded_and_absent_slices_are_grey(plot, shown):
    shown({
        "changed": [index in (2, 3, 7) for index in range(N)], "present": [index < N - 2 for index in range(N)],
    })  # fmt: skip
    shaded = [tuple(region.getRegion()) for region in items(plot, pg.LinearRegionItem)]
    assert sorted(shaded) == [(1.5, 3.5), (6.5, 7.5), (N - 2.5, N - 0.5)]
    assert not any(region.movable for region in items(plot, pg.LinearRegionItem))
    for text in ("changed by the simulation", "not shown to the network"):
        assert text.replace(" ", "&nbsp;") in plot.legend.text()


@pytest.mark.parametrize("slicing", ["sagittal", "coronal", "axial"])
def test_clicking_and_dragging_asks_for_the_slice_under_the_mouse(plot, shown, slicing):
    view = shown({"slicing": slicing})
    wanted = []
    plot.slice_wanted.connect(wanted.append)
    click, drag = Mouse(plot, 4.3), Mouse(plot, 6.6)
    plot.box.mouseClickEvent(click)
    plot.box.mouseDragEvent(drag)
    plot.box.mouseDragEvent(Mouse(plot, -3))
    plot.box.mouseDragEvent(Mouse(plot, 200))
    assert wanted == [4, 7, 0, view.n_slices - 1]
    assert click.is_taken
    assert drag.is_taken
    plot.box.mouseClickEvent(Mouse(plot, 4.3, Qt.MouseButton.RightButton))
    assert len(wanted) == 4
    ends = {"sagittal": "R → L", "coronal": "A → P", "axial": "I → S"}[slicing]
    assert plot.plot.getAxis("bottom").labelText == f"Slice ({ends})"


def test_the_slice_that_is_looked_at_is_marked(plot, shown):
    view = shown({})
    plot.show_slice(5)
    assert plot.line.value() == 5
    assert [float(plot.marked.opts[name][0]) for name in ("x", "height")] == [5, pytest.approx(view.relative[5])]
    plot.choice.setCurrentIndex(plot.choice.findData(MINUS_MEAN))
    assert float(plot.marked.opts["height"][0]) == pytest.approx(view.minus_mean[5])


def test_both_themes_are_taken(qtbot, tmp_path):
    (view,) = read_attention(write_maps(tmp_path / "maps")).views
    viewer = SimpleNamespace(theme="dark")
    plot = AttentionPlot(viewer)
    qtbot.addWidget(plot)
    plot.show_view(view)
    for theme in ("light", "dark"):
        viewer.theme = theme
        plot.follow_theme()
        background = plot.canvas.backgroundBrush().color().lightness()
        assert (background > 128) == (theme == "light")
