"""The methods to tick: reference, zero-filled, pretrained, and the runs that were found."""

import math
from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.study.methods import PRETRAINED, REFERENCE, ZERO_FILLED
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.widgets.run_list import RunEntry, runs_in

_LABELS = {
    REFERENCE: "Reference (fully sampled)",
    ZERO_FILLED: "Zero-filled",
    **{method.name: method.label for method in CLASSICAL},
    PRETRAINED: "Pretrained, no transfer",
}
_TIPS = {method.name: f"{method.summary}\n{method.reference}" for method in CLASSICAL}
_ROWS_SHOWN = 8
_ROW_HEIGHT = 22  # pixels; napari's own is too tight to hit with a mouse


class MethodList(QListWidget):
    """A ticked row per method, in the order of the board; runs newest first.

    Signals
    -------
    changed
        Something was ticked or unticked.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._added: list[Path] = []
        self._root: Path | None = None
        self.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # napari draws an empty box in nearly the colour of the list
        self.setStyleSheet("QListView::indicator:unchecked { border: 1px solid #8a8f98; border-radius: 2px; }")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for name, label in _LABELS.items():
            # a classical method takes minutes for a volume: nobody gets one unasked
            self._add_row(name, label, _TIPS.get(name, label), is_ticked=name not in _TIPS)
        self.itemChanged.connect(lambda _item: self.changed.emit())

    @property
    def ticked(self) -> tuple[str, ...]:
        """Names and run folders, from top to bottom."""
        rows = (self.item(index) for index in range(self.count()))
        return tuple(
            row.data(Qt.ItemDataRole.UserRole)
            for row in rows
            if row is not None and row.checkState() == Qt.CheckState.Checked
        )

    @property
    def runs(self) -> tuple[str, ...]:
        """Folders of all listed runs."""
        return self._names()[len(_LABELS) :]

    def tick(self, *names: str) -> None:
        """Tick these and no others."""
        for index in range(self.count()):
            row = self.item(index)
            if row is not None:
                wanted = row.data(Qt.ItemDataRole.UserRole) in names
                row.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)

    def show_runs(self, root: Path, *, tick: frozenset[str] = frozenset()) -> None:
        """List the usable runs in a folder, beside those that were added; what was ticked stays so.

        Parameters
        ----------
        tick
            Folders of runs to tick if they are new to the list.
        """
        self._root = root
        before, known = set(self.ticked), set(self._names())
        found = [entry for entry in runs_in(root) if _has_model(entry)]
        listed = {entry.folder for entry in found}
        added = [entry for entry in map(_entry, self._added) if entry is not None and entry.folder not in listed]
        self.blockSignals(True)
        while self.count() > len(_LABELS):
            self.takeItem(self.count() - 1)
        for entry in [*added, *found]:
            name = str(entry.folder)
            is_ticked = name in before or (name in tick and name not in known)
            self._add_row(name, _label(entry), f"{entry.label}\n{entry.folder}", is_ticked=is_ticked)
        self.blockSignals(False)
        self.setFixedHeight(min(_ROWS_SHOWN, self.count()) * _ROW_HEIGHT + 2 * self.frameWidth() + 4)
        self.changed.emit()

    def add_run(self, folder: Path) -> None:
        """List a run from elsewhere, ticked.

        Raises
        ------
        BadInput
            If there is no run with a model in the folder.
        """
        if _entry(folder) is None:
            raise BadInput(f"{folder.name} holds no run with a model; choose the folder of one run.")
        if str(folder) not in self.runs:
            self._added.insert(0, folder)
        self.show_runs(self._root or folder.parent, tick=frozenset({str(folder)}))

    def allow_reference(self, may: bool) -> None:
        """Whether there is a reference to show."""
        row = self.item(0)
        assert row is not None
        row.setText(_LABELS[REFERENCE] if may else "Reference: none, this scan was undersampled when it was made")
        flags = Qt.ItemFlag.ItemIsUserCheckable
        row.setFlags(flags | Qt.ItemFlag.ItemIsEnabled if may else flags)

    def allow_classical(self, reasons: Mapping[str, str]) -> None:
        """Which methods without a network can be had: all but those named here, with the reason why not."""
        for index, name in enumerate(_LABELS):
            row = self.item(index)
            if row is None or name not in _TIPS:
                continue
            reason = reasons.get(name, "")
            row.setText(f"{_LABELS[name]}: {reason}" if reason else _LABELS[name])
            flags = Qt.ItemFlag.ItemIsUserCheckable
            row.setFlags(flags if reason else flags | Qt.ItemFlag.ItemIsEnabled)
            if reason:
                row.setCheckState(Qt.CheckState.Unchecked)

    def _names(self) -> tuple[str, ...]:
        rows = (self.item(index) for index in range(self.count()))
        return tuple(row.data(Qt.ItemDataRole.UserRole) for row in rows if row is not None)

    def _add_row(self, name: str, label: str, tip: str, *, is_ticked: bool) -> None:
        row = QListWidgetItem(label, self)
        row.setData(Qt.ItemDataRole.UserRole, name)
        row.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        row.setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
        row.setToolTip(tip)
        row.setSizeHint(QSize(0, _ROW_HEIGHT))


def _entry(folder: Path) -> RunEntry | None:
    found = [entry for entry in runs_in(folder.parent) if entry.folder == folder and _has_model(entry)]
    return found[0] if found else None


def _has_model(entry: RunEntry) -> bool:
    """Whether there is something to reconstruct with; a run that was killed has no outcome, but may have learned."""
    return (entry.folder / BEST).is_file()


def _label(entry: RunEntry) -> str:
    """``LFT 31.20 dB, 20 Nov 14:05``: the decibels, where known, are those of the run's own validation."""
    unfinished = "" if entry.is_finished else ", unfinished"
    psnr = "" if math.isnan(entry.psnr) else f" {entry.psnr:.2f} dB"
    return f"{entry.short}{psnr}, {entry.when}{unfinished}"
