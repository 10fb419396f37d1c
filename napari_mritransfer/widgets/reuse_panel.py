"""The part of the dock below the buttons: how good every method is, who was predicted how, and what casts doubt."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.record import MethodResult
from napari_mritransfer.cohort.reuse.wording import cells, decimals, heading, sentence
from napari_mritransfer.widgets.dock import narrow, text_label
from napari_mritransfer.widgets.reuse_data import ReuseData
from napari_mritransfer.widgets.reuse_plot import ReusePlot
from napari_mritransfer.widgets.reuse_showing import ReuseShowing
from napari_mritransfer.widgets.reusing import Reusing
from napari_mritransfer.widgets.theme import colours_of

if TYPE_CHECKING:
    from napari.viewer import Viewer

_SIMULATED = "SIMULATED: the cohort, or what the network learned from, is simulated. Nothing here is about people."
_BASELINE = "baseline"
_HINT = "Click a point to see the scan, and where in it the method looked."
_RESULT = Qt.ItemDataRole.UserRole
_LEARNED_FROM = 1  # column of the table


class ReusePanel(QWidget):
    """Follows the session's `Reusing` and `ReuseShowing`; hidden until there are results.

    Signals
    -------
    scan_wanted
        A `PredictedScan` that was clicked.
    came
        There are other results to show.
    """

    scan_wanted = Signal(object)
    came = Signal()

    def __init__(self, viewer: "Viewer", reusing: Reusing, showing: ReuseShowing) -> None:
        super().__init__()
        self._viewer = viewer
        self._reusing, self._showing = reusing, showing
        self._data: ReuseData | None = None
        self.leave = QPushButton("Leave board")
        self.export = QPushButton("Export…")
        self.export.setToolTip("Report (HTML), figures (PNG) and tables (CSV, JSON)")
        self.simulated, self.sentence, self.about, self.pointed = (text_label() for _ in range(4))
        self.differences, self.warnings, self.left_out, self.said = (text_label() for _ in range(4))
        self.sentence.setStyleSheet("font-weight: bold;")
        self.sizes = narrow(QComboBox())
        self.table = QTreeWidget()
        self.plot = ReusePlot(viewer)
        self.compared = QCollapsible("Differences from other methods")
        self.compared.addWidget(self.differences)
        self.doing = QCollapsible("What was done")
        self.doing.addWidget(self.said)
        self._lay_out()
        self.sizes.currentIndexChanged.connect(self._on_size_chosen)
        self.table.currentItemChanged.connect(self._on_result_chosen)
        self.plot.scan_pointed.connect(self.scan_wanted)
        self.plot.method_pointed.connect(self.choose)
        self.leave.clicked.connect(self._on_leave_clicked)
        reusing.changed.connect(self._on_reusing_changed)
        showing.changed.connect(self._on_reusing_changed)
        self.follow_theme()
        self._on_reusing_changed()

    @property
    def result(self) -> MethodResult | None:
        """The selected one."""
        item = self.table.currentItem()
        found: MethodResult | None = item.data(0, _RESULT) if item is not None else None
        return found

    def choose(self, method: str) -> None:
        """Select a method's row."""
        for place in range(self.table.topLevelItemCount()):
            item = self.table.topLevelItem(place)
            if item is not None and item.data(0, _RESULT).method == method:
                self.table.setCurrentItem(item)

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        colours = colours_of(self._viewer)
        for label in (self.simulated, self.warnings):
            label.setStyleSheet(f"color: {colours.warning};")
        self.plot.follow_theme()

    # ------------------------------------------------------------------ what there is

    def _on_reusing_changed(self) -> None:
        """GUI thread."""
        reusing, showing, data = self._reusing, self._showing, self._reusing.data
        self.setVisible(data is not None)
        if data is None:
            return
        is_new = data is not self._data
        if is_new:
            self._data = data
            self._show_data(data)
        self.export.setEnabled(not reusing.is_busy)
        is_up = showing.board is not None and showing.board.is_up
        self.leave.setText("Leave board" if is_up else "Show scan again")
        self.leave.setEnabled(not showing.is_busy)
        self.leave.setVisible(showing.shown is not None)
        is_ours = showing.data is data
        self.plot.show_pointed(showing.line if is_ours else None)
        self.pointed.setText("\n".join([showing.pointed, showing.message]).strip() if is_ours else _HINT)
        self.pointed.show()
        if is_new:
            self.came.emit()

    def _show_data(self, data: ReuseData) -> None:
        record = data.record
        self.simulated.setText(_SIMULATED if record.simulated else "")
        self.sentence.setText(sentence(record))
        self.about.setText(
            f"{record.folder.name}: {record.label.name} of {record.n_subjects} subjects ({record.n_scans} scans), "
            f"network {record.model_title}."
        )
        self.warnings.setText("\n".join(f"• {text}" for text in record.warnings))
        named = (f"• {reuse_method(name).label}: {why}" for name, why in record.left_out.items())
        self.left_out.setText("Left out:\n" + "\n".join(named) if record.left_out else "")
        self.said.setText("\n".join(record.said))
        for label in (self.simulated, self.sentence, self.about, self.warnings, self.left_out, self.said):
            label.setVisible(bool(label.text()))
        self.doing.setVisible(bool(record.said))
        was_blocked = self.sizes.blockSignals(True)
        self.sizes.clear()
        for size in record.sizes:
            self.sizes.addItem(f"{size} of every fold" if size else "all of every fold", size)
        self.sizes.blockSignals(was_blocked)
        self.learned.setRowVisible(0, len(record.sizes) > 1)
        self._on_size_chosen()

    def _on_size_chosen(self) -> None:
        """GUI thread."""
        data = self._data
        if data is None:
            return
        before = self.result
        was_blocked = self.table.blockSignals(True)
        self.table.clear()
        names = [_two_lines(name) for name in heading(data.record.label)]
        self.table.setHeaderLabels(names)
        found = data.record.of_size(int(self.sizes.currentData() or 0))
        for result in found:
            texts = cells(result, data.record)
            item = QTreeWidgetItem(self.table, [texts[0], *(_two_lines(text) for text in texts[1:])])
            item.setData(0, _RESULT, result)
            font = item.font(0)
            font.setItalic(result.method == _BASELINE)
            for place, (name, text) in enumerate(zip(names, texts, strict=True)):
                item.setToolTip(place, f"{name.replace(chr(10), ' ')}: {text}")
                item.setFont(place, font)
        self._size_table()
        self.table.blockSignals(was_blocked)
        first = next((one for one in found if one.method != _BASELINE), found[0] if found else None)
        wanted = before.method if before is not None else ""
        if wanted not in [one.method for one in found] and first is not None:
            wanted = first.method
        self.choose(wanted)
        self._on_result_chosen()

    def _size_table(self) -> None:
        header = self.table.header()
        assert header is not None
        for section in range(self.table.columnCount()):
            self.table.resizeColumnToContents(section)
        # from how many scans it learned is the same for all of them, and not what is looked for first
        header.moveSection(header.visualIndex(_LEARNED_FROM), self.table.columnCount() - 1)
        rows = sum(self.table.sizeHintForRow(row) for row in range(self.table.topLevelItemCount()))
        bar = self.table.horizontalScrollBar()
        assert bar is not None
        self.table.setFixedHeight(
            header.sizeHint().height() + rows + bar.sizeHint().height() + 2 * self.table.frameWidth() + 2
        )

    def _on_result_chosen(self) -> None:
        """GUI thread."""
        data, result = self._data, self.result
        if data is None or result is None:
            return
        self.differences.setText(_differences(data, result))
        self.differences.show()
        self.plot.show_result(data, result)

    # ------------------------------------------------------------------ what the user does

    def _on_leave_clicked(self) -> None:
        """GUI thread."""
        if self._showing.board is not None:
            self._showing.leave()
        else:
            self._showing.show_board()

    def _lay_out(self) -> None:
        self.table.setRootIsDecorated(False)
        self.table.setStyleSheet("QTreeWidget::item { padding: 3px 4px; }")  # two lines in a row need room
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.table.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.learned = QFormLayout()
        self.learned.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.learned.addRow("Learned from", self.sizes)
        buttons, column = QHBoxLayout(), QVBoxLayout(self)
        buttons.addWidget(self.leave, 1)
        buttons.addWidget(self.export, 1)
        column.setContentsMargins(0, 0, 0, 0)
        above: list[QWidget] = [self.simulated, self.sentence, self.about]
        for widget in above:
            column.addWidget(widget)
        column.addLayout(self.learned)
        below: list[QWidget] = [self.table, self.plot, self.pointed]
        for widget in below:
            column.addWidget(widget)
        column.addLayout(buttons)
        last: list[QWidget] = [self.compared, self.left_out, self.warnings, self.doing]
        for widget in last:
            column.addWidget(widget)


def _two_lines(text: str) -> str:
    """A value above its interval: a dock is narrow."""
    return text.replace(" (", "\n(", 1)


def _differences(data: ReuseData, result: MethodResult) -> str:
    """The paired differences of one method from all others, each with the interval of 95 %."""
    told, digits = [], decimals(data.record)
    for one in data.record.comparisons:
        if one.size != result.size or result.method not in (one.first, one.second):
            continue
        sign, other = (1, one.second) if one.first == result.method else (-1, one.first)
        ends = sorted(sign * end for end in one.interval) if one.interval is not None else None
        between = "" if ends is None else f" ({ends[0]:+.{digits}f} to {ends[1]:+.{digits}f})"
        told.append(f"• {reuse_method(other).label}: {sign * one.difference:+.{digits}f}{between}")
    if not told:
        return "There is no other method."
    better = "less than 0 speaks" if data.is_number else "more than 0 speaks"
    head = f"{data.metric} of {result.label} − that of the other, 95 %; {better} for {result.label}:"
    return "\n".join([head, *told])
