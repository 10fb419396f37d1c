"""The "Compare reconstructions" dock: tick methods, build the board, look, export."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.board_panel import BoardPanel
from napari_mritransfer.widgets.compare_inputs import CompareInputs, unavailable_classical
from napari_mritransfer.widgets.comparing import comparing_of
from napari_mritransfer.widgets.dock import Dock, narrow, text_label
from napari_mritransfer.widgets.export_choice import export_folder
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.method_list import MethodList
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.theme import colours_of
from napari_mritransfer.widgets.tuning import RunState
from napari_mritransfer.widgets.view import unwrapped
from napari_mritransfer.zoo.card import DEFAULT_MODEL, model_cards

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Layer

_NO_MEASUREMENT = "Undersample a scan first (Load scan)."
_WHERE_RUNS_BEGAN = f"Before transfer: the network that the ticked runs learned from, {DEFAULT_MODEL} without runs."
_NO_REFERENCE = "This scan has no fully sampled reference: pictures can be compared, but nothing can be measured."


class CompareDock(Dock):
    """A view of the session's `Comparing`: it may be closed and opened again while a comparison or a board is on."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self.comparing = comparing_of(self.session)
        self.measurement = narrow(QComboBox())
        self.about = text_label()
        self.methods = MethodList()
        self.model = narrow(QComboBox())
        self.model.addItem("the one the runs began as", ("", _WHERE_RUNS_BEGAN))
        for card in model_cards():
            self.model.addItem(card.name, (card.name, card.title))  # titles are sentences, too long for a list
        self.about_model = text_label()
        self.add_run = QPushButton("Add run folder…")
        self.build, self.stop = QPushButton("Build board"), QPushButton("Stop")
        self.bar = QProgressBar()
        self.status = text_label()
        self.board = BoardPanel(self.viewer, self.comparing)
        for label in (self.about, self.about_model, self.status):
            label.setTextFormat(Qt.TextFormat.PlainText)  # names of scans, runs and folders stand in it
        self._refusal = ""
        self._lay_out()

        self.measurement.currentIndexChanged.connect(self._on_measurement_chosen)
        self.model.currentIndexChanged.connect(self._on_model_chosen)
        self.methods.changed.connect(self._on_inputs_changed)
        self.add_run.clicked.connect(self._on_add_run_clicked)
        self.build.clicked.connect(self._on_build_clicked)
        self.stop.clicked.connect(self.comparing.stop)
        self.board.export.clicked.connect(self._on_export_clicked)
        self.session.measurements_changed.connect(self._on_measurements_changed)
        self.session.tuning.changed.connect(self._on_runs_changed)
        self.comparing.changed.connect(self._on_state_changed)
        while_alive(self, self.viewer.events.theme, self._on_theme_changed)
        self._on_model_chosen()
        self._on_measurements_changed()
        self._on_runs_changed()
        self._on_state_changed()

    # ------------------------------------------------------------------ what others ask for

    def choose_layers(self, layers: "Sequence[Layer]") -> None:
        """Put layers of the viewer side by side as they are, judged by the first scan among them."""
        self._try(lambda: self.comparing.open_layers([unwrapped(layer) for layer in layers]))

    def show_folder(self, folder: Path, scan_path: Path) -> None:
        """Bring up the board of a comparison that lies on disk."""
        self._refusal = ""
        self.comparing.open(Path(folder), Path(scan_path))

    def inputs(self) -> CompareInputs:
        """What the dock is filled in with.

        Raises
        ------
        BadInput
            If there is no measurement.
        """
        chosen = self.measurement.currentData()
        if chosen is None:
            raise BadInput(_NO_MEASUREMENT)
        return CompareInputs(
            chosen, self.methods.ticked, model=self.model.currentData()[0], device=preferences().device
        )

    def export_to(self, chosen: Path) -> None:
        """Export the board to a folder: itself if it is new or empty, else to a new one inside."""
        data = self.comparing.data
        name = data.scan.name if data is not None else ""
        self._try(lambda: self.comparing.export(export_folder(chosen, name or "board", "comparison")))

    # ------------------------------------------------------------------ events

    def showEvent(self, event: QShowEvent | None) -> None:
        """GUI thread; runs may have come while the dock was away."""
        super().showEvent(event)
        self._on_runs_changed()

    def _on_measurements_changed(self) -> None:
        """GUI thread. The newest measurement is the one to look at."""
        self.measurement.blockSignals(True)
        self.measurement.clear()
        for measurement in reversed(self.session.measurements):
            self.measurement.addItem(measurement.name, measurement)
        self.measurement.blockSignals(False)
        self.measurement.setEnabled(self.measurement.count() > 0)
        self._on_measurement_chosen()

    def _on_measurement_chosen(self) -> None:
        """GUI thread."""
        chosen = self.measurement.currentData()
        self.methods.allow_reference(chosen is None or chosen.has_reference)
        self.methods.allow_classical({} if chosen is None else unavailable_classical(chosen.n_coils))
        if chosen is None:
            self.about.setText(_NO_MEASUREMENT)
        else:
            self.about.setText(" ".join([chosen.description, *([] if chosen.has_reference else [_NO_REFERENCE])]))
        self.about.show()
        self._on_inputs_changed()

    def _on_model_chosen(self) -> None:
        """GUI thread."""
        self.about_model.setText(self.model.currentData()[1])
        self.about_model.show()

    def _on_runs_changed(self) -> None:
        """GUI thread. What was just learned is what one wants to see: it is ticked."""
        ours = frozenset(str(run.folder) for run in self.session.tuning.runs)
        self.methods.show_runs(preferences().run_folder / "runs", tick=ours)

    def _on_inputs_changed(self) -> None:
        """GUI thread."""
        self._refusal = ""
        self._on_state_changed()

    def _on_add_run_clicked(self) -> None:
        """GUI thread."""
        name = QFileDialog.getExistingDirectory(self, "Choose the folder of a run", str(preferences().run_folder))
        if name:
            self._try(lambda: self.methods.add_run(Path(name)))

    def _on_build_clicked(self) -> None:
        """GUI thread."""
        self._try(lambda: self.comparing.start(self.inputs()))

    def _on_export_clicked(self) -> None:
        """GUI thread."""
        name = QFileDialog.getExistingDirectory(self, "Choose a folder to export to", str(Path.home()))
        if name:
            self.export_to(Path(name))

    def _on_state_changed(self) -> None:
        """GUI thread."""
        comparing = self.comparing
        self.build.setEnabled(not comparing.is_busy and self.measurement.currentData() is not None)
        self.stop.setEnabled(comparing.state is RunState.RUNNING)
        self.bar.setVisible(comparing.is_busy)
        done, total = comparing.progress
        self.bar.setRange(0, total)  # a bar without an end moves to and fro
        self.bar.setValue(done)
        message = self._refusal or comparing.message
        self.status.setText(message)
        self.status.setVisible(bool(message))
        is_error = bool(self._refusal) or comparing.state is RunState.FAILED
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error};" if is_error else "")

    def _on_theme_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        self.board.plot.follow_theme()
        self._on_state_changed()

    def _try(self, action: Any) -> None:
        """Do it, or say in the status line why not."""
        self._refusal = ""
        try:
            action()
        except BadInput as error:
            self._refusal = str(error)
        except OSError as error:
            self._refusal = f"{error.strerror or error}; choose another run folder under Preferences."
        self._on_state_changed()

    # ------------------------------------------------------------------ layout

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Measurement", self.measurement)
        form.addRow(self.about)
        methods = QVBoxLayout()
        methods.addWidget(self.methods)
        methods.addWidget(self.add_run)
        methods.addWidget(QLabel("Pretrained network"))
        methods.addWidget(self.model)
        methods.addWidget(self.about_model)
        box = QGroupBox("Methods")
        box.setLayout(methods)
        buttons = QHBoxLayout()
        buttons.addWidget(self.build, 1)
        buttons.addWidget(self.stop)
        column = self.column
        column.addLayout(form)
        column.addWidget(box)
        column.addLayout(buttons)
        for widget in (self.bar, self.status, self.board):
            column.addWidget(widget)
        column.addStretch(1)
