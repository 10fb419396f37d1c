"""The part of the dock below the button: what is on the board, what it means, and ways to look at it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mritransfer.widgets.board import Board
from napari_mritransfer.widgets.board_data import BoardData
from napari_mritransfer.widgets.comparing import Comparing
from napari_mritransfer.widgets.metric_plot import MetricPlot

if TYPE_CHECKING:
    from napari.viewer import Viewer

_OFFERED = (1, 2, 5, 10, 20)
_NO_NUMBERS = "Without a fully sampled reference there are no PSNR, no SSIM and no error maps."


class BoardPanel(QWidget):
    """Follows the session's `Comparing`; hidden until there is something to show."""

    def __init__(self, viewer: "Viewer", comparing: Comparing) -> None:
        super().__init__()
        self._comparing = comparing
        self._board: Board | None = None
        self._shown: BoardData | None = None
        self.leave = QPushButton("Leave board")
        self.export = QPushButton("Export…")
        self.errors = QCheckBox("Error maps")
        self.errors.setToolTip("|image - reference|, magnified, in a second row")
        self.magnification = QComboBox()
        self.magnification.addItem("auto", None)
        for number in _OFFERED:
            self.magnification.addItem(f"× {number}", float(number))
        self.place, self.statement, self.verdict, self.warnings, self.numbers = (_label() for _ in range(5))
        self.plot = MetricPlot(viewer)
        self.conventions = QCollapsible("How the numbers were made")
        self.convention = _label()
        self.conventions.addWidget(self.convention)
        self._lay_out()
        self.leave.clicked.connect(self._on_leave_clicked)
        self.errors.toggled.connect(self._on_errors_chosen)
        self.magnification.currentIndexChanged.connect(self._on_errors_chosen)
        self.plot.slice_wanted.connect(self._on_slice_wanted)
        comparing.changed.connect(self._on_comparing_changed)
        self._on_comparing_changed()

    def _on_comparing_changed(self) -> None:
        """GUI thread."""
        data, board = self._comparing.data, self._comparing.board
        self.setVisible(data is not None)
        if data is None:
            return
        if data is not self._shown:
            self._shown = data
            self._show_data(data)
        if board is not self._board:
            self._board = board
            if board is not None:
                # a bound method of a widget: Qt drops the connection with the widget
                board.changed.connect(self._on_board_changed)
                board.slice_changed.connect(self._on_slice_changed)
                self._on_slice_changed(board.slice_index)
        self._on_board_changed()

    def _on_board_changed(self) -> None:
        """GUI thread."""
        board, data, busy = self._board, self._shown, self._comparing.is_busy
        assert data is not None
        is_up = board is not None and board.is_up
        self.leave.setText("Leave board" if is_up else "Show board again")
        self.leave.setEnabled(not busy)
        self.export.setEnabled(is_up and not busy and data.folder is not None)
        self.export.setToolTip(
            "Picture (PNG), numbers (CSV) and reconstructions (NIfTI)" if data.folder is not None
            else "Layers that were compared as they are have no files; save them with File > Save"
        )  # fmt: skip
        self.plot.setEnabled(is_up)
        has_errors = is_up and data.reference is not None
        self.errors.setEnabled(has_errors)
        self.errors.blockSignals(True)
        self.errors.setChecked(board is not None and is_up and board.magnification is not None)
        self.errors.blockSignals(False)
        self.magnification.setEnabled(has_errors)
        self.statement.setText(board.statement() if board is not None and is_up else "")
        self.statement.setVisible(is_up)
        self.place.setVisible(is_up)

    def _on_slice_changed(self, index: int) -> None:
        """GUI thread."""
        if self._shown is not None:
            self.place.setText(self._shown.place(index))
        self.plot.show_slice(index)

    def _on_leave_clicked(self) -> None:
        """GUI thread."""
        if self._comparing.board is not None:
            self._comparing.leave()
        else:
            self._comparing.show_board()

    def _on_errors_chosen(self) -> None:
        """GUI thread."""
        board = self._board
        if board is None or not board.is_up or board.data.reference is None:
            return
        wanted = None
        if self.errors.isChecked():
            wanted = self.magnification.currentData() or board.data.automatic_magnification()
        if wanted != board.magnification:
            board.show_errors(wanted)

    def _on_slice_wanted(self, index: int) -> None:
        """GUI thread."""
        if self._board is not None and self._board.is_up:
            self._board.go_to(index)

    def _show_data(self, data: BoardData) -> None:
        has_reference = data.reference is not None
        self.verdict.setText(data.verdict)
        self.warnings.setText("\n".join(f"• {text}" for text in data.warnings))
        self.warnings.setVisible(bool(data.warnings))
        self.numbers.setText(_NO_NUMBERS)
        self.numbers.setVisible(not has_reference)
        self.convention.setText("\n".join([data.description, *data.convention]))
        self.plot.setVisible(has_reference)
        self.plot.show_data(data)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.leave, 1)
        buttons.addWidget(self.export)
        errors = QHBoxLayout()
        errors.addWidget(self.errors)
        errors.addWidget(self.magnification, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(buttons)
        column.addLayout(errors)
        for label in (self.place, self.statement, self.verdict, self.numbers):
            column.addWidget(label)
        for widget in (self.plot, self.warnings, self.conventions):
            column.addWidget(widget)


def _label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of scans and methods stand in it
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
