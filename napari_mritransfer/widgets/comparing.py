"""Comparisons and the board of one viewer: they go on whether or not a dock is open to watch."""

import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.client import Answer, Progress, Result
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.board import Board
from napari_mritransfer.widgets.board_cells import KIND
from napari_mritransfer.widgets.board_data import BoardData, judged, read_board
from napari_mritransfer.widgets.compare_inputs import CompareInputs
from napari_mritransfer.widgets.layers import KEY, in_memory, layer_scan
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

_STOPPED = "Stopped; nothing was changed."
_BUSY = "Something is being compared already; wait for it or stop it."


class Comparing(QObject):
    """One comparison at a time, and the board of the last; get it with `comparing_of`. GUI thread only.

    Attributes
    ----------
    state
        What all buttons follow.
    message
        The sentence beside it.
    progress
        Slices reconstructed and all slices; (0, 0) where nobody counts.
    data
        The last comparison, also after its board was left.

    Signals
    -------
    changed
        One of the attributes or the board is another.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = weakref.ref(session)
        session.closed.connect(self.close)
        self.state = RunState.IDLE
        self.message = ""
        self.progress = (0, 0)
        self.data: BoardData | None = None
        self._shows_reference = self._will_show_reference = True
        self._request: Request | None = None
        self._reader: Any = None
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way."""
        return self.state in (RunState.RUNNING, RunState.STOPPING)

    @property
    def board(self) -> Board | None:
        """The board that is up."""
        session = self._session()
        board: Board | None = session.board if session is not None else None
        return board

    def start(self, inputs: CompareInputs) -> None:
        """Let the worker compare; the board comes up when it is done.

        Raises
        ------
        BadInput
            If something is running, or the inputs cannot be compared.
        OSError
            If there is no folder for the results.
        """
        self._refuse_if_busy()
        session = self._living_session()
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{inputs.measurement.scan.name.split('.')[0]}"
        command = inputs.command(_unused(session.folder("comparisons") / name))
        scan = inputs.measurement.scan
        self._ask(command, f"Comparing: {inputs.measurement.name}", lambda values: self.open(Path(values["out"]), scan))
        self._will_show_reference = inputs.shows_reference

    def open(self, folder: Path, scan_path: Path) -> None:
        """Bring up the board of a finished comparison that lies on disk."""
        self._read(lambda: read_board(folder, scan_path))

    def open_layers(self, layers: Sequence[Layer]) -> None:
        """Compare layers as they are: with the first scan among them as the reference, or else with the first.

        Raises
        ------
        BadInput
            If something is running, or these layers cannot be compared.
        """
        self._refuse_if_busy()
        if any(_kind(layer) == KIND for layer in layers):
            raise BadInput("These are cells of the board, which compares them already; leave it to compare others.")
        scans = [layer_scan(layer) for layer in layers]
        names = [layer.name for layer in layers]
        reference = next((index for index, layer in enumerate(layers) if _kind(layer) == "scan"), 0)
        self._will_show_reference = True
        self._read(lambda: judged(names, [in_memory(scan) for scan in scans], reference), "Comparing the layers…")

    def export(self, to: Path) -> None:
        """Copy the comparison of the board to a folder, with the figure of the slice and window on screen.

        Raises
        ------
        BadInput
            If something is running, there is no board, it has no files, or all its methods are hidden.
        """
        self._refuse_if_busy()
        board = self.board
        if board is None or board.data.folder is None:
            raise BadInput("There is no comparison with files to export; build a board of methods first.")
        methods = [method.name for method in board.methods_shown]
        if not methods:
            raise BadInput("All methods on the board are hidden; show at least one (the eye in the layer list).")
        low, high = board.window
        command = {
            "command": "export",
            "board": str(board.data.folder),
            "to": str(to),
            "slice": board.slice_index,
            "black": low * board.data.white,
            "white": high * board.data.white,
            "methods": methods,
            "magnification": board.magnification,
        }
        self._ask(command, "Exporting", lambda values: self._to(
            RunState.DONE, f"Exported {len(values['files'])} files to {to}."
        ))  # fmt: skip

    def stop(self) -> None:
        """Stop what is on its way; a board that is up stays."""
        if self.state is not RunState.RUNNING:
            return
        if self._request is not None:
            self._request.stop()
            self._to(RunState.STOPPING, "Stopping…")
        elif self._reader is not None:
            self._drop_reader()
            self._to(RunState.DONE, _STOPPED)

    def show_board(self) -> None:
        """Bring up the board of the last comparison again."""
        if self.data is None or self._is_closed:
            return
        session = self._living_session()
        self.leave()
        session.board = Board(session.viewer, self.data, with_reference=self._shows_reference)
        session.board.left.connect(self._on_board_left)
        self.changed.emit()

    def leave(self) -> None:
        """Take the board down; harmless without one."""
        if self.board is not None:
            self.board.leave()

    def close(self) -> None:
        """The window is gone: whatever still arrives is dropped."""
        self._is_closed = True
        board = self.board
        if board is not None:
            board.forget()

    def _ask(self, command: dict[str, Any], title: str, then: Callable[[Any], None]) -> None:
        try:
            self._request = self._living_session().request(command, title)
        except OSError as error:
            text = f"The worker process cannot be started ({error.strerror or error}); close other programs, try again."
            raise BadInput(text) from error
        self._request.told.connect(self._on_progress_told)
        self._request.ended.connect(lambda answer: self._on_request_ended(answer, then))
        self._to(RunState.RUNNING, f"{title}…")

    def _read(self, work: Callable[[], BoardData], message: str = "Opening the board…") -> None:
        """In a thread, for images are large and judging them takes seconds."""
        if self._reader is not None:
            self._drop_reader()  # one board at a time, the one asked for last
        self._to(RunState.RUNNING, message)
        self._reader = thread_worker(_data_or_reason)(work)
        self._reader.returned.connect(self._on_data_returned)
        self._reader.errored.connect(self._on_data_errored)
        self._reader.start()

    def _drop_reader(self) -> None:
        """A thread cannot be ended from outside; what it finds is for nobody."""
        reader, self._reader = self._reader, None
        reader.returned.disconnect(self._on_data_returned)
        reader.errored.disconnect(self._on_data_errored)
        reader.quit()

    def _on_progress_told(self, answer: Answer) -> None:
        """GUI thread."""
        if isinstance(answer, Progress) and self.state is RunState.RUNNING:
            self.progress = (answer.done, answer.total)
            if self._request is not None:
                self._request.show_progress(answer.done, answer.total)
            self.message = answer.text
            self.changed.emit()

    def _on_request_ended(self, answer: Answer, then: Callable[[Any], None]) -> None:
        """GUI thread."""
        self._request = None
        self.progress = (0, 0)
        if isinstance(answer, Result):
            then(answer.values)
        elif isinstance(answer, Failed):
            self._to(RunState.FAILED, answer.reason)
        else:
            self._to(RunState.DONE, _STOPPED)

    def _on_data_returned(self, data: BoardData | str) -> None:
        """GUI thread."""
        self._reader = None
        if isinstance(data, str):
            self._to(RunState.FAILED, data)
            return
        self.data, self._shows_reference = data, self._will_show_reference
        try:
            self.show_board()
        except Exception as error:  # nobody foresaw this: it goes on to napari, but the dock must not wait for ever
            self._to(RunState.FAILED, f"The board cannot be shown: {error}.")
            raise
        self._to(RunState.DONE, "")

    def _on_data_errored(self, error: Exception) -> None:
        """GUI thread; nobody foresaw this, and napari shows the error too."""
        self._reader = None
        self._to(RunState.FAILED, f"The board cannot be shown: {error}.")

    def _on_board_left(self) -> None:
        """GUI thread."""
        session = self._session()
        if session is not None:
            session.board = None
        self.changed.emit()

    def _refuse_if_busy(self) -> None:
        if self.is_busy:
            raise BadInput(_BUSY)

    def _living_session(self) -> Session:
        session = self._session()
        assert session is not None  # it owns this
        return session

    def _to(self, state: RunState, message: str) -> None:
        self.state, self.message = state, message
        self.changed.emit()


def comparing_of(session: Session) -> Comparing:
    """The comparing of a session, made on first use."""
    found: Comparing | None = session.findChild(Comparing)
    return found or Comparing(session)


def _data_or_reason(work: Callable[[], BoardData]) -> BoardData | str:
    """Runs in a thread of napari's. What the user can mend comes back as a sentence, for napari raises errors anew."""
    try:
        return work()
    except (BadInput, OSError) as error:
        return str(error)


def _kind(layer: Layer) -> str:
    entry = layer.metadata.get(KEY)
    return str(entry.get("kind", "")) if isinstance(entry, dict) else ""


def _unused(folder: Path) -> Path:
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}_{number}")
    return candidate
