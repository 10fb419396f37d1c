"""The runs that lie in the run folder, of this session and of earlier ones."""

import contextlib
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.rundir import BEST, RunDirectory
from napari_mritransfer.transfer.catalogue import strategy


@dataclass(frozen=True, slots=True)
class RunEntry:
    """What a list says about a run: `psnr` is its best validation in dB, NaN before there is one."""

    folder: Path
    label: str
    psnr: float
    is_finished: bool

    @property
    def short(self) -> str:
        """``LFT`` for "Linear fine-tuning (LFT)"."""
        return self.label.split("(")[-1].rstrip(")")

    @property
    def when(self) -> str:
        """``20 Nov 14:03``, when it was started, where this plugin named the folder; else the folder's name."""
        with contextlib.suppress(ValueError):
            started = datetime.strptime("_".join(self.folder.name.split("_")[:2]), "%Y-%m-%d_%H-%M-%S")
            return f"{started:%d %b %H:%M}"
        return self.folder.name


def runs_in(root: Path) -> list[RunEntry]:
    """The readable runs in a folder, newest name first; what is no run is passed over."""
    found = []
    for folder in sorted((path for path in root.glob("*") if path.is_dir()), reverse=True):
        directory = RunDirectory(folder)
        try:
            label = strategy(directory.config().strategy).label
            found.append(RunEntry(folder, label, _best_psnr(directory), directory.is_finished()))
        except (BadConfig, OSError, ValueError, KeyError, TypeError):
            continue  # somebody else's files, or damaged ones
    return found


def _best_psnr(directory: RunDirectory[FinetuneConfig]) -> float:
    """Of the outcome; for a run that was cut short, of what it told until then."""
    if not (directory.folder / BEST).is_file():
        return math.nan
    outcome = directory.metrics()
    psnr = max((psnr for _, psnr in directory.curve()), default=None) if outcome is None else outcome["best_psnr"]
    return math.nan if psnr is None else float(psnr)


class RunList(QWidget):
    """Runs with their best validation; the selected one can be shown, resumed, or become the next base model.

    Signals
    -------
    show_wanted, resume_wanted, base_wanted
        With the run's folder, a `Path`.
    """

    show_wanted = Signal(object)
    resume_wanted = Signal(object)
    base_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.list = QTreeWidget()
        self.list.setColumnCount(3)
        self.list.setHeaderLabels(["Run", "PSNR (dB)", ""])
        self.list.setRootIsDecorated(False)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setFixedHeight(150)
        header = self.list.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.show_curves = QPushButton("Show curves")
        self.resume = QPushButton("Resume")
        self.resume.setToolTip("Go on with a run that was stopped or interrupted")
        self.as_base = QPushButton("Use as base")
        self.as_base.setToolTip("Start the next transfer from what this run learned")
        buttons = QHBoxLayout()
        for button in (self.show_curves, self.resume, self.as_base):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        self._may_resume = True
        self.list.itemSelectionChanged.connect(self._on_selection_changed)
        for button, wanted in (
            (self.show_curves, self.show_wanted), (self.resume, self.resume_wanted), (self.as_base, self.base_wanted),
        ):  # fmt: skip
            button.clicked.connect(lambda _checked=False, signal=wanted: signal.emit(self.selected))
        self._on_selection_changed()

    @property
    def selected(self) -> Path | None:
        """Folder of the selected run."""
        entry = self._entry()
        return entry.folder if entry else None

    def select(self, folder: Path) -> None:
        """Select a run by its folder."""
        for index in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(index)
            if item is not None and item.data(0, Qt.ItemDataRole.UserRole).folder == folder:
                self.list.setCurrentItem(item)

    def show_entries(self, entries: list[RunEntry]) -> None:
        """List these; the selection stays where it was."""
        before = self.selected
        self.list.clear()
        for entry in entries:
            psnr = "–" if math.isnan(entry.psnr) else f"{entry.psnr:.2f}"
            item = QTreeWidgetItem(self.list, [_name(entry), psnr, "" if entry.is_finished else "unfinished"])
            item.setData(0, Qt.ItemDataRole.UserRole, entry)
            item.setToolTip(0, f"{entry.label}\n{entry.folder}")
            item.setTextAlignment(1, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
        if before is not None:
            self.select(before)
        self._on_selection_changed()

    def allow_resume(self, may: bool) -> None:
        """Whether a run may be resumed now: one job runs at a time."""
        self._may_resume = may
        self._on_selection_changed()

    def _entry(self) -> RunEntry | None:
        item = self.list.currentItem()
        entry: RunEntry | None = item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None
        return entry

    def _on_selection_changed(self) -> None:
        """GUI thread."""
        entry = self._entry()
        self.show_curves.setEnabled(entry is not None)
        self.as_base.setEnabled(entry is not None and not math.isnan(entry.psnr))
        self.resume.setEnabled(entry is not None and not entry.is_finished and self._may_resume)


def _name(entry: RunEntry) -> str:
    return f"{entry.short}, {entry.when}"
