"""What networks saw in the scans of one viewer, and the board of it: goes on whether or not a dock is open to watch."""

import weakref
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari.layers import Layer

from napari_mritransfer.io import Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.attention_board import AttentionBoard
from napari_mritransfer.widgets.attention_cells import OPACITY
from napari_mritransfer.widgets.attention_data import AttentionData, AttentionView, read_attention
from napari_mritransfer.widgets.attention_export import export_attention
from napari_mritransfer.widgets.attention_inputs import AttentionInputs
from napari_mritransfer.widgets.attention_on_scan import map_of_scan, put_on_scan
from napari_mritransfer.widgets.comparing import comparing_of
from napari_mritransfer.widgets.errand import Errand, unused
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

_TROUBLE = "The attention maps cannot be shown"


@dataclass(frozen=True, slots=True)
class _Origin:
    """What was looked at: a layer of the viewer, or the scan of a comparison."""

    layer: "weakref.ref[Layer] | None" = None
    scan: Path | None = None


class Attending(Errand):
    """One look at a time, and what came of the last; get it with `attending_of`. GUI thread only.

    Attributes
    ----------
    data
        What came of the last look, also after its board was left.
    selected
        Index of the view that the dock shows.
    board
        The board of `data`, while it is up.
    opacity
        Of the maps on the board.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "A network is looking at something already; wait for it or stop it.")
        self.data: AttentionData | None = None
        self.selected = 0
        self.board: AttentionBoard | None = None
        self.opacity = OPACITY
        self._will_be_of = self._is_of = _Origin()

    @property
    def view(self) -> AttentionView | None:
        """The selected one."""
        return self.data.views[self.selected] if self.data is not None else None

    def start(self, inputs: AttentionInputs, *, layer: Layer | None = None) -> None:
        """Let the worker look; the board comes up when it is done.

        Parameters
        ----------
        layer
            What to look at instead of the scans of `inputs`; where it has no file, one is written first.

        Raises
        ------
        BadInput
            If something is running, there is nothing to look at or with, or the layer is no scan.
        OSError
            If there is no folder for the maps.
        """
        self.refuse_if_busy()
        compared = comparing_of(self.session).data if inputs.board is not None else None
        measured = inputs.measurement.scan if inputs.measurement is not None else None
        self._will_be_of = _Origin(scan=compared.scan.path if compared is not None else measured)
        if layer is None:
            self._ask_for(inputs)
            return
        name, of, session = layer.name, weakref.ref(layer), self.session
        inputs.of(name, Path()).command(Path())  # what is wrong with it is said before anything is written
        file = session.file_at_hand(layer)
        self._will_be_of = _Origin(of)
        if file is not None:
            self._ask_for(inputs.of(name, file))
        else:
            self.read(
                lambda: _file_of(session, of), "Writing the scan, which has no file yet…",
                lambda path: self._ask_for(inputs.of(name, path)), "The scan cannot be handed to the worker",
            )  # fmt: skip

    def open(self, folder: Path) -> None:
        """Bring up attention maps that lie on disk.

        Raises
        ------
        BadInput
            If something is running.
        """
        self.refuse_if_busy()
        self._will_be_of = _Origin()
        self._open(folder)

    def select(self, index: int) -> None:
        """Choose the view that the dock shows; the board is built anew where it cuts the scan another way."""
        if self.data is None or index == self.selected or not 0 <= index < len(self.data.views):
            return
        self.selected = index
        if self.board is not None and self.board.slicing != self.data.views[index].slicing:
            self.show_board()
        self.changed.emit()

    def set_opacity(self, opacity: float) -> None:
        """Of the maps; 0 hides them."""
        self.opacity = opacity
        if self.board is not None:
            self.board.opacity = opacity

    def show_board(self) -> None:
        """Bring up the board of the last look again: of all views that cut the scan as the selected one does."""
        data, view = self.data, self.view
        if data is None or view is None or self.is_closed:
            return
        session = self.session
        session.leave_board()
        views = [one for one in data.views if one.slicing == view.slicing]
        self.board = AttentionBoard(session.viewer, data, views, opacity=self.opacity)
        session.board = self.board
        self.board.left.connect(self._on_board_left)
        self.changed.emit()

    def leave(self) -> None:
        """Take the board down; harmless without one."""
        if self.board is not None:
            self.board.leave()

    def export(self, to: Path) -> None:
        """Copy the maps, the bars and the picture to a folder.

        Raises
        ------
        BadInput
            If something is running, or there is nothing to export.
        """
        data = self.data
        if data is None:
            raise BadInput("There is nothing to export; let a network look at a scan first.")
        self.write(
            lambda should_stop: export_attention(data.folder, to, should_stop), "Exporting…",
            lambda names: self.to(RunState.DONE, f"Exported {len(names)} files to {to}."), "Nothing was exported",
        )  # fmt: skip

    def put_on_scan(self) -> None:
        """Leave the board, and lay the selected view's map over the layer that it was made from.

        Raises
        ------
        BadInput
            If something is running, or there is no such map.
        """
        self.refuse_if_busy()
        view = self.view
        if view is None or view.map_on_scan is None:
            raise BadInput("There is no map on the scan's own grid; let a network look at the scan again.")
        path, name = view.map_on_scan, f"{view.input_name} {view.kind} of {Path(view.model).name}"
        self.read(
            lambda: map_of_scan(path, name), "Reading the map…", lambda found: self._on_map_found(found, view),
            "The map cannot be shown",
        )  # fmt: skip

    def close(self) -> None:
        """The window is gone."""
        super().close()
        self.board = None

    def _ask_for(self, inputs: AttentionInputs) -> None:
        name = inputs.title if inputs.board is None else "comparison"
        plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60]
        out = self.session.folder("attention") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{plain}"
        command = inputs.command(unused(out))
        self.ask(command, f"Looking at {inputs.title}", lambda values: self._open(Path(values["out"])))

    def _open(self, folder: Path) -> None:
        self.read(lambda: read_attention(folder), "Opening the maps…", self._on_data_found, _TROUBLE)

    def _on_data_found(self, data: AttentionData) -> None:
        """GUI thread."""
        self.data, self.selected, self._is_of = data, 0, self._will_be_of
        self.show_board()
        self.to(RunState.DONE, "")

    def _on_map_found(self, found: Scan, view: AttentionView) -> None:
        """GUI thread."""
        self.leave()
        layer = self._is_of.layer() if self._is_of.layer is not None else None
        sources = [path for path in (view.source_path, self._is_of.scan) if path is not None]
        put_on_scan(self.session.viewer, found, layer, sources)
        self.to(RunState.DONE, "The map lies over the scan.")

    def _on_board_left(self) -> None:
        """GUI thread. What was done to the maps in napari's own controls is remembered."""
        if self.board is not None:
            self.opacity = self.board.opacity
        self.board = None
        session = self.owner()
        if session is not None:
            session.board = None
        self.changed.emit()


def attending_of(session: Session) -> Attending:
    """The attending of a session, made on first use."""
    found: Attending | None = session.findChild(Attending)
    return found or Attending(session)


def _file_of(session: Session, layer: "weakref.ref[Layer]") -> Path:
    """Runs in a thread of napari's. The layer comes weakly, because napari never frees what its workers hold."""
    there = layer()
    if there is None:
        raise BadInput("The layer was deleted; choose another one.")
    return session.path_of(there)
