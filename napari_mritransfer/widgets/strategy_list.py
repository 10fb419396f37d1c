"""The transfer strategies to tick, with what each one changes."""

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_mritransfer.transfer.catalogue import CATALOGUE

_PRESELECTED = ("ft", "lft")
_IN_SIGHT = ("scratch", *_PRESELECTED)


class StrategyList(QWidget):
    """One row per strategy that learns something: its name, and how many parameters it trains.

    Signals
    -------
    changed
        Something was ticked or unticked.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._boxes: dict[str, QCheckBox] = {}
        self._counts: dict[str, QLabel] = {}
        self.others = QCollapsible("Other strategies")
        usual, folded, inside = _grid(), _grid(), QWidget()
        usual.addWidget(QLabel("parameters"), 0, 0, 1, 2, Qt.AlignmentFlag.AlignRight)
        inside.setLayout(folded)
        self.others.addWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(usual)
        layout.addWidget(self.others)
        for row in (row for row in CATALOGUE if row.trains):
            grid = usual if row.name in _IN_SIGHT else folded
            number = grid.rowCount()
            box, count = QCheckBox(row.label), QLabel()
            box.setChecked(row.name in _PRESELECTED)
            tip = f"{row.summary}\n({row.reference})\nLearning rate unless set: {row.learning_rate:g}"
            for column, widget in enumerate((box, count)):
                widget.setToolTip(tip)
                grid.addWidget(widget, number, column)
            count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            box.toggled.connect(self._on_box_toggled)
            self._boxes[row.name], self._counts[row.name] = box, count

    @property
    def ticked(self) -> tuple[str, ...]:
        """Names of the ticked strategies, from top to bottom."""
        return tuple(name for name, box in self._boxes.items() if box.isChecked())

    def tick(self, *names: str) -> None:
        """Tick these and no others."""
        for name, box in self._boxes.items():
            box.setChecked(name in names)

    def show_parameters(self, counts: Mapping[str, int]) -> None:
        """Say how many parameters each strategy trains; `counts` by strategy, of which full fine-tuning has all.

        Those that find nothing to learn in the network cannot be ticked.
        """
        for name, label in self._counts.items():
            count = counts.get(name)
            label.setText("…" if count is None else _told(count, counts.get("ft", 0)))
            self._boxes[name].setEnabled(count != 0)
            if count == 0:
                self._boxes[name].setChecked(False)

    def _on_box_toggled(self) -> None:
        """GUI thread."""
        self.changed.emit()


def _grid() -> QGridLayout:
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setColumnStretch(0, 1)
    return grid


def _told(count: int, total: int) -> str:
    """With its share of all."""
    if not count:
        return "none"
    share = f" ({count / total:.0%})" if total else ""
    return _short(count) + share.replace("(0%)", "(<1%)")


def _short(count: int) -> str:
    """``101k``: a dock has no room for digits that nobody compares."""
    return f"{count:,}" if count < 10_000 else f"{count / 1e3:.0f}k" if count < 10**7 else f"{count / 1e6:.0f}M"
