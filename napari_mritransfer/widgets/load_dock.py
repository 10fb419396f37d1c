"""The "Load scan" dock: choose a scan, look at what it is, say how it is undersampled."""

from typing import TYPE_CHECKING, Any

from napari.layers import Layer
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

from napari_mritransfer.io.endings import KNOWN
from napari_mritransfer.widgets import view
from napari_mritransfer.widgets.dock import Dock, text_label
from napari_mritransfer.widgets.examination import Examination
from napari_mritransfer.widgets.examining import Examining
from napari_mritransfer.widgets.file_opening import FileOpening
from napari_mritransfer.widgets.findings_view import FindingsView
from napari_mritransfer.widgets.kspace_section import KSpaceSection
from napari_mritransfer.widgets.layer_choice import LayerChoice, is_offered
from napari_mritransfer.widgets.layers import LayerTuple
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.measuring import measuring_of
from napari_mritransfer.widgets.rereading import reading_of, without
from napari_mritransfer.widgets.sampling_form import SamplingForm
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.theme import colours_of

if TYPE_CHECKING:
    import napari.viewer

_OPEN = "Open file…"
_UNDERSAMPLE, _TAKE = "Undersample", "Take as measured"
# DICOM files often have no ending: the second filter shows them
_FILES = f"MRI scans ({' '.join('*' + ending for ending in KNOWN)});;DICOM files of any name (*)"


