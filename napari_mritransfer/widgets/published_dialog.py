"""Weights that others published: what they are, and fetching them once the user says so."""

import queue
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.dock import text_label
from napari_mritransfer.zoo.download import DownloadStopped, cached, fetch
from napari_mritransfer.zoo.published import PUBLISHED, Kind, PublishedWeights

_POLL_S = 0.1
_BAR_STEPS = 1000  # Qt counts in 32 bits, files in more

Progress = tuple[int, int | None]


class PublishedDialog(QDialog):
    """The list of published weights with size, licence and conventions; downloads the one that is asked for.

    Signals
    -------
    chosen
        The name of weights that are on this computer now.

    Parameters
    ----------
    kind
        Of networks; nobody can start a fine-tuning from an encoder.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None, kind: Kind = "reconstruction") -> None:
        super().__init__(parent)
        self.setWindowTitle("Published weights")
        self.resize(560, 460)
        self.list = QListWidget()
        self.list.setWordWrap(True)  # titles are longer than the window is wide
        self.facts, self.status = text_label(), text_label()
        self.facts.show()
        self.bar = QProgressBar()
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.hide()
        self.take, self.stop, self.leave = QPushButton(), QPushButton("Stop"), QPushButton("Close")
        self._should_stop = threading.Event()
        self._running: PublishedWeights | None = None
        row = QHBoxLayout()
        for button in (self.take, self.stop, self.leave):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("By others, not shipped here. Nothing is downloaded unless you ask for it."))
        layout.addWidget(self.list, 1)
        for widget in (self.facts, self.bar, self.status):
            layout.addWidget(widget)
        layout.addLayout(row)
        for entry in _networks(kind):
            item = QListWidgetItem()
            item.setData(Qt.ItemDataRole.UserRole, entry)
            self.list.addItem(item)
        self.list.currentRowChanged.connect(self._on_row_changed)
        self.take.clicked.connect(self._on_take_clicked)
        self.stop.clicked.connect(self._should_stop.set)
        self.leave.clicked.connect(self.close)
        self.list.setCurrentRow(0)
        self._show()

    @property
    def entry(self) -> PublishedWeights:
        """The selected one."""
        item = self.list.currentItem()
        assert item is not None  # one is always selected
        found: PublishedWeights = item.data(Qt.ItemDataRole.UserRole)
        return found

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop a download on its way, however the dialog goes: Escape closes it without a close event."""
        if event is None or not event.spontaneous():  # a minimised window is not closed
            self._should_stop.set()
        super().hideEvent(event)

    def _on_row_changed(self) -> None:
        """GUI thread."""
        self._tell("")
        self._show()

    def _on_take_clicked(self) -> None:
        """GUI thread."""
        if cached(self.entry) is not None:
            self.chosen.emit(self.entry.name)
            self.close()
            return
        self._running = self.entry
        self._should_stop.clear()
        self.bar.setValue(0)
        self._tell(f"Connecting to {self.entry.url} …")
        # not in the worker process: a gigabyte would keep its other tasks waiting
        worker: Any = thread_worker(_fetched)(self.entry, self._should_stop)
        worker.yielded.connect(self._on_progress_yielded)
        worker.returned.connect(self._on_fetched_returned)
        worker.errored.connect(self._on_fetched_errored)
        worker.aborted.connect(self._should_stop.set)
        worker.start()
        self._show()

    def _on_progress_yielded(self, progress: Progress | None) -> None:
        """GUI thread."""
        if progress is None:
            return
        done, total = progress
        self.bar.setRange(0, _BAR_STEPS if total else 0)
        self.bar.setValue(round(_BAR_STEPS * done / total) if total else 0)
        self._tell(f"{done / 1e6:.0f} MB" + (f" of {total / 1e6:.0f} MB" if total else ""))

    def _on_fetched_returned(self, sentence: str) -> None:
        """GUI thread."""
        running, self._running = self._running, None
        self._tell(sentence or "It is on this computer now.")
        self._show()
        if not sentence and running is not None:
            self.chosen.emit(running.name)

    def _on_fetched_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._running = None
        self._tell(f"The download failed ({error}); try again, or open a file of your own.")
        self._show()

    def _tell(self, sentence: str) -> None:
        self.status.setText(sentence)
        self.status.setVisible(bool(sentence))

    def _show(self) -> None:
        for row in range(self.list.count()):
            item = self.list.item(row)
            assert item is not None
            entry: PublishedWeights = item.data(Qt.ItemDataRole.UserRole)
            item.setText(entry.title + ("  (on this computer)" if cached(entry) is not None else f"  ({entry.about})"))
        entry, is_here, is_busy = self.entry, cached(self.entry) is not None, self._running is not None
        self.facts.setText(
            f"{entry.url}\nLicence: {entry.licence}\nTrained on: {entry.training}\nExpects: {entry.conventions}\n"
            f"Checksum: {entry.checksum}"
        )
        self.take.setText("Use" if is_here else f"Download ({entry.about})")
        self.take.setEnabled(not is_busy)
        self.list.setEnabled(not is_busy)
        self.stop.setEnabled(is_busy)
        self.bar.setVisible(is_busy)


def _fetched(entry: PublishedWeights, should_stop: threading.Event) -> Generator[Progress | None, Any, str]:
    """Runs in a thread of napari's. Bytes done and in all; in the end why there is no file, or nothing."""
    news: queue.SimpleQueue[Progress] = queue.SimpleQueue()
    outcome: list[str] = []

    def run() -> None:
        try:
            fetch(entry, lambda done, total: news.put((done, total)), should_stop.is_set)
            outcome.append("")
        except DownloadStopped:
            outcome.append("Stopped; the next attempt goes on from here.")
        except (BadInput, OSError) as error:
            outcome.append(str(error))

    # the download of its own, so that a yield, where napari can end this thread, never waits for the network
    download = threading.Thread(target=run, name=f"fetch {entry.name}", daemon=True)
    download.start()
    try:
        while download.is_alive():
            download.join(_POLL_S)
            latest = None
            while not news.empty():
                latest = news.get_nowait()
            yield latest
    finally:
        should_stop.set()
    return outcome[0] if outcome else "The download ended without a word; try again."


def fetched_models(kind: Kind = "reconstruction") -> list[tuple[str, str, Path]]:
    """Name, title and file of the published weights of a kind that are on this computer."""
    return [(entry.name, entry.title, path) for entry in _networks(kind) if (path := cached(entry)) is not None]


def _networks(kind: Kind) -> list[PublishedWeights]:
    return [entry for entry in PUBLISHED if entry.kind == kind]
