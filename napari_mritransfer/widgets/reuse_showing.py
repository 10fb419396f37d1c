"""One subject of a cohort in the viewer, and where in the scan a method looked: also while other methods still run."""

from pathlib import Path

from napari.layers import Layer

from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.record import PredictedScan
from napari_mritransfer.io import load
from napari_mritransfer.training.client import Answer
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.errand import Errand
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.reuse_board import OPACITY, RelevanceBoard, ShownScan, shown_scan
from napari_mritransfer.widgets.reuse_data import ReuseData
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

_WITHOUT_MAPS = ("baseline", "classical")  # kinds of methods
_NO_MAP = "{method} has no relevance map: it does not look at the scan through the network."
_LATER = "The relevance map can be made when nothing runs on a cohort any more; click again then."


class ReuseShowing(Errand):
    """One scan at a time; get it with `showing_of`. GUI thread only.

    Attributes
    ----------
    data, line
        The prediction that was clicked at last, and of which results; None before.
    pointed
        It in words; empty before.
    shown
        What was brought up last, also after its board was left.
    board
        Its board, while it is up.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "A scan is on its way already; wait for it.")
        self.data: ReuseData | None = None
        self.line: PredictedScan | None = None
        self.pointed = ""
        self.shown: ShownScan | None = None
        self.board: RelevanceBoard | None = None

    def show_scan(self, data: ReuseData, line: PredictedScan, *, may_ask: bool = True) -> None:
        """Bring up a subject's scan, and beside it where the method looked.

        Parameters
        ----------
        may_ask
            Whether the worker has time to make the map.

        Raises
        ------
        BadInput
            If a scan is on its way.
        OSError
            If there is no folder for the map.
        """
        self.refuse_if_busy()
        told, row = data.told(line), reuse_method(line.method)
        self.data, self.line, self.pointed = data, line, told
        if row.kind in _WITHOUT_MAPS or not may_ask:
            message = _NO_MAP.format(method=row.label) if row.kind in _WITHOUT_MAPS else _LATER
            self._show(line, told, None, message)
            return
        folder = data.record.folder
        name = "_".join([folder.name, line.method, line.subject, line.session])
        out = self.session.folder("cohort-maps") / "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
        order = {
            "command": "reuse-map", "folder": str(folder), "subject": line.subject, "session": line.session,
            "method": line.method, "out": str(out),
        }  # fmt: skip
        self.ask(order, f"Relevance in {line.subject}", lambda values: self._show(line, told, Path(values["map"]), ""))
        assert self._request is not None
        self._request.ended.connect(lambda answer: self._on_map_ended(answer, line, told))

    def open_scan(self, path: Path) -> None:
        """Add a scan of the cohort to the viewer, as any other file.

        Raises
        ------
        BadInput
            If a scan is on its way.
        """
        self.refuse_if_busy()
        self.read(lambda: scan_layers(load(path)), f"Opening {path.name}…", self._on_layers_read, "It cannot be opened")

    def show_board(self) -> None:
        """Bring up again what was shown last."""
        shown = self.shown
        if shown is None or self.is_closed:
            return
        session = self.session
        session.leave_board()
        self.board = RelevanceBoard(session.viewer, shown, opacity=OPACITY)
        session.board = self.board
        self.board.left.connect(self._on_board_left)
        self.changed.emit()

    def leave(self) -> None:
        """Take the board down; harmless without one."""
        if self.board is not None:
            self.board.leave()

    def close(self) -> None:
        """The window is gone."""
        super().close()
        self.board = None

    def _show(self, line: PredictedScan, told: str, map_path: Path | None, message: str) -> None:
        self.read(
            lambda: shown_scan(line, told, map_path), "Opening the scan…",
            lambda found: self._on_scan_read(found, message), "The scan cannot be shown",
        )  # fmt: skip

    def _on_map_ended(self, answer: Answer, line: PredictedScan, told: str) -> None:
        """GUI thread. A scan is worth looking at without a map too."""
        if isinstance(answer, Failed) and not self.is_closed:
            self._show(line, told, None, answer.reason)

    def _on_scan_read(self, found: ShownScan, message: str) -> None:
        """GUI thread."""
        self.shown = found
        self.show_board()
        self.to(RunState.DONE, message)

    def _on_layers_read(self, layers: list[LayerTuple]) -> None:
        """GUI thread."""
        for one in layers:
            self.session.viewer.add_layer(Layer.create(*one))
        self.to(RunState.DONE, "")

    def _on_board_left(self) -> None:
        """GUI thread."""
        self.board = None
        session = self.owner()
        if session is not None:
            session.board = None
        self.changed.emit()


def showing_of(session: Session) -> ReuseShowing:
    """The showing of a session, made on first use."""
    found: ReuseShowing | None = session.findChild(ReuseShowing)
    return found or ReuseShowing(session)
