"""The ways to re-use a network, to tick: what each one does, whether it is slow, and how far it is."""

from collections.abc import Mapping

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QPushButton, QWidget

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.reuse.catalogue import ReuseMethod, reuse_methods, usual_methods

_SLOW = "slow"
_TIPS = {
    "network": "Slow: a network is trained for every fold.",
    "classical": "Needs every volume in memory; then seconds.",
    "features": "Seconds, once every scan was seen by the network.",
    "direct": "Nothing is trained.",
}


class ReuseMethods(QWidget):
    """One row per method that can predict the chosen kind of label.

    Signals
    -------
    changed
        Something was ticked or unticked.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, ReuseMethod] = {row.name: row for row in reuse_methods()}
        self._boxes: dict[str, QCheckBox] = {}
        self._notes: dict[str, QLabel] = {}
        self._task: Task | None = None
        self._counts: Mapping[str, int] = {}
        self._planned = 0
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 1)
        for number, row in enumerate(self._rows.values()):
            box, note = QCheckBox(row.label), QLabel()
            tip = f"{row.summary}\n{_TIPS[row.kind] if not _is_quick(row) else _TIPS['features']}"
            for column, widget in enumerate((box, note)):
                widget.setToolTip(tip)
                grid.addWidget(widget, number, column)
            note.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            box.toggled.connect(self._on_box_toggled)
            self._boxes[row.name], self._notes[row.name] = box, note
        self.usual = QPushButton("Quick ones")
        self.usual.setToolTip("Tick the methods that take seconds, and no others")
        grid.addWidget(self.usual, len(self._rows), 0, 1, 2)
        self.usual.clicked.connect(self._on_usual_clicked)
        self.tick(*usual_methods("regression"), *usual_methods("binary"))
        self._show_notes()

    @property
    def ticked(self) -> tuple[str, ...]:
        """Names of the ticked methods that can predict the label, from top to bottom."""
        return tuple(name for name, box in self._boxes.items() if box.isChecked() and self._is_offered(name))

    def tick(self, *names: str) -> None:
        """Tick these and no others."""
        for name, box in self._boxes.items():
            box.setChecked(name in names)

    def offer(self, task: Task | None) -> None:
        """Show the methods for a kind of label; all where nobody knows it."""
        if task != self._task:
            self._task = task
            for name, box in self._boxes.items():
                for widget in (box, self._notes[name]):
                    widget.setVisible(self._is_offered(name))
            self.changed.emit()

    def show_progress(self, done: Mapping[str, int], planned: int) -> None:
        """Say how many fits of each method are done, and of how many; of nothing, say which methods are slow.

        Parameters
        ----------
        planned
            Of each method; 0 where nobody knows.
        """
        self._counts, self._planned = done, planned
        self._show_notes()

    def _is_offered(self, name: str) -> bool:
        return self._task is None or self._task in self._rows[name].tasks

    def _show_notes(self) -> None:
        for name, note in self._notes.items():
            if self._counts and self._boxes[name].isChecked():
                count = self._counts.get(name, 0)
                note.setText(f"{count} of {self._planned}" if self._planned else str(count))
            else:
                row = self._rows[name]
                note.setText(_SLOW if row.kind == "network" and not _is_quick(row) else "")

    def _on_box_toggled(self) -> None:
        """GUI thread."""
        self.changed.emit()

    def _on_usual_clicked(self) -> None:
        """GUI thread."""
        self.tick(*usual_methods(self._task or "regression"))


def _is_quick(row: ReuseMethod) -> bool:
    """Whether a network learns on its frozen features alone."""
    return row.name == "final-layer"
