"""The "Slice attention" dock: choose a scan and a network, let it look, and see where it looked."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QFileDialog, QGroupBox, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.study.methods import PRETRAINED, ZERO_FILLED
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.widgets.attending import attending_of
from napari_mritransfer.widgets.attention_inputs import AttentionInputs, named
from napari_mritransfer.widgets.attention_panel import AttentionPanel
from napari_mritransfer.widgets.attention_source import BOARD, FILES, AttentionSource
from napari_mritransfer.widgets.cohort_choice import CohortChoice
from napari_mritransfer.widgets.comparing import comparing_of
from napari_mritransfer.widgets.dock import Dock, text_label
from napari_mritransfer.widgets.export_choice import export_folder
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.theme import colours_of
from napari_mritransfer.widgets.tuning import RunState
from napari_mritransfer.widgets.view import unwrapped

if TYPE_CHECKING:
    import napari.viewer


class AttentionDock(Dock):
    """A view of the session's `Attending`: it may be closed and opened again while a network looks."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self.attending = attending_of(self.session)
        self.comparing = comparing_of(self.session)
        self.source = AttentionSource(self.viewer)
        self.networks = CohortChoice()
        self.sanity = QCheckBox("Sanity checks")
        self.sanity.setToolTip("Does the prediction change without the slices that were looked at most? Takes longer.")
        self.run, self.stop = QPushButton("Run"), QPushButton("Stop")
        self.bar = QProgressBar()
        self.status = text_label()
        self.panel = AttentionPanel(self.viewer, self.attending)
        self._refusal = ""
        self._lay_out()
        self.source.changed.connect(self._on_inputs_changed)
        self.networks.changed.connect(self._on_inputs_changed)
        self.networks.refused.connect(self._on_refused)
        self.run.clicked.connect(self.look)
        self.stop.clicked.connect(self.attending.stop)
        self.panel.export.clicked.connect(self._on_export_clicked)
        self.panel.place_wanted.connect(self._on_place_wanted)
        self._laying_out = QTimer(self)  # a child, so that a dock that is gone by then is not asked
        self._laying_out.setSingleShot(True)
        self._laying_out.timeout.connect(self._on_panel_laid_out)
        self.panel.came.connect(self._laying_out.start)
        self.comparing.changed.connect(self._on_comparing_changed)
        self.session.measurements_changed.connect(self._on_measurements_changed)
        self.attending.changed.connect(self._on_state_changed)
        while_alive(self, self.viewer.events.theme, self._on_theme_changed)
        self.networks.show_runs(preferences().run_folder / "runs")
        self._on_measurements_changed()
        self._on_comparing_changed()

    # ------------------------------------------------------------------ what others ask for

    def look_at(self, layer: Any) -> None:
        """Let the chosen network look at an image layer of the viewer, or say why it cannot."""
        layer = unwrapped(layer)
        if self.source.choose_layer(layer):
            self.look()
        else:
            name = getattr(layer, "name", "This")
            self._on_refused(f"{name} is no scan that a network can look at; choose the scan it was made from.")

    def show_folder(self, folder: Path) -> None:
        """Bring up attention maps that lie on disk."""
        self._try(lambda: self.attending.open(Path(folder)))

    def inputs(self) -> AttentionInputs:
        """What the dock is filled in with, but for the file of a layer, which may have to be written first."""
        source = self.source
        return AttentionInputs(
            named(source.files) if source.chosen == FILES else (),
            self.networks.models,
            source.board if source.chosen == BOARD else None,
            source.measurement,
            self._methods() if source.measurement is not None else (),
            self.networks.cut,
            self.sanity.isChecked(),
            preferences().device,
        )

    def _methods(self) -> tuple[str, ...]:
        """Before transfer, and everything that was fine-tuned in this viewer."""
        runs = (run.folder for run in self.session.tuning.runs if run.ended is not None)
        return (ZERO_FILLED, PRETRAINED, *(str(folder) for folder in runs if (folder / BEST).is_file()))

    def look(self) -> None:
        """Let the chosen network look, as a press of the button does."""
        self._try(lambda: self.attending.start(self.inputs(), layer=self.source.layer))

    def export_to(self, chosen: Path) -> None:
        """Export the maps to a folder: itself if it is new or empty, else to a new one inside."""
        view = self.attending.view
        name = view.input_name if view is not None else ""
        self._try(lambda: self.attending.export(export_folder(chosen, name, "attention")))

    # ------------------------------------------------------------------ events

    def showEvent(self, event: QShowEvent | None) -> None:
        """GUI thread; runs may have come while the dock was away."""
        super().showEvent(event)
        self.networks.show_runs(preferences().run_folder / "runs")

    def _on_comparing_changed(self) -> None:
        """GUI thread."""
        data = self.comparing.data
        if data is None or data.folder is None:
            self.source.offer_board(None, "")
        else:
            names = ", ".join(method.name for method in data.methods)
            first = "" if data.reference is None else "reference, "
            self.source.offer_board(data.folder, f"{data.scan.name}: {first}{names}")

    def _on_measurements_changed(self) -> None:
        """GUI thread."""
        self.source.offer_measurements(self.session.measurements)

    def _on_inputs_changed(self) -> None:
        """GUI thread."""
        self._refusal = ""
        self._on_state_changed()

    def _on_refused(self, reason: str) -> None:
        """GUI thread."""
        self._refusal = reason
        self._on_state_changed()

    def _on_export_clicked(self) -> None:
        """GUI thread."""
        name = QFileDialog.getExistingDirectory(self, "Choose a folder to export to", str(Path.home()))
        if name:
            self.export_to(Path(name))

    def _on_panel_laid_out(self) -> None:
        """GUI thread. What was waited for is brought into view."""
        bar = self.area.verticalScrollBar()
        assert bar is not None
        bar.setValue(self.panel.y())

    def _on_place_wanted(self) -> None:
        """GUI thread."""
        self._try(self.attending.put_on_scan)

    def _on_state_changed(self) -> None:
        """GUI thread; the one place that switches buttons."""
        attending = self.attending
        may_run = self.source.is_ready and bool(self.networks.models)
        self.run.setEnabled(may_run and not attending.is_busy)
        self.stop.setEnabled(attending.state is RunState.RUNNING)
        self.bar.setVisible(attending.is_busy)
        done, total = attending.progress
        self.bar.setRange(0, total)  # a bar without an end moves to and fro
        self.bar.setValue(done)
        message = self._refusal or attending.message
        self.status.setText(message)
        self.status.setVisible(bool(message))
        is_error = bool(self._refusal) or attending.state is RunState.FAILED
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error};" if is_error else "")

    def _on_theme_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        self.panel.follow_theme()
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
        buttons = QHBoxLayout()
        buttons.addWidget(self.run, 1)
        buttons.addWidget(self.stop)
        for title, part in (("Look at", self.source), ("With", self.networks)):
            box = QGroupBox(title)
            inside = QVBoxLayout(box)
            inside.setContentsMargins(6, 6, 6, 6)
            inside.addWidget(part)
            self.column.addWidget(box)
        self.column.addWidget(self.sanity)
        self.column.addLayout(buttons)
        for widget in (self.bar, self.status, self.panel):
            self.column.addWidget(widget)
        self.column.addStretch(1)
