"""The "Load scan" dock: choose a scan, say how it is undersampled, see which lines that leaves."""

from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from napari.layers import Layer
from napari.qt.threading import thread_worker
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from napari_mritransfer.io import load
from napari_mritransfer.io.endings import READABLE
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets import view
from napari_mritransfer.widgets.dock import Dock, text_label
from napari_mritransfer.widgets.examination import Examination, examine
from napari_mritransfer.widgets.layer_choice import LayerChoice, is_offered
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.measuring import measuring_of
from napari_mritransfer.widgets.sampling_form import SamplingForm
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.theme import colours_of

if TYPE_CHECKING:
    import napari.viewer

_OPEN = "Open file…"
_FILES = f"MRI scans ({' '.join('*' + ending for ending in READABLE)})"


class LoadDock(Dock):
    """Chooses a layer or opens a file, and undersamples it.

    It is a view: a measurement on its way belongs to the session, so that closing the dock loses nothing.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self._measuring = measuring_of(self.session)
        self._found: dict[Any, Examination] = {}
        self._watched: WeakSet[Any] = WeakSet()
        self._complaint = ""

        self.choice = LayerChoice(self.viewer)
        self.open_file = QPushButton(_OPEN)
        self.facts, self.notes = text_label(), text_label()
        self.form = SamplingForm(preferences().default_rate)
        self.undersample = QPushButton("Undersample")
        self.stop = QPushButton("Stop")
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)  # how long it takes is not known, and it is short
        self.bar.setTextVisible(False)
        self.status, self.remarks = text_label(), text_label()
        for label in (self.facts, self.notes, self.status, self.remarks):
            label.setTextFormat(Qt.TextFormat.PlainText)  # names may look like HTML
        self._lay_out()

        self.choice.chosen.connect(self._on_layer_chosen)
        self.open_file.clicked.connect(self._on_open_clicked)
        self.form.changed.connect(self._show)
        self.undersample.clicked.connect(self._on_undersample_clicked)
        self.stop.clicked.connect(self._measuring.stop)
        self._measuring.changed.connect(self._on_measuring_changed)
        self._measuring.measured.connect(self._on_measured)
        while_alive(self, self.viewer.layers.events.removed, self._on_layer_removed)
        while_alive(self, self.viewer.events.theme, self._on_theme_changed)
        self._on_layer_chosen(self.choice.layer)

    def choose_layer(self, layer: Any) -> None:
        """Choose an image layer of the viewer, or say why it cannot be undersampled."""
        layer = view.unwrapped(layer)
        if self.choice.choose(layer):
            return
        self._complain(
            f"{layer.name} is not an acquired image; choose the scan that it was made from."
            if layer in self.viewer.layers and not is_offered(layer)
            else "This layer is not in the viewer any more; choose another one."
        )

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.choice, 1)
        row.addWidget(self.open_file)
        scan, sampling = QGroupBox("Scan"), QGroupBox("Undersampling")
        scan_layout, sampling_layout = QVBoxLayout(scan), QVBoxLayout(sampling)
        for inner in (scan_layout, sampling_layout):
            inner.setContentsMargins(6, 6, 6, 6)
        scan_layout.addLayout(row)
        scan_layout.addWidget(self.facts)
        scan_layout.addWidget(self.notes)
        sampling_layout.addWidget(self.form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.undersample, 1)
        buttons.addWidget(self.stop)
        layout = self.column
        layout.addWidget(scan)
        layout.addWidget(sampling)
        layout.addLayout(buttons)
        for widget in (self.bar, self.status, self.remarks):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _on_open_clicked(self) -> None:
        """GUI thread."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a scan", "", _FILES)
        if not path:
            return
        self._complaint = ""
        self.open_file.setEnabled(False)
        self.open_file.setText("Opening…")
        self._show()
        # not by viewer.open, which knows the manifest's endings alone and wraps what a reader complains about
        reader = thread_worker(_layers_in)(path)
        reader.returned.connect(self._on_file_returned)
        reader.errored.connect(self._on_file_errored)
        reader.finished.connect(self._on_file_finished)
        reader.start()

    def _on_file_returned(self, opened: list[LayerTuple] | str) -> None:
        """GUI thread."""
        if isinstance(opened, str):
            self._complain(opened)
            return
        view.attach(self.viewer)
        for data, settings, kind in opened:
            self.choice.choose(self.viewer.add_layer(Layer.create(data, settings, kind)))

    def _on_file_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._complain(f"The file could not be opened ({error}); choose another one.")

    def _on_file_finished(self) -> None:
        """GUI thread, whether or not it went well."""
        self.open_file.setText(_OPEN)
        self.open_file.setEnabled(True)

    def _on_layer_chosen(self, layer: Any) -> None:
        """GUI thread."""
        self._complaint = ""
        if layer is None:
            self.form.show_scan(None)
        elif (found := self._examination(layer)) is not None:
            self.form.show_scan(found)
        else:
            self._examine(layer)

    def _on_layer_removed(self, event: Any) -> None:
        """GUI thread; a deleted layer is not kept in memory by what is known about it."""
        self._found.pop(event.value, None)

    def _on_data_changed(self, event: Any) -> None:
        """GUI thread; the voxels were replaced, so what is known about them is old."""
        if event.source is self.choice.layer:
            self._on_layer_chosen(event.source)

    def _examination(self, layer: Any) -> Examination | None:
        """What is known of the voxels that the layer shows now."""
        found = self._found.get(layer)
        return found if found is not None and found.data is layer.data else None

    def _examine(self, layer: Any) -> None:
        if layer not in self._watched:
            self._watched.add(layer)
            while_alive(self, layer.events.data, self._on_data_changed)
        self.form.show_scan(None, is_pending=True)
        # weakly: napari's finished workers are never freed, and the arguments with them
        worker = thread_worker(_examine)(ref(layer))
        worker.returned.connect(self._on_examined)
        worker.errored.connect(self._on_examination_errored)
        worker.start()

    def _on_examined(self, found: Examination | None) -> None:
        """GUI thread; the user may have chosen another layer meanwhile, or deleted this one."""
        if found is None:
            return
        if found.layer in self.viewer.layers:
            self._found[found.layer] = found
        if found.layer is self.choice.layer:
            self.form.show_scan(found)

    def _on_examination_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._complain(f"The layer could not be looked through ({error}); choose another one.")

    def _on_undersample_clicked(self) -> None:
        """GUI thread."""
        self._complaint = ""
        found = self._examination(self.choice.layer)
        if found is not None and not self._measuring.is_busy:
            self._measuring.start(found, self.form.inputs.sampling())

    def _on_measuring_changed(self) -> None:
        """GUI thread."""
        self._show()
        QTimer.singleShot(0, self._scroll_to_status)  # when the text has got its place

    def _on_measured(self, layer: Any, values: Any) -> None:
        """GUI thread."""
        if layer is not None and layer is self.choice.layer and self.form.inputs.as_measured:
            self.form.show_measured(values["lines"], values["n_lines"], values["phase_encode"])

    def _on_theme_changed(self, _event: object = None) -> None:
        """GUI thread."""
        self._show()

    def _scroll_to_status(self) -> None:
        """GUI thread."""
        self.area.ensureWidgetVisible(self.status if self.remarks.isHidden() else self.remarks, 0, 0)
        self.area.ensureWidgetVisible(self.undersample, 0, 0)

    def _complain(self, sentence: str) -> None:
        self._complaint = sentence
        self._show()
        QTimer.singleShot(0, self._scroll_to_status)

    def _show(self) -> None:
        layer = self.choice.layer
        found = None if layer is None else self._examination(layer)
        is_busy = self._measuring.is_busy
        _tell(self.facts, _facts(layer, found))
        _tell(self.notes, " ".join(found.scan.notes) if found is not None and found.scan is not None else "")
        is_usable = found is not None and found.scan is not None and not self.form.problem
        self.undersample.setEnabled(is_usable and not is_busy)
        self.stop.setVisible(is_busy)
        self.bar.setVisible(is_busy)
        has_failed = bool(self._complaint) or self._measuring.has_failed
        _tell(self.status, self._complaint or self._measuring.message)
        _tell(self.remarks, "" if self._complaint else " ".join(self._measuring.remarks))
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error}" if has_failed else "")
        is_wrong = bool(self.form.problem)
        self.form.words.setStyleSheet(f"color: {colours_of(self.viewer).error}" if is_wrong else "")


def _layers_in(path: str) -> list[LayerTuple] | str:
    """Runs in a thread of napari's. The file's layers, or why there are none, in one sentence."""
    try:
        return scan_layers(load(path))
    except (BadInput, OSError) as error:
        return str(error)


def _examine(layer: "ref[Any]") -> Examination | None:
    """Runs in a thread of napari's; None if the layer is gone."""
    there = layer()
    return None if there is None else examine(there)


def _facts(layer: Any, found: Examination | None) -> str:
    if layer is None:
        return "Open a scan here, or under File > Open or File > Open Sample."
    if found is None:
        return "…"
    return found.facts or found.problem


def _tell(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