class LoadDock(Dock):
    """Chooses a layer or opens a file, and undersamples it.

    It is a view: a measurement on its way belongs to the session, so that closing the dock loses nothing.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(viewer)
        self._measuring = measuring_of(self.session)
        self._examining = Examining(self, self.viewer)
        self.opening = FileOpening(self)
        self._complaint = ""

        self.choice = LayerChoice(self.viewer)
        self.open_file = QPushButton(_OPEN)
        self.facts, self.notes = text_label(), text_label()
        self.axes = QPushButton("Axes…")
        self.axes.setToolTip("Say what the axes of this array are, if the guess is wrong; the scan is read again")
        self.findings = FindingsView()
        self.kspace = KSpaceSection(self.viewer)
        self.form = SamplingForm(preferences().default_rate)
        self.undersample = QPushButton(_UNDERSAMPLE)
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
        self.axes.clicked.connect(self._on_axes_clicked)
        self.opening.opened.connect(self._on_file_opened)
        self.opening.refused.connect(self._complain)
        self.opening.ended.connect(self._on_opening_ended)
        self._examining.examined.connect(self._on_examined)
        self._examining.judged.connect(self._on_judged)
        self._examining.failed.connect(self._complain)
        self._examining.outdated.connect(self._on_outdated)
        self.kspace.failed.connect(self._complain)
        self.form.changed.connect(self._show)
        self.undersample.clicked.connect(self._on_undersample_clicked)
        self.stop.clicked.connect(self._measuring.stop)
        self._measuring.changed.connect(self._on_measuring_changed)
        self._measuring.measured.connect(self._on_measured)
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
        told = QHBoxLayout()
        told.addWidget(self.notes, 1)
        told.addWidget(self.axes, 0, Qt.AlignmentFlag.AlignTop)
        scan_layout.addWidget(self.facts)
        scan_layout.addLayout(told)
        scan_layout.addWidget(self.findings)
        sampling_layout.addWidget(self.form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.undersample, 1)
        buttons.addWidget(self.stop)
        layout = self.column
        for box in (scan, self.kspace, sampling):
            layout.addWidget(box)
        layout.addLayout(buttons)
        for widget in (self.bar, self.status, self.remarks):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _on_open_clicked(self) -> None:
        """GUI thread."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a scan", "", _FILES)
        if not path:
            return
        self._show_opening()
        self.opening.open(path)

    def _on_axes_clicked(self) -> None:
        """GUI thread."""
        self._show_opening()
        self.opening.correct(self.choice.layer)

    def _show_opening(self) -> None:
        self._complaint = ""
        self.open_file.setEnabled(False)
        self.axes.setEnabled(False)
        self.open_file.setText("Opening…")
        self._show()

    def _on_file_opened(self, layers: list[LayerTuple], replaced: Any) -> None:
        """GUI thread."""
        view.attach(self.viewer)
        place = without(self.viewer.layers, replaced)
        for offset, (data, settings, kind) in enumerate(layers):
            layer = Layer.create(data, settings, kind)
            self.viewer.layers.insert(place + offset, layer)
            self.choice.choose(layer)

    def _on_opening_ended(self) -> None:
        """GUI thread, whether or not it went well."""
        self.open_file.setText(_OPEN)
        for button in (self.open_file, self.axes):
            button.setEnabled(True)

    def _on_layer_chosen(self, layer: Any) -> None:
        """GUI thread."""
        self._complaint = ""
        found = None if layer is None else self._examining.of(layer)
        self.kspace.show_scan(found)
        self.form.show_scan(found, is_pending=layer is not None and found is None)
        if layer is not None and found is None:
            self._examining.start(layer)

    def _on_outdated(self, layer: Any) -> None:
        """GUI thread; the voxels were replaced."""
        if layer is self.choice.layer:
            self._on_layer_chosen(layer)

    def _on_examined(self, found: Examination) -> None:
        """GUI thread; the user may have chosen another layer meanwhile."""
        if found.layer is self.choice.layer:
            self.kspace.show_scan(found)
            self.form.show_scan(found)

    def _on_judged(self, found: Examination) -> None:
        """GUI thread."""
        if found.layer is self.choice.layer:
            self._show()

    def _on_undersample_clicked(self) -> None:
        """GUI thread."""
        self._complaint = ""
        found = self._examining.of(self.choice.layer)
        if found is not None and not self._measuring.is_busy:
            self._measuring.start(found, self.form.inputs.sampling())

    def _on_measuring_changed(self) -> None:
        """GUI thread."""
        self._show()
        QTimer.singleShot(0, self._scroll_to_status)  # when the text has got its place

    def _on_measured(self, layer: Any, values: Any) -> None:
        """GUI thread."""
        is_found = self.form.inputs.as_measured or values["sampled"].ndim == 2
        if layer is not None and layer is self.choice.layer and is_found:
            self.form.show_measured(values["sampled"], values["phase_encode"])

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
        found = None if layer is None else self._examining.of(layer)
        is_busy = self._measuring.is_busy
        _tell(self.facts, _facts(layer, found))
        _tell(self.notes, " ".join(found.scan.notes) if found is not None and found.scan is not None else "")
        self.axes.setVisible(reading_of(layer) is not None)
        self.findings.paint_concerns(colours_of(self.viewer).warning)
        self.findings.show_findings(found.findings if found is not None and found.scan is not None else ())
        is_usable = found is not None and found.scan is not None and not self.form.problem
        self.undersample.setText(_TAKE if self.form.inputs.as_measured else _UNDERSAMPLE)
        self.undersample.setEnabled(is_usable and not is_busy)
        self.stop.setVisible(is_busy)
        self.bar.setVisible(is_busy)
        has_failed = bool(self._complaint) or self._measuring.has_failed
        _tell(self.status, self._complaint or self._measuring.message)
        _tell(self.remarks, "" if self._complaint else " ".join(self._measuring.remarks))
        self.status.setStyleSheet(f"color: {colours_of(self.viewer).error}" if has_failed else "")
        is_wrong = bool(self.form.problem)
        self.form.words.setStyleSheet(f"color: {colours_of(self.viewer).error}" if is_wrong else "")


def _facts(layer: Any, found: Examination | None) -> str:
    if layer is None:
        return "Open a scan here, or under File > Open or File > Open Sample."
    if found is None:
        return "…"
    return found.facts or found.problem


def _tell(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
