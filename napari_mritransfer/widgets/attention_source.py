"""What the networks look at: a layer, files, a measurement that is reconstructed first, or a comparison's methods."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from napari_mritransfer.widgets.dock import narrow, text_label
from napari_mritransfer.widgets.layer_choice import LayerChoice, is_offered
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.session import Undersampled

if TYPE_CHECKING:
    import napari

LAYER, FILES, MEASUREMENT, BOARD = "layer", "files", "measurement", "board"
_SCANS = "Scans (*.nii *.nii.gz *.mgz)"
_NO_BOARD = "There is no comparison with files yet; build a board in Compare reconstructions first."
_NO_MEASUREMENT = "Undersample a scan first (Load scan)."
_RECONSTRUCTED = "Reconstructed first: zero-filled, pretrained, and what was fine-tuned in this viewer."
_NO_LAYER = "Open a scan first: File > Open, or File > Open Sample."


class AttentionSource(QWidget):
    """One of four kinds, and what is chosen of it.

    Signals
    -------
    changed
        Something else was chosen.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.Viewer") -> None:
        super().__init__()
        self.files: tuple[Path, ...] = ()
        self.board: Path | None = None
        self._about_board = ""
        self.kind = narrow(QComboBox())
        for text, kind in (
            ("A layer", LAYER), ("Files", FILES), ("A measurement, reconstructed", MEASUREMENT),
            ("The comparison's methods", BOARD),
        ):  # fmt: skip
            self.kind.addItem(text, kind)
        self.layers = LayerChoice(viewer, may_be_looked_at)
        self.pick = QPushButton("Choose files…")
        self.measurements = narrow(QComboBox())
        self.parts = QStackedWidget()
        self.parts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        for part in (self.layers, self.pick, self.measurements, QWidget()):
            self.parts.addWidget(part)
        self.about = text_label()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.kind, self.parts, self.about):
            column.addWidget(widget)
        self.kind.currentIndexChanged.connect(self._on_kind_chosen)
        self.layers.chosen.connect(self._on_layer_chosen)
        self.pick.clicked.connect(self._on_pick_clicked)
        self.measurements.currentIndexChanged.connect(self._on_measurement_chosen)
        self.offer_measurements(())
        self.offer_board(None, "")

    @property
    def chosen(self) -> str:
        """`LAYER`, `FILES`, `MEASUREMENT` or `BOARD`."""
        return str(self.kind.currentData())

    @property
    def layer(self) -> Any:
        """The layer that is looked at, or None."""
        return self.layers.layer if self.chosen == LAYER else None

    @property
    def is_ready(self) -> bool:
        """Whether there is something to look at."""
        ready = {
            LAYER: self.layers.layer is not None, FILES: bool(self.files), BOARD: self.board is not None,
            MEASUREMENT: self.measurement is not None,
        }  # fmt: skip
        return ready[self.chosen]

    @property
    def measurement(self) -> Undersampled | None:
        """The measurement that is to be reconstructed and looked at."""
        return self.measurements.currentData() if self.chosen == MEASUREMENT else None

    def choose(self, kind: str) -> None:
        """Choose `LAYER`, `FILES`, `MEASUREMENT` or `BOARD`."""
        self.kind.setCurrentIndex(self.kind.findData(kind))

    def choose_layer(self, layer: Any) -> bool:
        """Choose a layer; False if it cannot be looked at."""
        if not self.layers.choose(layer):
            return False
        self.choose(LAYER)
        return True

    def choose_files(self, *files: Path) -> None:
        """Choose files."""
        self.files = files
        self.choose(FILES)
        self._show_about()

    def offer_board(self, folder: Path | None, about: str) -> None:
        """Offer the methods of a comparison; None where there is none with files."""
        self.board, self._about_board = folder, about
        self._allow(BOARD, "" if folder is not None else _NO_BOARD)

    def offer_measurements(self, measurements: Sequence[Undersampled]) -> None:
        """Offer these, the newest first."""
        was_blocked = self.measurements.blockSignals(True)
        self.measurements.clear()
        for one in reversed(measurements):
            self.measurements.addItem(one.name, one)
        self.measurements.blockSignals(was_blocked)
        self._allow(MEASUREMENT, "" if measurements else _NO_MEASUREMENT)

    def _allow(self, kind: str, reason: str) -> None:
        """Let a kind be chosen unless there is a reason why not."""
        listed = self.kind.model()
        assert isinstance(listed, QStandardItemModel)
        entry = listed.item(self.kind.findData(kind))
        assert entry is not None
        entry.setEnabled(not reason)
        entry.setToolTip(reason)
        if reason and self.chosen == kind:
            self.choose(LAYER)
        self._show_about()

    def _show_about(self) -> None:
        told = {
            LAYER: "" if self.layers.layer is not None else _NO_LAYER,
            FILES: ", ".join(file.name for file in self.files),
            MEASUREMENT: _RECONSTRUCTED,
            BOARD: self._about_board,
        }
        self.about.setText(told[self.chosen])
        self.about.setVisible(bool(self.about.text()))
        self.changed.emit()

    def _on_kind_chosen(self, index: int) -> None:
        """GUI thread."""
        self.parts.setCurrentIndex(index)
        self.parts.setVisible(self.chosen != BOARD)
        self._show_about()

    def _on_measurement_chosen(self, _index: int) -> None:
        """GUI thread."""
        self._show_about()

    def _on_layer_chosen(self, _layer: Any) -> None:
        """GUI thread."""
        self._show_about()

    def _on_pick_clicked(self) -> None:
        """GUI thread."""
        names, _ = QFileDialog.getOpenFileNames(self, "Choose scans to look at", "", _SCANS)
        if names:
            self.choose_files(*(Path(name) for name in names))


def may_be_looked_at(layer: Any) -> bool:
    """Scans, images of other origin, and zero-filled images: what undersampling does is worth a look."""
    own = layer.metadata.get(KEY)
    is_zero_filled = isinstance(layer, Image) and isinstance(own, dict) and own.get("kind") == "zero-filled"
    return is_zero_filled or is_offered(layer)
