"""The "Cohort" dock: a table of subjects and a pretrained network go in, and which way to re-use it works comes out."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFileDialog, QGroupBox, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.look import LookedRow
from napari_mritransfer.cohort.reuse.record import PredictedScan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.dock import Dock, text_label
from napari_mritransfer.widgets.export_choice import export_folder
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.reuse_inputs import ReuseInputs
from napari_mritransfer.widgets.reuse_methods import ReuseMethods
from napari_mritransfer.widgets.reuse_networks import ReuseNetworks
from napari_mritransfer.widgets.reuse_panel import ReusePanel
from napari_mritransfer.widgets.reuse_settings import ReuseSettingsForm
from napari_mritransfer.widgets.reuse_showing import showing_of
from napari_mritransfer.widgets.reuse_subjects import ReuseSubjects
from napari_mritransfer.widgets.reuse_table import CohortTable
from napari_mritransfer.widgets.reusing import reusing_of
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.theme import colours_of
from napari_mritransfer.widgets.tuning import RunState

if TYPE_CHECKING:
    import napari.viewer


class CohortDock(Dock):
    """A view of the session's `Reusing`: it may be closed and opened again while methods run."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self.reusing, self.showing = reusing_of(self.session), showing_of(self.session)
        self.table = CohortTable(self.viewer)
        self.networks = ReuseNetworks()
        self.check = QPushButton("Check scans")
        self.check.setToolTip("Look at every scan before anything is trained: pictures, and everything that is wrong")
        self.subjects = ReuseSubjects(self.viewer)
        self.methods = ReuseMethods()
        self.settings = ReuseSettingsForm()
        self.run, self.stop = QPushButton("Run"), QPushButton("Stop")
        self.go_on, self.open = QPushButton("Go on"), QPushButton("Open results…")
        self.go_on.setToolTip("Continue the re-use that was stopped, with the settings that it began with")
        self.open.setToolTip("The folder of a re-use, finished or not, such as one of the command line")
        self.bar = QProgressBar()
        self.status = text_label()
        self.panel = ReusePanel(self.viewer, self.reusing, self.showing)
        self._refusal = ""
        self._wanted: ReuseInputs | None = None  # to be filled in once its table was read
        self._lay_out()
        self.table.changed.connect(self._on_table_changed)
        self.table.refused.connect(self._on_refused)
        self.networks.refused.connect(self._on_refused)
        for part in (self.networks, self.methods, self.settings):
            part.changed.connect(self._on_inputs_changed)
        self.check.clicked.connect(self._on_check_clicked)
        self.run.clicked.connect(self._on_run_clicked)
        self.stop.clicked.connect(self._on_stop_clicked)
        self.go_on.clicked.connect(self._on_go_on_clicked)
        self.open.clicked.connect(self._on_open_clicked)
        self.subjects.scan_wanted.connect(self._on_scan_wanted)
        self.panel.scan_wanted.connect(self._on_point_clicked)
        self.panel.export.clicked.connect(self._on_export_clicked)
        self._laying_out = QTimer(self)  # a child, so that a dock that is gone by then is not asked
        self._laying_out.setSingleShot(True)
        self._laying_out.timeout.connect(self._on_panel_laid_out)
        self.panel.came.connect(self._laying_out.start)
        self.reusing.changed.connect(self._on_state_changed)
        self.showing.changed.connect(self._on_state_changed)
        self.reusing.configured.connect(self.show_config)
        while_alive(self, self.viewer.events.theme, self._on_theme_changed)
        if self.reusing.config is not None:
            self.show_config(self.reusing.config)
        self._on_table_changed()

    # ------------------------------------------------------------------ what others ask for

    def open_table(self, path: Path, label: str = "") -> None:
        """Take up a table of subjects."""
        self._refusal = ""
        self.table.open(Path(path), label)

    def show_folder(self, folder: Path) -> None:
        """Show a re-use that lies on disk, or take up one that is not finished."""
        self._try(lambda: self.reusing.open(Path(folder)))

    def show_config(self, config: ReuseConfig) -> None:
        """Fill in the form as it was; a table or a network that is not there any more is left out."""
        inputs = ReuseInputs.of(config)
        self.methods.tick(*inputs.methods)
        self.settings.show_settings(inputs.settings)
        if inputs.table is not None and inputs.table.exists():
            self._wanted = inputs
            self.table.open(inputs.table, inputs.label)
        with contextlib.suppress(BadInput):
            self.networks.choose(inputs.model, inputs.told)
        self._on_inputs_changed()

    def inputs(self) -> ReuseInputs:
        """What the dock is filled in with."""
        return ReuseInputs(
            self.table.path, self.table.column, self.networks.model, self.methods.ticked, self.settings.values,
            preferences().device, self.networks.said,
        )  # fmt: skip

    def export_to(self, chosen: Path) -> None:
        """Export the results to a folder: itself if it is new or empty, else to a new one inside."""
        data = self.reusing.data
        name = data.record.label.name if data is not None else ""
        self._try(lambda: self.reusing.export(export_folder(chosen, name or "cohort", "reuse")))

    # ------------------------------------------------------------------ events

    def showEvent(self, event: QShowEvent | None) -> None:
        """GUI thread; networks may have been fetched while the dock was away."""
        super().showEvent(event)
        self.networks.show_models()

    def _on_table_changed(self) -> None:
        """GUI thread."""
        cohort = self.table.cohort
        self.settings.offer_columns(cohort.label_columns if cohort is not None else ())
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self.settings.show_settings(wanted.settings)  # again, now that the table's columns are known
        self.methods.offer(self.table.task)
        self._on_inputs_changed()

    def _on_inputs_changed(self) -> None:
        """GUI thread."""
        self._refusal = ""
        self._on_state_changed()

    def _on_refused(self, reason: str) -> None:
        """GUI thread."""
        self._refusal = reason
        self._on_state_changed()

    def _on_check_clicked(self) -> None:
        """GUI thread."""
        self._try(lambda: self.reusing.look(self.inputs()))

    def _on_run_clicked(self) -> None:
        """GUI thread."""
        self._try(lambda: self.reusing.start(self.inputs()))

    def _on_stop_clicked(self) -> None:
        """GUI thread."""
        for errand in (self.reusing, self.showing):
            errand.stop()

    def _on_go_on_clicked(self) -> None:
        """GUI thread."""
        self._try(self.reusing.go_on)

    def _on_open_clicked(self) -> None:
        """GUI thread."""
        there = preferences().run_folder / "cohort"
        start = str(there if there.is_dir() else Path.home())
        name = QFileDialog.getExistingDirectory(self, "Choose the folder of a re-use", start)
        if name:
            self.show_folder(Path(name))

    def _on_export_clicked(self) -> None:
        """GUI thread."""
        name = QFileDialog.getExistingDirectory(self, "Choose a folder to export to", str(Path.home()))
        if name:
            self.export_to(Path(name))

    def _on_scan_wanted(self, row: LookedRow) -> None:
        """GUI thread."""
        self._try(lambda: self.showing.open_scan(Path(row.image)))

    def _on_point_clicked(self, line: PredictedScan) -> None:
        """GUI thread."""
        data = self.reusing.data
        if data is not None:
            self._try(lambda: self.showing.show_scan(data, line, may_ask=not self.reusing.is_busy))

    def _on_panel_laid_out(self) -> None:
        """GUI thread. What was waited for is brought into view."""
        bar = self.area.verticalScrollBar()
        assert bar is not None
        bar.setValue(self.panel.y())

    def _on_state_changed(self) -> None:
        """GUI thread; the one place that switches buttons."""
        reusing = self.reusing
        is_ready = self.table.path is not None and bool(self.table.column) and bool(self.networks.model)
        self.check.setEnabled(is_ready and not reusing.is_busy)
        is_old = reusing.looked_at is not None and reusing.looked_at.cohort != self.inputs().cohort
        self.check.setText("Check scans again: the form changed" if is_old else "Check scans")
        self.run.setEnabled(is_ready and bool(self.methods.ticked) and not reusing.is_busy)
        self.stop.setEnabled(RunState.RUNNING in (reusing.state, self.showing.state))
        self.go_on.setEnabled(reusing.may_go_on)
        self.open.setEnabled(not reusing.is_busy)
        self.subjects.show_looked(reusing.looked)
        self.methods.show_progress(reusing.done, reusing.planned)
        self.bar.setVisible(reusing.is_busy or self.showing.is_busy)
        done, total = reusing.progress
        self.bar.setRange(0, total)  # a bar without an end moves to and fro
        self.bar.setValue(done)
        is_showing = self.showing.is_busy and not reusing.is_busy
        told = self.showing if is_showing or not reusing.message else reusing
        message = self._refusal or told.message
        self.status.setText(message)
        self.status.setVisible(bool(message))
        is_error = bool(self._refusal) or told.state is RunState.FAILED
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error};" if is_error else "")

    def _on_theme_changed(self, _event: Any = None) -> None:
        """GUI thread."""
        for part in (self.panel, self.table, self.subjects):
            part.follow_theme()
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
        buttons, more = QHBoxLayout(), QHBoxLayout()
        buttons.addWidget(self.run, 1)
        buttons.addWidget(self.stop)
        more.addWidget(self.go_on, 1)
        more.addWidget(self.open, 1)
        parts: tuple[tuple[str, tuple[QWidget, ...]], ...] = (
            ("Cohort", (self.table,)), ("Network", (self.networks,)), ("Scans", (self.check, self.subjects)),
            ("Methods", (self.methods,)), ("How they are judged", (self.settings,)),
        )  # fmt: skip
        for title, inside in parts:
            box = QGroupBox(title)
            column = QVBoxLayout(box)
            column.setContentsMargins(6, 6, 6, 6)
            for widget in inside:
                column.addWidget(widget)
            self.column.addWidget(box)
        self.column.addLayout(buttons)
        self.column.addLayout(more)
        for widget in (self.bar, self.status, self.panel):
            self.column.addWidget(widget)
        self.column.addStretch(1)
