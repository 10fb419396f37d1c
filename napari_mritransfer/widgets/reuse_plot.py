"""Four pictures of a re-use: predicted over true, Bland–Altman, learning curve, methods side by side."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_mritransfer.cohort.reuse.agreement import agreement
from napari_mritransfer.cohort.reuse.record import MethodResult, PredictedScan
from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.plotting import add_plot, colour_axes
from napari_mritransfer.widgets.reuse_data import ReuseData
from napari_mritransfer.widgets.theme import Colours, colours_of, series_colour

if TYPE_CHECKING:
    from napari.viewer import Viewer

PREDICTED, DIFFERENCE, CURVE, COMPARISON = "predicted", "difference", "curve", "comparison"
_OF_NUMBERS = {
    PREDICTED: "Predicted over true", DIFFERENCE: "Bland–Altman", COMPARISON: "Methods side by side",
    CURVE: "Learning curve",
}  # fmt: skip
_OF_CLASSES = {
    PREDICTED: "Chance of the true class", COMPARISON: "Methods side by side", CURVE: "Learning curve",
}  # fmt: skip
_BASELINE = "baseline"
_HEIGHT = 270
_DOT, _POINTED = 8, 15  # pixels
_JITTER = 0.3  # of the distance between two classes
_MARGIN, _ROOM_FOR_TEXT = 0.04, 0.1  # of the range
_GREY = "#8c8c8c"  # seen on black and on white


class ReusePlot(QWidget):
    """One picture at a time; points stand for scans.

    Signals
    -------
    scan_pointed
        A `PredictedScan` whose point was clicked.
    method_pointed
        The name of a method whose mark was clicked.
    """

    scan_pointed = Signal(object)
    method_pointed = Signal(str)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._data: ReuseData | None = None
        self._result: MethodResult | None = None
        self._pointed: PredictedScan | None = None
        self.dots: Any = None
        self.choice = narrow(QComboBox())
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setFixedHeight(_HEIGHT)
        self.plot: Any = add_plot(self.canvas)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.choice, self.canvas, self.legend):
            layout.addWidget(widget)
        self.choice.currentIndexChanged.connect(self._on_choice_changed)

    @property
    def shows(self) -> str:
        """`PREDICTED`, `DIFFERENCE`, `CURVE` or `COMPARISON`; empty before there is anything."""
        return str(self.choice.currentData() or "")

    def show_result(self, data: ReuseData, result: MethodResult) -> None:
        """Draw a method of a re-use."""
        if data is not self._data:
            self._offer(data)
        self._data, self._result = data, result
        self._draw()

    def show_pointed(self, line: PredictedScan | None) -> None:
        """Let the point of a prediction stand out."""
        if line is not self._pointed:
            self._pointed = line
            self._draw()

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        self._draw()

    # ------------------------------------------------------------------ drawing

    def _offer(self, data: ReuseData) -> None:
        """The pictures that these results have; the one that was looked at stays."""
        before = self.shows
        was_blocked = self.choice.blockSignals(True)
        self.choice.clear()
        for name, text in (_OF_NUMBERS if data.is_number else _OF_CLASSES).items():
            if name != CURVE or len(data.record.sizes) > 1:
                self.choice.addItem(text, name)
        self.choice.setCurrentIndex(max(0, self.choice.findData(before)))
        self.choice.blockSignals(was_blocked)

    def _draw(self) -> None:
        data, result = self._data, self._result
        colours = colours_of(self._viewer)
        self.canvas.setBackground(colours.background)
        colour_axes(self.plot, colours)
        self.plot.clear()
        self.dots = None
        self.legend.hide()
        self.plot.getAxis("bottom").setTicks(None)
        self.plot.getAxis("left").setTicks(None)
        if data is None or result is None:
            return
        if self.shows == COMPARISON:
            self._draw_comparison(data)
        elif self.shows == CURVE:
            self._draw_curve(data)
        else:
            self._draw_scans(data, result, colours)

    def _draw_scans(self, data: ReuseData, result: MethodResult, colours: Colours) -> None:
        lines = data.lines_of(result)
        true, predicted = data.true_and_predicted(lines)
        name, unit = data.record.label.name, data.unit
        if not lines:
            return
        if self.shows == DIFFERENCE:
            x, y = (true + predicted) / 2, predicted - true
            self._label(f"Mean of both{unit}", "Predicted − true")
            mean, low, high = agreement(true, predicted)
            for height, dash in ((mean, False), (low, True), (high, True)):
                self._level(height, colours, dash=dash, text=f"{height:+.1f}")
            self._tell("Lines: mean difference, and 1.96 standard deviations to either side.")
            self._fit_to(x, np.append(y, (low, high)), _ROOM_FOR_TEXT)
        elif data.is_number:
            x, y = true, predicted
            self._label(f"True {name}{unit}", "Predicted")
            both = np.append(x, y)
            ends = [float(both.min()), float(both.max())]
            self.plot.addItem(pg.PlotCurveItem(ends, ends, pen=pg.mkPen(colours.text, style=Qt.PenStyle.DashLine)))
            self._fit_to(both, both)
        else:
            classes = data.record.label.classes
            x = true + np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(true))
            y = predicted
            self._label(f"True {name}", "Chance it was given")
            self.plot.getAxis("bottom").setTicks([list(enumerate(classes))])
            self._level(1 / len(classes), colours, dash=True, text="by guessing")
            self._fit_to(np.array([-0.5, len(classes) - 0.5]), np.array([0.0, 1.0]))
        is_pointed = [one is self._pointed for one in lines]
        self.dots = pg.ScatterPlotItem(
            x, y, data=np.arange(len(lines)), size=[_POINTED if one else _DOT for one in is_pointed],
            brush=pg.mkBrush(series_colour(1)), hoverable=True, hoverSize=_POINTED,
            pen=[pg.mkPen(colours.text, width=2) if one else pg.mkPen(None) for one in is_pointed],
            tip=lambda x, y, data: data_tip(lines, data),
        )  # fmt: skip
        self.dots.sigClicked.connect(lambda _item, points, *_: self._on_dots_clicked(lines, points))
        self.plot.addItem(self.dots)

    def _draw_comparison(self, data: ReuseData) -> None:
        found = data.record.of_size(self._result.size if self._result is not None else 0)
        ends: list[float] = []
        for place, result in enumerate(reversed(found)):
            value, interval = data.score(result)
            colour = _colour(data, result)
            ends += [value, *(interval or ())]
            if interval is not None:
                pen = pg.mkPen(colour, width=3)
                self.plot.addItem(pg.PlotCurveItem([*interval], [place, place], pen=pen))
            dot = pg.ScatterPlotItem([value], [place], size=11, brush=pg.mkBrush(colour), pen=pg.mkPen(None))
            dot.sigClicked.connect(lambda *_, name=result.method: self.method_pointed.emit(name))
            self.plot.addItem(dot)
            if result.method == _BASELINE:
                pen = pg.mkPen(_GREY, style=Qt.PenStyle.DashLine)
                self.plot.addItem(pg.InfiniteLine(value, angle=90, pen=pen))
        self._label(data.metric, "")
        self._tell("Bars: 95 % intervals over subjects; the dashed line is what is reached without any image.")
        names = [(place, result.label) for place, result in enumerate(reversed(found))]
        self.plot.getAxis("left").setTicks([names])
        self._fit_to(np.array(ends), np.array([-0.5, len(found) - 0.5]))

    def _draw_curve(self, data: ReuseData) -> None:
        swatches, everything = [], []
        for name in dict.fromkeys(result.method for result in data.record.results):
            own = [result for result in data.record.results if result.method == name]
            own.sort(key=lambda result: result.learned_from)
            colour = _colour(data, own[0])
            x = np.array([result.learned_from for result in own])
            y = np.array([data.score(result)[0] for result in own])
            everything.append(np.stack([x, y]))
            is_chosen = self._result is not None and self._result.method == name
            pen = pg.mkPen(colour, width=3 if is_chosen else 1.5)
            if name == _BASELINE:
                pen.setStyle(Qt.PenStyle.DashLine)  # what runs along with it stays to be seen
            dots = {"symbol": "o", "symbolSize": 7, "symbolBrush": pg.mkBrush(colour), "symbolPen": None}
            line = self.plot.plot(x, y, pen=pen, **dots)
            line.setZValue(1 if name == _BASELINE else 0)
            if is_chosen:
                self._draw_intervals(data, own, colour)
            swatches.append(f'<span style="color:{colour}">●</span>&nbsp;{_unbroken(own[0].label)}')
        self._tell(" &nbsp; ".join(swatches))
        self._label("Scans to learn from", data.metric)
        x, y = np.concatenate(everything, axis=1)
        chosen = [end for result in data.record.results if self._result is not None
                  and result.method == self._result.method for end in data.score(result)[1] or ()]  # fmt: skip
        self._fit_to(x, np.append(y, chosen))

    def _draw_intervals(self, data: ReuseData, own: Sequence[MethodResult], colour: str) -> None:
        for result in own:
            interval = data.score(result)[1]
            if interval is not None:
                x = [result.learned_from] * 2
                self.plot.addItem(pg.PlotCurveItem(x, [*interval], pen=pg.mkPen(colour, width=1.5)))

    def _level(self, height: float, colours: Colours, *, dash: bool, text: str) -> None:
        style = Qt.PenStyle.DashLine if dash else Qt.PenStyle.SolidLine
        label = {"position": 0.98, "color": colours.text, "anchors": [(1, 1), (1, 1)]}
        pen = pg.mkPen(colours.text, style=style)
        self.plot.addItem(pg.InfiniteLine(height, angle=0, pen=pen, label=text, labelOpts=label))

    def _tell(self, rich_text: str) -> None:
        self.legend.setText(rich_text)
        self.legend.show()

    def _label(self, bottom: str, left: str) -> None:
        self.plot.setLabel("bottom", bottom)
        self.plot.setLabel("left", left)

    def _fit_to(self, x: NDArray[np.float64], y: NDArray[np.float64], above: float = _MARGIN) -> None:
        finite = y[np.isfinite(y)]
        self.plot.setXRange(float(x.min()), float(x.max()), padding=_MARGIN)
        if finite.size:
            self.plot.setYRange(float(finite.min()), float(finite.max()), padding=above)

    # ------------------------------------------------------------------ events

    def _on_choice_changed(self) -> None:
        """GUI thread."""
        self._draw()

    def _on_dots_clicked(self, lines: Sequence[PredictedScan], points: Sequence[Any]) -> None:
        """GUI thread. Of points that lie on each other, the one on top."""
        if len(points):
            self.scan_pointed.emit(lines[int(points[0].data())])


def data_tip(lines: Sequence[PredictedScan], place: int) -> str:
    """Whose point the mouse is over."""
    line = lines[int(place)]
    return f"{line.subject} {line.session}".strip()


def _colour(data: ReuseData, result: MethodResult) -> str:
    """The same for a method in every picture; grey for the baseline."""
    names = list(dict.fromkeys(one.method for one in data.record.results if one.method != _BASELINE))
    return _GREY if result.method == _BASELINE else series_colour(names.index(result.method))


def _unbroken(text: str) -> str:
    """Rich text that stays on one line: with spaces and hyphens that lines do not break at."""
    return escape(text).replace(" ", "&nbsp;").replace("-", "\u2011")
