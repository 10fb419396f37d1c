"""A small picture of k-space: which phase-encode lines are measured."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_mritransfer.physics.masks import Lines

_HEIGHT = 96
# The picture is k-space, not text: as on every console it is bright on black in any theme.
_MEASURED, _CENTRE, _NOT_MEASURED = (225, 225, 225), (230, 159, 0), (18, 18, 18)


class MaskView(QWidget):
    """Measured lines bright, those of the centre without gaps orange, the rest dark; nothing before `show_lines`."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "k-space with its centre in the middle: bright lines are measured, dark ones are not, and the orange ones "
            "are the fully sampled centre."
        )
        self._lines: NDArray[np.bool_] | None = None
        self._picture: QImage | None = None

    @property
    def lines(self) -> NDArray[np.bool_] | None:
        """What is drawn."""
        return self._lines

    def show_lines(self, lines: Lines | None, axis: str = "y") -> None:
        """Draw these.

        Parameters
        ----------
        lines
            ``(n_lines,)`` bool, DC at ``n_lines // 2``; None draws an empty frame.
        axis
            Image axis they are counted along: with y they lie across the picture, with x they stand upright.
        """
        self._lines = lines
        self._picture = None if lines is None else picture(lines, axis)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """GUI thread."""
        painter = QPainter(self)
        if self._picture is None:
            painter.setPen(self.palette().mid().color())
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            return
        size = self.size() * self.devicePixelRatioF()
        crowded = self._picture.width() > size.width() or self._picture.height() > size.height()
        # lines that share a pixel become grey rather than hiding each other; those that do not stay sharp
        mode = Qt.TransformationMode.SmoothTransformation if crowded else Qt.TransformationMode.FastTransformation
        scaled = self._picture.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
        painter.drawImage(self.rect(), scaled)


def picture(lines: Lines, axis: str) -> QImage:
    """One pixel per line: a column of them for y, a row for x."""
    colours = np.empty((len(lines), 3), dtype=np.uint8)
    colours[:] = _NOT_MEASURED
    colours[lines] = _MEASURED
    colours[centre_block(lines)] = _CENTRE
    pixels = np.ascontiguousarray(colours[:, None] if axis == "y" else colours[None])
    height, width, _ = pixels.shape
    # copied, for a QImage over a buffer does not keep it alive
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def centre_block(lines: Lines) -> slice:
    """The measured lines around DC up to the first gap on either side; empty where DC is not measured."""
    dc = len(lines) // 2
    gaps = np.flatnonzero(~lines)
    below, above = gaps[gaps <= dc], gaps[gaps >= dc]
    start = int(below[-1]) + 1 if below.size else 0
    return slice(start, max(start, int(above[0]) if above.size else len(lines)))
