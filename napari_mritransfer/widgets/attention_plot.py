"""Where a network looked, slice by slice, as bars on a fixed scale: click or drag, and the viewer goes there."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_mritransfer.cohort.attention import SHOWN_UP_TO
from napari_mritransfer.widgets.attention_data import AttentionView, Values
from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.plotting import add_plot, colour_axes
from napari_mritransfer.widgets.theme import colours_of, series_colour

if TYPE_CHECKING:
    from napari.viewer import Viewer

RELATIVE, MINUS_MEAN = "relative", "minus mean"
SCALES = {RELATIVE: (0.0, SHOWN_UP_TO), MINUS_MEAN: (-SHOWN_UP_TO / 2, SHOWN_UP_TO / 2)}
_NAMES = {RELATIVE: "Weight × slices (1 = uniform)", MINUS_MEAN: "Difference from the cohort's mean"}
_HEIGHT = 200
_BAR, _MEAN, _CHANGED = series_colour(1), series_colour(0), series_colour(2)
_OTHERS = (3, 4, 5, 6)  # of the series' colours
_DASHES = {"━": Qt.PenStyle.SolidLine, "╍": Qt.PenStyle.DashLine, "┅": Qt.PenStyle.DotLine}
_WIDTH = 0.9  # of a slice
_OPPOSITE = dict(zip("LRPASI", "RLAPIS", strict=True))


class SliceBox(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot's area that tells where it is clicked and dragged.

    Signals
    -------
    pointed
        The place along the horizontal axis.
    """

    pointed = Signal(float)

    def mouseClickEvent(self, event: Any) -> None:
        """GUI thread; pyqtgraph asks."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.pointed.emit(self.mapToView(event.pos()).x())

    def mouseDragEvent(self, event: Any, axis: Any = None) -> None:
        """GUI thread; pyqtgraph asks."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.pointed.emit(self.mapToView(event.pos()).x())


