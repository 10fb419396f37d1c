"""What the docks have in common: a place in the window, a session, and room to scroll."""

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QComboBox, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from napari_mritransfer.widgets.session import session_of

if TYPE_CHECKING:
    import napari.viewer

_NARROWEST, _USUAL = 300, 350  # pixels; napari would squeeze a scroll area to nothing


class Dock(QWidget):
    """A view of a viewer's session: it may be closed and opened again at any time.

    Attributes
    ----------
    session, viewer
        Whom it belongs to.
    column
        Layout to fill from top to bottom.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self.session = session_of(viewer)
        self.viewer: Any = self.session.viewer
        content = QWidget()
        self.column = QVBoxLayout(content)
        self.column.setContentsMargins(4, 4, 4, 4)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        self.setMinimumWidth(_NARROWEST)
        placed = QTimer(self)  # a child, so that a dock that is gone by then is not asked
        placed.setSingleShot(True)
        placed.timeout.connect(self._on_placed)
        placed.start(0)

    def sizeHint(self) -> QSize:
        """Wide enough for the longest title."""
        return QSize(_USUAL, 600)

    def event(self, event: QEvent | None) -> bool:
        """GUI thread. A dock's × only takes the widget out of the window; without a parent it is of no use."""
        handled = super().event(event)
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.deleteLater()
        return handled

    def _on_placed(self) -> None:
        """GUI thread, when the dock has become part of a window."""
        self.session.dock_opened(self)


def narrow(box: QComboBox) -> QComboBox:
    """A list whose longest entry does not widen the dock."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(8)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def text_label() -> QLabel:
    """Sentences that break where the dock ends, take no room while there are none, and can be copied."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and layers are in it
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.hide()
    return label
