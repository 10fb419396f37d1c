"""Files for layers that have none, written before the worker is told to read them."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.session import Session

if TYPE_CHECKING:
    from napari.layers import Layer


class ScanFiles(QObject):
    """Writes in a thread, for compressing takes seconds. GUI thread only.

    Signals
    -------
    written
        All is there; or, not empty, the sentence that says why not.
    """

    written = Signal(str)

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.is_writing = False

    def write(self, layers: "Sequence[Layer]") -> None:
        """Give every layer its file; `written` comes when that is done."""
        self.is_writing = True
        # napari's finished workers are never freed, and their arguments with them: hence the weak references
        writer: Any = thread_worker(_write)(self._session, [weakref.ref(layer) for layer in layers])
        writer.returned.connect(self._on_writer_returned)
        writer.errored.connect(self._on_writer_errored)
        writer.start()

    def _on_writer_returned(self, complaint: str) -> None:
        """GUI thread."""
        self.is_writing = False
        self.written.emit(complaint)

    def _on_writer_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._on_writer_returned(f"The scans could not be written ({error}); choose others.")


def _write(session: Session, layers: "list[weakref.ref[Layer]]") -> str:
    """Runs in a thread of napari's. An empty text, or why a layer could not be written."""
    try:
        for layer in layers:
            if (there := layer()) is not None:
                session.path_of(there)
    except BadInput as error:
        return str(error)
    except OSError as error:
        return f"{error.strerror or error}: choose another run folder under Preferences."
    return ""