class AttentionPlot(QWidget):
    """Bars of one view, the others as thin lines; the slice that is looked at is marked.

    Signals
    -------
    slice_wanted
        Index of a slice that the user clicked at or dragged to.
    """

    slice_wanted = Signal(int)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._view: AttentionView | None = None
        self._others: dict[str, tuple[AttentionView, str, str]] = {}
        self.choice = narrow(QComboBox())
        for name, text in _NAMES.items():
            self.choice.addItem(text, name)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setFixedHeight(_HEIGHT)
        self.box = SliceBox(enableMenu=False)
        self.plot: Any = add_plot(self.canvas, view_box=self.box)
        self.line: Any = pg.InfiniteLine(0, angle=90)
        self.marked: Any = pg.BarGraphItem(x=[0], height=[0], width=_WIDTH)
        self.bars: Any = None
        self.legend, self.cut = QLabel(), QLabel()
        for label in (self.legend, self.cut):
            label.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.choice, self.canvas, self.legend, self.cut):
            layout.addWidget(widget)
        self.choice.currentIndexChanged.connect(self._on_choice_changed)
        self.box.pointed.connect(self._on_pointed)
        self._index = 0

    @property
    def shows(self) -> str:
        """`RELATIVE` or `MINUS_MEAN`."""
        return str(self.choice.currentData())

    def show_view(self, view: AttentionView, names: Mapping[str, AttentionView] | None = None) -> None:
        """Draw a view as bars, and the others of `names` that cut the scan the same way as lines.

        A line looks the same whichever view is drawn as bars.
        """
        self._view, self._others = view, {}
        for index, (name, other) in enumerate((names or {}).items()):
            if other is not view and other.slicing == view.slicing:
                dash = [*_DASHES][index // len(_OTHERS) % len(_DASHES)]
                self._others[name] = other, series_colour(_OTHERS[index % len(_OTHERS)]), dash
        self.choice.setEnabled(view.minus_mean is not None)
        self.choice.setToolTip("" if view.minus_mean is not None else "Nobody stored the cohort's mean map")
        if view.minus_mean is None and self.shows == MINUS_MEAN:
            self.choice.setCurrentIndex(self.choice.findData(RELATIVE))
        self._draw()

    def show_slice(self, index: int) -> None:
        """Mark a slice; asks for nothing."""
        self._index = index
        self._mark()

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        if self._view is not None:
            self._draw()

    # ------------------------------------------------------------------ drawing

    def _draw(self) -> None:
        view = self._view
        assert view is not None
        colours = colours_of(self._viewer)
        low, high = SCALES[self.shows]
        self.canvas.setBackground(colours.background)
        colour_axes(self.plot, colours)
        self.plot.clear()
        runs_to = view.volume.axes.directions[0]
        self.plot.setLabel("bottom", f"Slice ({_OPPOSITE[runs_to]} → {runs_to})")
        self._shade([not there for there in view.present], colours.quiet, 90)
        if view.changed is not None:
            self._shade(view.changed, _CHANGED, 70)
        values = self._values(view)
        places = np.arange(view.n_slices)
        self.bars = pg.BarGraphItem(
            x=places, height=np.clip(values, low, high), width=_WIDTH, brush=pg.mkBrush(_BAR), pen=None
        )
        self.plot.addItem(self.bars)
        self.plot.addItem(self.marked)
        for other, colour, dash in self._others.values():
            pen = pg.mkPen(colour, width=1, style=_DASHES[dash])
            self.plot.addItem(pg.PlotCurveItem(places, np.clip(self._values(other), low, high), pen=pen))
        if self.shows == RELATIVE and view.mean_relative is not None:
            edges = np.arange(view.n_slices + 1) - 0.5
            mean = np.clip(view.mean_relative, low, high)
            self.plot.addItem(pg.PlotCurveItem(edges, mean, stepMode="center", pen=pg.mkPen(_MEAN, width=2)))
        level = 1 if self.shows == RELATIVE else 0
        self.plot.addItem(pg.InfiniteLine(level, angle=0, pen=pg.mkPen(colours.text, style=Qt.PenStyle.DashLine)))
        self._mark_cut_off(values, colours.error)
        self.line.setPen(pg.mkPen(colours.text, width=1))
        self.marked.setOpts(brush=pg.mkBrush(colours.text), pen=None)
        self.plot.addItem(self.line)
        self.plot.setXRange(-0.5, view.n_slices - 0.5, padding=0)
        self.plot.setYRange(low, high, padding=0)
        self._mark()
        self._write_legend(view)

    def _mark(self) -> None:
        view = self._view
        if view is None:
            return
        index = min(self._index, view.n_slices - 1)
        low, high = SCALES[self.shows]
        self.line.setValue(index)
        self.marked.setOpts(x=[index], height=[float(np.clip(self._values(view)[index], low, high))])

    def _values(self, view: AttentionView) -> Values:
        """What the bars show; a view without a mean map has no difference from it."""
        if self.shows == RELATIVE:
            return view.relative
        return view.minus_mean or (0.0,) * view.n_slices

    def _shade(self, where: Sequence[bool], colour: str, alpha: int) -> None:
        brush = QColor(colour)
        brush.setAlpha(alpha)
        start = 0
        for is_so, run in groupby(where):
            length = len([*run])
            if is_so:
                region = pg.LinearRegionItem(
                    (start - 0.5, start + length - 0.5), movable=False, brush=brush, pen=pg.mkPen(None)
                )
                region.setZValue(-10)
                self.plot.addItem(region)
            start += length

    def _mark_cut_off(self, values: Values, colour: str) -> None:
        low, high = SCALES[self.shows]
        inside = (high - low) / 25
        above = [index for index, value in enumerate(values) if value > high]
        below = [index for index, value in enumerate(values) if value < low]
        for where, level, symbol in ((above, high - inside, "t1"), (below, low + inside, "t")):
            if where:
                marks = pg.ScatterPlotItem(where, [level] * len(where), symbol=symbol, size=8, brush=colour, pen=None)
                self.plot.addItem(marks)
        n_cut = len(above) + len(below)
        furthest = max(values, key=abs)
        slices = "slice lies" if n_cut == 1 else "slices lie"
        self.cut.setText(f"▲ {n_cut} {slices} beyond the scale ({furthest:.1f} at most): the bars are cut off there.")
        self.cut.setVisible(n_cut > 0)

    def _write_legend(self, view: AttentionView) -> None:
        entries = [(_BAR, "■", "this view")]
        if view.mean_relative is not None and self.shows == RELATIVE:
            entries.append((_MEAN, "━", "cohort's mean"))
        if view.changed is not None:
            entries.append((_CHANGED, "■", "changed by the simulation"))
        if not all(view.present):
            entries.append((colours_of(self._viewer).quiet, "■", "not shown to the network"))
        entries += [(colour, dash, name) for name, (_, colour, dash) in self._others.items()]
        self.legend.setText(" &nbsp; ".join(
            f'<span style="color:{colour}">{mark}</span>&nbsp;{_unbroken(text)}'
            for colour, mark, text in entries
        ))  # fmt: skip

    # ------------------------------------------------------------------ events

    def _on_choice_changed(self) -> None:
        """GUI thread."""
        if self._view is not None:
            self._draw()

    def _on_pointed(self, place: float) -> None:
        """GUI thread."""
        if self._view is not None:
            self.slice_wanted.emit(min(max(round(place), 0), self._view.n_slices - 1))


def _unbroken(text: str) -> str:
    """Rich text that stays on one line: with spaces and hyphens that lines do not break at."""
    return escape(text).replace(" ", "&nbsp;").replace("-", "\u2011")
