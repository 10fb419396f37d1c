"""How the labels of a cohort are spread: bars over numbers, or a bar for every class."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.widgets.plotting import add_plot, colour_axes
from napari_mritransfer.widgets.theme import colours_of, series_colour

if TYPE_CHECKING:
    from napari.viewer import Viewer

_HEIGHT = 130
_MOST_BARS = 14
_LONGEST_NAME = 12  # letters of a class below its bar


class LabelHistogram(QWidget):
    """Counts of scans; without numbers of its own."""

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._name = ""
        self._counts: NDArray[Any] = np.zeros(0)
        self._edges: NDArray[Any] = np.zeros(0)
        self._classes: tuple[str, ...] = ()
        self.canvas = pg.GraphicsLayoutWidget()
        self.canvas.setFixedHeight(_HEIGHT)
        self.plot: Any = add_plot(self.canvas)
        self.plot.setLabel("left", "Scans")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.hide()

    def show_labels(self, name: str, task: Task, labels: Sequence[float | str], classes: Sequence[str]) -> None:
        """Draw the labels of a column; hidden where there are none."""
        self._name, self._classes = name, tuple(classes)
        self.setVisible(bool(labels))
        if not labels:
            return
        if task == "regression":
            values = np.array([float(label) for label in labels])
            self._counts, self._edges = np.histogram(values, bins=min(_MOST_BARS, max(4, len(values) // 3)))
        else:
            counted = Counter(str(label) for label in labels)
            self._counts = np.array([counted[one] for one in self._classes])
            self._edges = np.arange(len(self._classes) + 1) - 0.5
        self.follow_theme()

    def follow_theme(self) -> None:
        """Take the viewer's colours, and draw."""
        colours = colours_of(self._viewer)
        self.canvas.setBackground(colours.background)
        colour_axes(self.plot, colours)
        self.plot.clear()
        if not self._counts.size:
            return
        bars = pg.BarGraphItem(
            x0=self._edges[:-1], x1=self._edges[1:], height=self._counts, brush=pg.mkBrush(series_colour(1)),
            pen=pg.mkPen(colours.background),
        )  # fmt: skip
        self.plot.addItem(bars)
        self.plot.setLabel("bottom", self._name)
        below = [(place, _short(name)) for place, name in enumerate(self._classes)]
        self.plot.getAxis("bottom").setTicks([below] if below else None)
        self.plot.setXRange(float(self._edges[0]), float(self._edges[-1]), padding=0.02)
        self.plot.setYRange(0, float(self._counts.max()), padding=0.05)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
