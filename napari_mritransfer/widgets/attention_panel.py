"""The part of the dock below the buttons: what the network said, where it looked, and whether to believe it."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_mritransfer.widgets.attending import Attending
from napari_mritransfer.widgets.attention_board import AttentionBoard
from napari_mritransfer.widgets.attention_cells import OPACITY
from napari_mritransfer.widgets.attention_data import AttentionData, AttentionView
from napari_mritransfer.widgets.attention_plot import AttentionPlot
from napari_mritransfer.widgets.dock import text_label
from napari_mritransfer.widgets.theme import colours_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

_SIMULATED = (
    "SIMULATED: the scan, or what the network learned from, is simulated. The prediction says nothing about a person."
)
_FULL = 100  # steps of the slider
_ROWS_SHOWN = 6


class AttentionPanel(QWidget):
    """Follows the session's `Attending`; hidden until there is something to show.

    Signals
    -------
    place_wanted
        The map is wanted over the scan that it was made from.
    came
        There are other maps to show.
    """

    place_wanted = Signal()
    came = Signal()

    def __init__(self, viewer: "Viewer", attending: Attending) -> None:
        super().__init__()
        self._viewer = viewer
        self._attending = attending
        self._board: AttentionBoard | None = None
        self._shown: AttentionData | None = None
        self._selected = -1
        self.leave = QPushButton("Leave board")
        self.export = QPushButton("Export…")
        self.export.setToolTip("Picture (PNG), numbers per slice (CSV, JSON) and maps (NIfTI)")
        self.views = QTreeWidget()
        self.simulated, self.prediction, self.facts, self.sentence, self.place, self.statement, self.warnings = (
            text_label() for _ in range(7)
        )
        self.prediction.setStyleSheet("font-weight: bold;")
        self.plot = AttentionPlot(viewer)
        self.has_map = QCheckBox("Map")
        self.has_map.setToolTip("Show the maps over the scans")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(1, _FULL)
        self.opacity.setToolTip("How much of the maps is seen")
        self.on_scan = QPushButton("Put map on the scan")
        self.on_scan.setToolTip("Leave the board, and lay this map over the scan on the scan's own grid")
        self.preparations = QCollapsible("How the scans were prepared")
        self.said = text_label()
        self.preparations.addWidget(self.said)
        self._lay_out()
        self.leave.clicked.connect(self._on_leave_clicked)
        self.views.currentItemChanged.connect(self._on_view_chosen)
        self.has_map.toggled.connect(self._on_opacity_chosen)
        self.opacity.valueChanged.connect(self._on_opacity_chosen)
        self.on_scan.clicked.connect(self.place_wanted)
        self.plot.slice_wanted.connect(self._on_slice_wanted)
        attending.changed.connect(self._on_attending_changed)
        self.follow_theme()
        self._on_attending_changed()

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        self.simulated.setStyleSheet(f"color: {colours_of(self._viewer).warning};")
        self.warnings.setStyleSheet(f"color: {colours_of(self._viewer).warning};")
        self.plot.follow_theme()

    # ------------------------------------------------------------------ what there is

    def _on_attending_changed(self) -> None:
        """GUI thread."""
        data, board = self._attending.data, self._attending.board
        self.setVisible(data is not None)
        if data is None:
            return
        is_new = data is not self._shown
        if is_new:
            self._shown, self._selected = data, -1
            self._show_data(data)
        if self._attending.selected != self._selected:
            self._selected = self._attending.selected
            self._show_view(data, data.views[self._selected])
        if board is not self._board:
            self._board = board
            if board is not None:
                # a bound method of a widget: Qt drops the connection with the widget
                board.changed.connect(self._on_board_changed)
                board.slice_changed.connect(self._on_slice_changed)
        if board is not None:
            self._on_slice_changed(board.slice_index)  # another board or another view
        self._on_board_changed()
        if is_new:
            self.came.emit()

    def _on_board_changed(self) -> None:
        """GUI thread."""
        board, busy, view = self._board, self._attending.is_busy, self._attending.view
        is_up = board is not None and board.is_up
        self.leave.setText("Leave board" if is_up else "Show board again")
        self.leave.setEnabled(not busy)
        self.export.setEnabled(not busy)
        self.on_scan.setEnabled(not busy and view is not None and view.map_on_scan is not None)
        for widget in (self.plot.canvas, self.has_map, self.opacity):
            widget.setEnabled(is_up)
        self.statement.setText(board.statement() if board is not None and is_up else "")
        self.statement.setVisible(is_up)
        self.place.setVisible(is_up)
        opacity = board.opacity if board is not None and is_up else self._attending.opacity
        for widget in (self.has_map, self.opacity):
            widget.blockSignals(True)
        self.has_map.setChecked(opacity > 0)
        if opacity > 0:
            self.opacity.setValue(round(opacity * _FULL))
        for widget in (self.has_map, self.opacity):
            widget.blockSignals(False)

    def _show_data(self, data: AttentionData) -> None:
        self.simulated.setText(_SIMULATED if data.simulated else "")
        self.simulated.setVisible(data.simulated)
        self.warnings.setText("\n".join(f"• {text}" for text in data.warnings))
        self.warnings.setVisible(bool(data.warnings))
        self.said.setText("\n".join(data.said))
        self.said.setVisible(True)
        was_blocked = self.views.blockSignals(True)
        self.views.clear()
        for view in data.views:
            item = QTreeWidgetItem(self.views, [data.short(view), view.prediction_text, view.difference_text])
            item.setToolTip(0, f"{view.input_name}, {view.title}")
            item.setToolTip(2, f"compared with {data.views[0].input_name}")
        self.views.blockSignals(was_blocked)
        header = self.views.header()
        assert header is not None
        rows = min(len(data.views), _ROWS_SHOWN) * self.views.sizeHintForRow(0)
        self.views.setFixedHeight(header.sizeHint().height() + rows + 2 * self.views.frameWidth() + 4)
        self.views.setVisible(len(data.views) > 1)

    def _show_view(self, data: AttentionData, view: AttentionView) -> None:
        was_blocked = self.views.blockSignals(True)
        self.views.setCurrentItem(self.views.topLevelItem(self._selected))
        self.views.blockSignals(was_blocked)
        self.prediction.setText(_prediction(view, data.views[0].input_name))
        self.facts.setText(_facts(view))
        self.sentence.setText("\n".join(f"• {text}" for text in data.findings(view)))
        for label in (self.prediction, self.facts, self.sentence):
            label.setVisible(bool(label.text()))
        self.plot.show_view(view, {data.short(one): one for one in data.views})

    # ------------------------------------------------------------------ what the user does

    def _on_slice_changed(self, index: int) -> None:
        """GUI thread."""
        view = self._attending.view
        if view is not None:
            self.place.setText(view.place(min(index, view.n_slices - 1)))
        self.plot.show_slice(index)

    def _on_leave_clicked(self) -> None:
        """GUI thread."""
        if self._attending.board is not None:
            self._attending.leave()
        else:
            self._attending.show_board()

    def _on_view_chosen(self) -> None:
        """GUI thread."""
        item = self.views.currentItem()
        if item is not None:
            self._attending.select(self.views.indexOfTopLevelItem(item))

    def _on_opacity_chosen(self) -> None:
        """GUI thread."""
        self._attending.set_opacity(self.opacity.value() / _FULL if self.has_map.isChecked() else 0.0)

    def _on_slice_wanted(self, index: int) -> None:
        """GUI thread."""
        if self._board is not None and self._board.is_up:
            self._board.go_to(index)

    def _lay_out(self) -> None:
        self.views.setHeaderLabels(["View", "Prediction", "Difference"])
        self.views.setRootIsDecorated(False)
        self.views.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.views.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for section in (1, 2):
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.ResizeToContents)
        self.opacity.setValue(round(OPACITY * _FULL))
        buttons, maps, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        buttons.addWidget(self.leave, 1)
        buttons.addWidget(self.export)
        maps.addWidget(self.has_map)
        maps.addWidget(self.opacity, 1)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(buttons)
        above: list[QWidget] = [self.simulated, self.views, self.prediction, self.facts, self.plot, self.place]
        for widget in above:
            column.addWidget(widget)
        column.addLayout(maps)
        below: list[QWidget] = [self.statement, self.on_scan, self.sentence, self.warnings, self.preparations]
        for widget in below:
            column.addWidget(widget)


def _prediction(view: AttentionView, first: str) -> str:
    told = f"{view.label}: {view.prediction_text}"
    if view.spread_text:
        told += f" ({view.spread_text})"
    return f"{told}; {view.difference_text} compared with {first}" if view.difference_text else told


def _facts(view: AttentionView) -> str:
    known = f"Error to expect: {view.expected_error}" if view.expected_error else "What error to expect is unknown"
    told = [known]
    n_present = sum(view.present)
    what = "attention" if view.kind == "attention" else "contribution (of pooling without attention)"
    told.append(f"Its {what} is spread like {view.effective_slices:.0f} of {n_present} slices that count alike.")
    if view.share_on_changed is not None and view.by_chance is not None:
        told.append(
            f"{view.share_on_changed:.0%} of it lies on the slices that the simulation changed, "
            f"which are {view.by_chance:.0%} of all"
        )
    return " ".join(f"{text.rstrip('.')}." for text in told)
