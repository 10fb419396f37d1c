"""Files on their way to layers: read in a thread, and asked about where they do not say what they are."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from napari_mritransfer.io import load
from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions
from napari_mritransfer.io.dicom_series import SeriesChoice
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.array_dialog import ArrayDialog
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.question_dialog import QuestionDialog
from napari_mritransfer.widgets.rereading import Reading, question_about, reading_of
from napari_mritransfer.widgets.series_dialog import SeriesDialog

Question = AmbiguousArray | SeriesChoice


class FileOpening(QObject):
    """One file at a time, for the window that `parent` is in. GUI thread only.

    Signals
    -------
    opened
        The file's layers, as napari's layer tuples, and the layer that they replace: None but after `correct`.
    refused
        Why there are none, in one sentence.
    ended
        Nothing is on its way any more, whether or not it went well.
    """

    opened = Signal(object, object)
    refused = Signal(str)
    ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.dialog: QuestionDialog | None = None
        self.is_busy = False
        self._replaced: Any = None

    def open(self, path: str | Path) -> None:
        """Read a file; whatever comes of it is told by a signal."""
        if self._begins(Path(path).name):
            self._read(str(path), ArrayOptions())

    def correct(self, layer: Any) -> None:
        """Ask how a bare array's layer is to be read instead; what was chosen or guessed is filled in."""
        reading = reading_of(layer)
        if reading is not None and self._begins(reading.path.name):
            self._replaced = layer
            self._start(thread_worker(_question)(reading))

    def _begins(self, name: str) -> bool:
        if self.is_busy:
            self.refused.emit(f"{name} was not opened, because another file is on its way; open it again.")
            return False
        self.is_busy = True
        return True

    def _read(self, path: str, options: ArrayOptions) -> None:
        # not by viewer.open, which knows the manifest's endings alone and wraps what a reader complains about
        self._start(thread_worker(_layers_in)(path, options))

    def _start(self, reader: Any) -> None:
        reader.returned.connect(self._on_file_returned)
        reader.errored.connect(self._on_file_errored)
        reader.start()

    def _on_file_returned(self, found: "tuple[str, list[LayerTuple] | str | Question]") -> None:
        """GUI thread."""
        path, layers = found
        if isinstance(layers, list):
            self._close_dialog()
            self.opened.emit(layers, self._replaced)
            self._end()
        elif self.dialog is not None:
            self.dialog.show_problem(str(layers))
        elif isinstance(layers, AmbiguousArray | SeriesChoice) and layers.candidates:
            self._ask(path, layers)
        else:
            self.refused.emit(str(layers))
            self._end()

    def _on_file_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._close_dialog()
        self.refused.emit(f"The file could not be opened ({error}); choose another one.")
        self._end()

    def _ask(self, path: str, question: Question) -> None:
        name, window = Path(path).name, self._window.window()
        if isinstance(question, SeriesChoice):
            self.dialog = SeriesDialog(name, question, window)
        else:
            self.dialog = ArrayDialog(name, question, window)
        self.dialog.chosen.connect(lambda options: self._read(path, options))
        self.dialog.rejected.connect(self._on_dialog_rejected)
        self._window.destroyed.connect(self.dialog.deleteLater)
        self.dialog.open()  # of this window alone, and nothing waits for it

    def _on_dialog_rejected(self) -> None:
        """GUI thread."""
        self._close_dialog()
        self._end()

    def _close_dialog(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.hide()
            dialog.deleteLater()

    def _end(self) -> None:
        self.is_busy, self._replaced = False, None
        self.ended.emit()


def _layers_in(path: str, options: ArrayOptions) -> "tuple[str, list[LayerTuple] | str | Question]":
    """Runs in a thread of napari's. The file's layers, or why there are none, in one sentence."""
    extra: dict[str, Any] = {} if options == ArrayOptions() else {"options": options}
    try:
        return path, scan_layers(load(path, **asdict(options)), extra=extra)
    except (AmbiguousArray, SeriesChoice) as question:
        return path, question
    except (BadInput, OSError) as error:
        return path, str(error)


def _question(reading: Reading) -> "tuple[str, str | AmbiguousArray]":
    """Runs in a thread of napari's. What to ask about a file, or why nothing can be asked, in one sentence."""
    try:
        return str(reading.path), question_about(reading)
    except (BadInput, OSError) as error:
        return str(reading.path), str(error)
