"""Comparisons and the board of one viewer: they go on whether or not a dock is open to watch."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from napari.layers import Layer

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.board import Board
from napari_mritransfer.widgets.board_cells import KIND
from napari_mritransfer.widgets.board_data import BoardData, judged, read_board
from napari_mritransfer.widgets.compare_inputs import CompareInputs
from napari_mritransfer.widgets.errand import Errand, unused
from napari_mritransfer.widgets.layers import KEY, in_memory, layer_scan
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

_TROUBLE = "The board cannot be shown"
_OPENING = "Opening the board…"


class Comparing(Errand):
    """One comparison at a time, and the board of the last; get it with `comparing_of`. GUI thread only.

    Attributes
    ----------
    data
        The last comparison, also after its board was left.
    board
        Its board, while it is up.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Something is being compared already; wait for it or stop it.")
        self.data: BoardData | None = None
        self.board: Board | None = None
        self._shows_reference = self._will_show_reference = True

    def start(self, inputs: CompareInputs) -> None:
        """Let the worker compare; the board comes up when it is done.

        Raises
        ------
        BadInput
            If something is running, or the inputs cannot be compared.
        OSError
            If there is no folder for the results.
        """
        self.refuse_if_busy()
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{inputs.measurement.scan.name.split('.')[0]}"
        command = inputs.command(unused(self.session.folder("comparisons") / name))
        scan = inputs.measurement.scan
        self.ask(command, f"Comparing: {inputs.measurement.name}", lambda values: self.open(Path(values["out"]), scan))
        self._will_show_reference = inputs.shows_reference

    def open(self, folder: Path, scan_path: Path) -> None:
        """Bring up the board of a finished comparison that lies on disk."""
        self.read(lambda: read_board(folder, scan_path), _OPENING, self._on_data_found, _TROUBLE)

    def open_layers(self, layers: Sequence[Layer]) -> None:
        """Compare layers as they are: with the first scan among them as the reference, or else with the first.

        Raises
        ------
        BadInput
            If something is running, or these layers cannot be compared.
        """
        self.refuse_if_busy()
        if any(_kind(layer) == KIND for layer in layers):
            raise BadInput("These are cells of the board, which compares them already; leave it to compare others.")
        scans = [layer_scan(layer) for layer in layers]
        names = [layer.name for layer in layers]
        reference = next((index for index, layer in enumerate(layers) if _kind(layer) == "scan"), 0)
        self._will_show_reference = True
        self.read(
            lambda: judged(names, [in_memory(scan) for scan in scans], reference), "Comparing the layers…",
            self._on_data_found, _TROUBLE,
        )  # fmt: skip

    def export(self, to: Path) -> None:
        """Copy the comparison of the board to a folder, with the figure of the slice and window on screen.

        Raises
        ------
        BadInput
            If something is running, there is no board, it has no files, or all its methods are hidden.
        """
        self.refuse_if_busy()
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
        self.ask(command, "Exporting", lambda values: self.to(
            RunState.DONE, f"Exported {len(values['files'])} files to {to}."
        ))  # fmt: skip

    def show_board(self) -> None:
        """Bring up the board of the last comparison again."""
        if self.data is None or self.is_closed:
            return
        session = self.session
        session.leave_board()
        session.board = self.board = Board(session.viewer, self.data, with_reference=self._shows_reference)
        self.board.left.connect(self._on_board_left)
        self.changed.emit()

    def leave(self) -> None:
        """Take the board down; harmless without one."""
        if self.board is not None:
            self.board.leave()

    def _on_data_found(self, data: BoardData) -> None:
        """GUI thread."""
        self.data, self._shows_reference = data, self._will_show_reference
        self.show_board()
        self.to(RunState.DONE, "")

    def _on_board_left(self) -> None:
        """GUI thread."""
        self.board = None
        session = self.owner()
        if session is not None:
            session.board = None
        self.changed.emit()


def comparing_of(session: Session) -> Comparing:
    """The comparing of a session, made on first use."""
    found: Comparing | None = session.findChild(Comparing)
    return found or Comparing(session)


def _kind(layer: Layer) -> str:
    entry = layer.metadata.get(KEY)
    return str(entry.get("kind", "")) if isinstance(entry, dict) else ""
