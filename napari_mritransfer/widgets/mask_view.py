"""A small picture of k-space: which phase-encode lines, or which samples of the plane, are measured."""

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_mritransfer.physics.line_masks import Lines

_HEIGHT = 96
_PLANE_HEIGHT = 160  # scattered samples are smaller than lines
# The picture is k-space, not text: as on every console it is bright on black in any theme.
_MEASURED, _CENTRE, _NOT_MEASURED = (225, 225, 225), (230, 159, 0), (18, 18, 18)


class MaskView(QWidget):
    """Measured lines bright, those of the centre without gaps orange, the rest dark; nothing before it is told.

    Scattered samples are shown as the plane that they lie in, in its own proportions.
    """

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
        self._keeps_shape = False

    @property
    def lines(self) -> NDArray[np.bool_] | None:
        """What is drawn: ``(n_lines,)`` or ``(ky, kx)`` bool."""
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
        self._lines, self._keeps_shape = lines, False
        self.setFixedHeight(_HEIGHT)
        self._picture = None if lines is None else picture(lines, axis)
        self.update()

    def show_plane(self, sampled: NDArray[np.bool_]) -> None:
        """Draw the samples of a plane, ``(ky, kx)`` bool with DC at ``n // 2``: ky runs down, kx to the right."""
        self._lines, self._keeps_shape = sampled, True
        self.setFixedHeight(_PLANE_HEIGHT)
        colours = np.where(sampled[..., None], _MEASURED, _NOT_MEASURED).astype(np.uint8)
        self._picture = _image(colours)
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """GUI thread."""
        painter = QPainter(self)
        if self._picture is None:
            painter.setPen(self.palette().mid().color())
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            return
        place = self._place(self._picture)
        size = place.size() * self.devicePixelRatioF()
        crowded = self._picture.width() > size.width() or self._picture.height() > size.height()
        # lines that share a pixel become grey rather than hiding each other; those that do not stay sharp
        mode = Qt.TransformationMode.SmoothTransformation if crowded else Qt.TransformationMode.FastTransformation
        scaled = self._picture.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
        painter.drawImage(place, scaled)

    def _place(self, shown: QImage) -> QRect:
        """Where the picture is drawn: everywhere, or as much as its proportions leave, in the middle."""
        if not self._keeps_shape:
            return self.rect()
        place = QRect(QPoint(), shown.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio))
        place.moveCenter(self.rect().center())
        return place


def picture(lines: Lines, axis: str) -> QImage:
    """One pixel per line: a column of them for y, a row for x."""
    colours = np.empty((len(lines), 3), dtype=np.uint8)
    colours[:] = _NOT_MEASURED
    colours[lines] = _MEASURED
    colours[centre_block(lines)] = _CENTRE
    return _image(colours[:, None] if axis == "y" else colours[None])


def _image(colours: NDArray[np.uint8]) -> QImage:
    """Of ``(y, x, 3)`` bytes."""
    pixels = np.ascontiguousarray(colours)
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
