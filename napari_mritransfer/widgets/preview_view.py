"""The slice that is reconstructed again at each validation: reference, zero-filled, now."""

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

_CAPTIONS = ("Reference", "Zero-filled", "Now")
_CAPTION_HEIGHT = 18
_GAP = 4
# the file holds no directions, so that it cannot be mirrored for those who prefer the neurological view
_HOW_IT_LIES = (
    "As stored, radiological: where axial or coronal slices were taken from a scan that tells its sides, the patient's "
    "right is on the left."
)


class PreviewView(QWidget):
    """Three pictures in one window, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._planes: NDArray[np.float32] | None = None
        self._aspect = 1.0
        self._last_caption = _CAPTIONS[-1]
        self._text = QColor("gray")
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setToolTip(_HOW_IT_LIES)
        self.hide()

    @property
    def planes(self) -> NDArray[np.float32] | None:
        """``(3, y, x)`` shown: reference, zero-filled, current reconstruction."""
        return self._planes

    def show_file(self, path: Path, caption: str, aspect: float = 1.0) -> None:
        """Show a run's `training.preview` file; keeps the picture where there is none (yet).

        Parameters
        ----------
        caption
            Of the third plane.
        aspect
            Height of a voxel divided by its width.
        """
        with contextlib.suppress(OSError, ValueError):
            planes = np.load(path, allow_pickle=False)
            if planes.ndim == 3 and len(planes) == 3 and planes.dtype == np.float32:
                self._planes, self._last_caption, self._aspect = planes, caption, aspect
                self.updateGeometry()
                self.show()
                self.update()

    def set_text_colour(self, colour: str) -> None:
        """Of the captions, as ``#rrggbb``."""
        self._text = QColor(colour)
        self.update()

    def heightForWidth(self, width: int) -> int:
        """Qt asks."""
        if self._planes is None:
            return 0
        rows, columns = int(self._planes.shape[1]), int(self._planes.shape[2])
        return round((width - 2 * _GAP) / 3 * self._aspect * rows / columns) + _CAPTION_HEIGHT

    def hasHeightForWidth(self) -> bool:
        """Qt asks."""
        return True

    def sizeHint(self) -> QSize:
        """Qt asks."""
        return QSize(280, self.heightForWidth(280))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Qt asks."""
        if self._planes is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        white = max(float(np.percentile(self._planes[0], 99.9)), 1e-30)
        width = (self.width() - 2 * _GAP) // 3
        for index, plane in enumerate(self._planes):
            left = index * (width + _GAP)
            grey = np.ascontiguousarray(np.clip(plane / white * 255, 0, 255).astype(np.uint8))
            rows, columns = grey.shape
            image = QImage(grey.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
            place = QRect(left, _CAPTION_HEIGHT, width, self.height() - _CAPTION_HEIGHT)
            painter.drawImage(place, image)
            caption = self._last_caption if index == 2 else _CAPTIONS[index]
            painter.setPen(self._text)
            flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRect(left, 0, width, _CAPTION_HEIGHT), int(flags), caption)
        painter.end()
