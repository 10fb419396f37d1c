"""Loss and validation score of the runs on their way."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mritransfer.training.metric import PSNR
from napari_mritransfer.widgets.plotting import add_plot
from napari_mritransfer.widgets.theme import colours_of, series_colour
from napari_mritransfer.widgets.tuning import Run

if TYPE_CHECKING:
    import napari

_REDRAW_MS = 100  # ten times a second at most, however fast the steps come
_SMOOTHED_OVER = 10  # steps; single steps differ by what they drew


class LivePlot(QWidget):
    """Two plots over the steps: the training loss above, the validation score with its levels below."""

    def __init__(self, viewer: "napari.Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._runs: Sequence[Run] = ()
        self._canvas = pg.GraphicsLayoutWidget()
        self.loss: Any = add_plot(self._canvas)
        self.score: Any = add_plot(self._canvas, row=1)
        self.loss.setLabel("left", "Loss")
        self.score.setLabel("left", PSNR.label)
        self.score.setLabel("bottom", "Step")
        self.score.setXLink(self.loss)
        self._legend = self.loss.addLegend(offset=(-4, 4), labelTextSize="8pt")
        for plot in (self.loss, self.score):
            plot.getAxis("left").setWidth(52)
            plot.getAxis("left").enableAutoSIPrefix(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._canvas)
        self.setMinimumHeight(260)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(_REDRAW_MS)
        self._redraw.timeout.connect(self.draw)
        self.follow_theme()

    def show_runs(self, runs: Sequence[Run]) -> None:
        """Draw these, now and whenever `refresh` is called."""
        self._runs = runs
        self.refresh()

    def refresh(self) -> None:
        """Draw soon."""
        if not self._redraw.isActive():
            self._redraw.start()

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        colours = colours_of(self._viewer)
        self._canvas.setBackground(colours.background)
        for plot in (self.loss, self.score):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(colours.quiet)
                plot.getAxis(side).setTextPen(colours.text)
        self._legend.setLabelTextColor(colours.text)
        self.refresh()

    def draw(self) -> None:
        """Draw what the runs hold. GUI thread."""
        self.loss.clear()
        self.score.clear()
        for index, run in enumerate(self._runs):
            pen = pg.mkPen(series_colour(index), width=2)
            if run.losses:
                steps, losses = np.array(run.losses).T
                self.loss.plot(steps, _smoothed(losses), pen=pen, name=run.label)
            if run.curve:
                steps, scores = np.array(run.curve).T
                brush = pg.mkBrush(series_colour(index))
                self.score.plot(steps, scores, pen=pen, symbol="o", symbolSize=5, symbolBrush=brush, symbolPen=None)
        self._draw_levels()

    def _draw_levels(self) -> None:
        """The baseline and the level of epoch 0 are the same for all runs of one start, and so is what they measure."""
        run = next((run for run in self._runs if run.started is not None), None)
        if run is None or run.started is None:
            return
        started, metric, colours = run.started, run.started.measures(), colours_of(self._viewer)
        self.score.setLabel("left", metric.label)
        levels = [(started.baseline_name, started.baseline, metric.higher_is_better)]
        if run.curve and run.curve[0][0] == 0:
            levels.append((started.first_name, run.curve[0][1], not metric.higher_is_better))
        for name, value, is_above in levels:
            # of a PSNR, below the pretrained level and above the zero-filled one: curves lie on the other side
            side = (1, 1) if is_above else (1, 0)
            label = {"position": 0.98, "color": colours.text, "anchors": [side, side]}
            pen = pg.mkPen(colours.text, style=pg.QtCore.Qt.PenStyle.DashLine)
            line = pg.InfiniteLine(value, angle=0, pen=pen, label=f"{name} {metric.text(value)}", labelOpts=label)
            self.score.addItem(line)


def _smoothed(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Mean over the last steps, fewer at the start."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - _SMOOTHED_OVER)
    result: np.ndarray[Any, Any] = (sums[ends] - sums[starts]) / (ends - starts)
    return result
