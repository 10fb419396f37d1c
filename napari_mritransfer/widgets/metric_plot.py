"""PSNR or SSIM of every method, slice by slice: click to go there."""

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.widgets.board_data import BoardData, MethodImage
from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.plotting import add_plot, colour_axes
from napari_mritransfer.widgets.theme import colours_of, series_colour

if TYPE_CHECKING:
    from napari.viewer import Viewer

METRICS = {"psnr": "PSNR (dB)", "ssim": "SSIM"}
_HEIGHT = 190


class MetricPlot(QWidget):
    """One curve per method over the slices, and a line at the slice that is looked at.

    Signals
    -------
    slice_wanted
        Index of a slice, frames stacked: the user clicked there, dragged the line there, or asked for the worst.
    """

    slice_wanted = Signal(int)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._data: BoardData | None = None
        self.choice = narrow(QComboBox())
        for name, label in METRICS.items():
            self.choice.addItem(label, name)
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setFixedHeight(_HEIGHT)
        self.plot: Any = add_plot(self.canvas)
        self.line: Any = pg.InfiniteLine(0, angle=90, movable=True)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.method = narrow(QComboBox())
        self.method.setToolTip("The method whose worst slice is shown")
        self.worst = QPushButton("Worst slice")
        row = QHBoxLayout()
        row.addWidget(self.worst)
        row.addWidget(QLabel("of"))
        row.addWidget(self.method, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.choice, self.canvas, self.legend):
            layout.addWidget(widget)
        layout.addLayout(row)

        self.choice.currentIndexChanged.connect(self._on_metric_chosen)
        self.worst.clicked.connect(self._on_worst_clicked)
        self.line.sigDragged.connect(self._on_line_dragged)
        self.plot.scene().sigMouseClicked.connect(self._on_plot_clicked)
        self.follow_theme()

    def show_data(self, data: BoardData) -> None:
        """Draw a comparison; the best method is chosen for "Worst slice"."""
        self._data = data
        self.method.clear()
        for method in data.methods:
            self.method.addItem(method.name)
        self._choose_best()
        self._draw()

    def show_slice(self, slice_index: int) -> None:
        """Move the line; asks for nothing."""
        self.line.setValue(slice_index)

    def worst_slice(self) -> int | None:
        """The slice with the lowest value of the chosen metric and method; None where no slice counts."""
        if self._data is None or self.method.currentIndex() < 0:
            return None
        values = self._data.methods[self.method.currentIndex()].values(self._metric)
        counted = [(value, index) for index, value in enumerate(values) if value is not None]
        return min(counted)[1] if counted else None

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        colours = colours_of(self._viewer)
        self.canvas.setBackground(colours.background)
        colour_axes(self.plot, colours)
        self.line.setPen(pg.mkPen(colours.text, width=1))
        self.line.setHoverPen(pg.mkPen(colours.text, width=3))

    @property
    def _metric(self) -> str:
        return str(self.choice.currentData())

    def _draw(self) -> None:
        data = self._data
        assert data is not None
        self.plot.clear()
        self.plot.setLabel("left", METRICS[self._metric])
        self.plot.setLabel("bottom", "Slice" if data.n_frames == 1 else "Slice (all frames)")
        swatches = []
        for index, method in enumerate(data.methods):
            values = [math.nan if value is None else value for value in method.values(self._metric)]
            colour = series_colour(index)
            if not np.isnan(values).all():  # an exact copy has no PSNR, and pyqtgraph no range for nothing
                self.plot.plot(
                    np.arange(len(values)), np.array(values), pen=pg.mkPen(colour, width=2), connect="finite",
                    symbol="o", symbolSize=5, symbolBrush=pg.mkBrush(colour), symbolPen=None,
                )  # fmt: skip
            swatches.append(f'<span style="color:{colour}">●</span>&nbsp;{escape(method.name).replace(" ", "&nbsp;")}')
        self.legend.setText(" &nbsp; ".join(swatches))
        self.plot.addItem(self.line)
        self.line.setBounds((0, data.n_slices - 1))
        self.plot.setXRange(0, max(1, data.n_slices - 1))
        self.plot.enableAutoRange(axis="y")

    def _choose_best(self) -> None:
        assert self._data is not None
        metric = self._metric

        def quality(method: MethodImage) -> float:
            mean = method.mean(metric)
            if mean is not None:
                return mean
            # exact copies have no number
            return math.inf if method.ssim is not None else -math.inf

        methods = self._data.methods
        best = max(range(len(methods)), key=lambda index: quality(methods[index]))
        self.method.setCurrentIndex(best)

    def _want(self, position: float) -> None:
        if self._data is not None:
            self.slice_wanted.emit(min(max(round(position), 0), self._data.n_slices - 1))

    def _on_metric_chosen(self) -> None:
        """GUI thread."""
        if self._data is not None:
            self._draw()

    def _on_worst_clicked(self) -> None:
        """GUI thread."""
        index = self.worst_slice()
        if index is not None:
            self._want(index)

    def _on_line_dragged(self) -> None:
        """GUI thread."""
        self._want(self.line.value())

    def _on_plot_clicked(self, event: Any) -> None:
        """GUI thread."""
        view = self.plot.getViewBox()
        if event.button() == Qt.MouseButton.LeftButton and view.sceneBoundingRect().contains(event.scenePos()):
            self._want(view.mapSceneToView(event.scenePos()).x())
