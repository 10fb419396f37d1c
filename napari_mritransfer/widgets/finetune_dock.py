"""The "Fine-tune" dock: what to start from, what may change, on which scans; start, watch, stop, go on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)
from superqt import QCollapsible

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import Done, EpochDone, Event, Failed, Started, Stopped
from napari_mritransfer.training.rundir import PREVIEW
from napari_mritransfer.widgets.advanced_form import AdvancedForm
from napari_mritransfer.widgets.device_choice import DeviceChoice
from napari_mritransfer.widgets.dock import Dock, narrow, text_label
from napari_mritransfer.widgets.finetune_inputs import FinetuneInputs, new_runs
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.live_plot import LivePlot
from napari_mritransfer.widgets.model_choice import ModelChoice
from napari_mritransfer.widgets.preview_view import PreviewView
from napari_mritransfer.widgets.run_list import RunList, runs_in
from napari_mritransfer.widgets.scan_choice import ScanChoice
from napari_mritransfer.widgets.scan_files import ScanFiles
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.strategy_list import StrategyList
from napari_mritransfer.widgets.theme import colours_of
from napari_mritransfer.widgets.time_estimate import TimeEstimate, in_words
from napari_mritransfer.widgets.tuning import Run, RunState

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Layer


class FinetuneDock(Dock):
    """A view of the session's `Tuning`: it may be closed and opened again while a job runs."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self.tuning = self.session.tuning
        self.model = ModelChoice(self.session.request)
        self.strategies = StrategyList()
        self.scans = ScanChoice(self.viewer)
        self.sampling = narrow(QComboBox())
        self.device = DeviceChoice(self.session.request, preferences().device)
        self.files = ScanFiles(self.session, self)
        self.advanced = AdvancedForm()
        self.estimate = TimeEstimate(self.session.request)
        self.start, self.stop = QPushButton("Start"), QPushButton("Stop")
        self.bar = QProgressBar()
        self.status = text_label()
        self.plot = LivePlot(self.viewer)
        self.preview = PreviewView()
        self.runs = RunList()
        self._lay_out()
        self._shown: list[Run] = []
        self._is_live = True  # whether the plot follows the job, or shows what the user asked for

        for changed in (self.model.changed, self.strategies.changed, self.scans.changed, self.advanced.changed):
            changed.connect(self._on_input_changed)
        self.sampling.currentIndexChanged.connect(self._on_input_changed)
        self.device.currentIndexChanged.connect(self._on_input_changed)
        self.files.written.connect(self._on_scans_written)
        self.start.clicked.connect(self._on_start_clicked)
        self.stop.clicked.connect(self.tuning.stop)
        self.runs.show_wanted.connect(self._on_show_wanted)
        self.runs.resume_wanted.connect(self._on_resume_wanted)
        self.runs.base_wanted.connect(self.model.add)
        self.session.requested.connect(self._on_requested)
        self.session.measurements_changed.connect(self._on_measurements_changed)
        self.tuning.changed.connect(self._on_state_changed)
        self.tuning.told.connect(self._on_run_told)
        while_alive(self, self.viewer.events.theme, self._on_theme_changed)

        self._on_measurements_changed()
        self._show_curves(self.tuning.runs)
        self._on_state_changed()
        self._on_theme_changed()

    # ------------------------------------------------------------------ what is asked for

    def inputs(self) -> FinetuneInputs:
        """What the dock is filled in with. Layers that have no file are written to the run folder first.

        Raises
        ------
        BadInput
            If a layer is no scan.
        OSError
            If a layer cannot be written.
        """
        judge = self.scans.validation_layer
        return FinetuneInputs(
            model=self.model.model,
            strategies=self.strategies.ticked,
            train=tuple(str(self.session.path_of(layer)) for layer in self.scans.train_layers),
            validation=() if judge is None else (str(self.session.path_of(judge)),),
            slices=self.scans.slices,
            sampling=self.sampling.currentData(),
            device=self.device.device,
            advanced=self.advanced.values,
        )

    def choose_scans(self, train: "list[Layer]", validation: "Layer") -> None:
        """Learn from these layers and validate on that one."""
        self.scans.tick(*train)
        self.scans.validate_on(validation)

    def _configs(self) -> list[FinetuneConfig]:
        try:
            return self.inputs().configs()
        except OSError as error:
            raise BadInput(_about_folder(error)) from error

    def _on_input_changed(self) -> None:
        """GUI thread."""
        self.strategies.show_parameters(self.model.parameters)
        if self.tuning.is_busy or not self.isVisible():
            return
        try:
            is_ready = self.scans.train_layers and all(map(self.session.file_at_hand, self.scans.chosen))
            configs = self._configs() if is_ready else []
        except BadInput:
            configs = []  # said when Start is pressed, not while the form is being filled in
        self.estimate.ask(configs)

    # ------------------------------------------------------------------ start, stop, resume

    def _on_start_clicked(self) -> None:
        """GUI thread."""
        try:
            if all(self.session.file_at_hand(layer) for layer in self.scans.chosen):
                self._start()
            else:
                self.files.write(self.scans.chosen)
                self.start.setEnabled(False)
                self._say("Writing scans that have no file yet…")
        except BadInput as error:
            self._say(str(error), is_error=True)
        except OSError as error:
            self._say(_about_folder(error), is_error=True)

    def _start(self) -> None:
        self._begin(new_runs(self._configs(), self.session.folder("runs")))

    def _on_scans_written(self, complaint: str) -> None:
        """GUI thread."""
        self._on_state_changed()
        try:
            if complaint:
                raise BadInput(complaint)
            self._start()
        except BadInput as error:
            self._say(str(error), is_error=True)
        except OSError as error:
            self._say(_about_folder(error), is_error=True)

    def _on_resume_wanted(self, folder: Path) -> None:
        """GUI thread."""
        try:
            run = Run.recorded(folder)
        except (BadInput, OSError, ValueError) as error:
            self._say(f"{folder.name} cannot be resumed: {error}", is_error=True)
            return
        run.resume, run.ended = True, None
        self._begin([run])

    def _begin(self, runs: list[Run]) -> None:
        self.estimate.drop()
        self._is_live = True
        self._show_curves(runs)
        self.tuning.start(runs)

    # ------------------------------------------------------------------ what is going on

    def show_runs(self, folders: Sequence[Path]) -> None:
        """Show the curves of runs, of this session or of earlier ones, and the last preview of the last one."""
        try:
            runs = [Run.recorded(folder) for folder in folders]
        except (BadInput, OSError, ValueError) as error:
            self._say(f"This run cannot be shown: {error}", is_error=True)
            return
        self._show_curves(runs)
        self.preview.show_file(folders[-1] / PREVIEW, "Last")

    def _on_show_wanted(self, folder: Path) -> None:
        """GUI thread."""
        self._is_live = False
        self.show_runs([folder])

    def _show_curves(self, runs: list[Run]) -> None:
        self._shown = runs
        self.plot.show_runs(runs)

    def _on_state_changed(self) -> None:
        """GUI thread; the one place that switches buttons."""
        state = self.tuning.state
        self.start.setEnabled(not self.tuning.is_busy and not self.files.is_writing)
        self.stop.setEnabled(state is RunState.RUNNING)
        self.bar.setVisible(self.tuning.is_busy)
        self.runs.allow_resume(not self.tuning.is_busy)
        self._say(self.tuning.message, is_error=state is RunState.FAILED)
        if self.tuning.current is None:
            self.bar.setRange(0, 0)
        self._list_runs()

    def _on_run_told(self, run: Run, event: Event) -> None:
        """GUI thread."""
        if self._is_live and self._shown is not self.tuning.runs:
            self._show_curves(self.tuning.runs)
        self.plot.refresh()
        self.bar.setRange(0, run.config.steps)
        self.bar.setValue(run.step)
        left = run.seconds_left
        rest = f", {in_words(left)} left" if left else ""
        self.bar.setFormat(f"{run.label}: {run.step} of {run.config.steps}{rest}")
        if isinstance(event, EpochDone) and self._is_live:
            self.preview.show_file(run.folder / PREVIEW, f"Step {event.step}")
        if isinstance(event, Started) and event.warnings:
            self._say(" ".join((self.tuning.message, *event.warnings)))
        if isinstance(event, Done | Stopped | Failed):
            self._list_runs()

    def _list_runs(self) -> None:
        busy = self.tuning.current
        entries = runs_in(preferences().run_folder / "runs")
        self.runs.show_entries([entry for entry in entries if busy is None or entry.folder != busy.folder])

    def _say(self, text: str, *, is_error: bool = False) -> None:
        self.status.setText(text)
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error};" if is_error else "")
        self.status.setVisible(bool(text))

    # ------------------------------------------------------------------ lists that depend on other docks

    def _on_measurements_changed(self) -> None:
        """GUI thread; the newest measurement is what the user most likely wants to learn for."""
        rate = preferences().default_rate
        usual = Sampling(SamplingPattern(rate=rate, acs=min(SamplingPattern().acs, rate / 2)))
        blocked = self.sampling.blockSignals(True)
        self.sampling.clear()
        self.sampling.addItem(f"random lines, {rate:.0%}", usual)
        for measurement in self.session.measurements:
            if measurement.has_reference:
                self.sampling.addItem(f"as {measurement.name}", measurement.sampling)
        self.sampling.setCurrentIndex(self.sampling.count() - 1)
        self.sampling.blockSignals(blocked)
        self._on_input_changed()

    def _on_requested(self, command: str) -> None:
        """GUI thread. What the user waits for comes before an estimate."""
        if command in ("undersample", "compare", "export"):
            self.estimate.drop()

    def _on_theme_changed(self, _event: object = None) -> None:
        """GUI thread."""
        self.plot.follow_theme()
        self.preview.set_text_colour(colours_of(self.viewer).text)
        self._say(self.status.text(), is_error=self.tuning.state is RunState.FAILED)

    def showEvent(self, event: QShowEvent | None) -> None:
        """GUI thread; runs may have come while the dock was away."""
        super().showEvent(event)
        self.device.ask_once()
        self._on_input_changed()

    # ------------------------------------------------------------------ looks

    def _lay_out(self) -> None:
        self.sampling.setToolTip("How the scans are undersampled for learning and validation; make one in Load scan")
        folded = QCollapsible("Advanced")
        folded.addWidget(self.advanced)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start)
        buttons.addWidget(self.stop)
        column = self.column
        for title, parts in {
            "Start from": (self.model,),
            "What may change": (self.strategies,),
            "Target scans": (self.scans, QLabel("Sampling"), self.sampling),
            "Computation": (QLabel("Device"), self.device, folded, self.estimate),
        }.items():
            box = QGroupBox(title)
            box_layout = QVBoxLayout(box)
            box_layout.setContentsMargins(6, 6, 6, 6)
            for part in parts:
                box_layout.addWidget(part)
            column.addWidget(box)
        column.addLayout(buttons)
        for part in (self.bar, self.status, self.plot, self.preview):
            column.addWidget(part)
        box = QGroupBox("Runs")
        QVBoxLayout(box).addWidget(self.runs)
        column.addWidget(box)
        column.addStretch(1)


def _about_folder(error: OSError) -> str:
    return f"The run folder cannot be used ({error.strerror or error}); choose another one under Preferences."
