"""A table of subjects, which of its columns is to be predicted, and how that column is spread."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.cohort.label_checks import LabelColumn, read_labels
from napari_mritransfer.cohort.problem import some
from napari_mritransfer.cohort.table import Cohort, read_cohort
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.dock import narrow, text_label
from napari_mritransfer.widgets.reuse_histogram import LabelHistogram

if TYPE_CHECKING:
    from napari.viewer import Viewer

_TABLES = "Tables (*.tsv *.csv *.txt *.xlsx *.xlsm)"
_USUAL_LABELS = ("age", "sex", "diagnosis", "group")  # which one is chosen first, if it is there
_NO_TABLE = "A line for every scan: who it is, where the image lies, and what is to be predicted. Or participants.tsv."


class CohortTable(QWidget):
    """Reads a table in a thread; knows what kind of label is chosen.

    Signals
    -------
    changed
        There is another table, or another label is chosen.
    refused
        Why a table was not taken, in a sentence.

    Attributes
    ----------
    cohort
        The table; None until one was read.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self, viewer: "Viewer") -> None:
        super().__init__()
        self.cohort: Cohort | None = None
        self._understood: LabelColumn | None = None
        self._wanted_label = ""
        self._reader: Any = None
        self.open_table = QPushButton("Open table…")
        self.open_table.setToolTip("A participants.tsv, or a table as .tsv, .csv or .xlsx")
        self.name, self.about = text_label(), text_label()
        self.label = narrow(QComboBox())
        self.histogram = LabelHistogram(viewer)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Predict", self.label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.open_table)
        column.addWidget(self.name)
        column.addLayout(form)
        column.addWidget(self.histogram)
        column.addWidget(self.about)
        self.open_table.clicked.connect(self._on_open_clicked)
        self.label.currentIndexChanged.connect(self._on_label_chosen)
        self._show_cohort()

    @property
    def path(self) -> Path | None:
        """The table's file."""
        return self.cohort.source if self.cohort is not None else None

    @property
    def column(self) -> str:
        """The chosen label; empty where there is none."""
        return self.label.currentText()

    @property
    def task(self) -> Task | None:
        """Which kind of label it is."""
        return self._understood.task if self._understood is not None else None

    def open(self, path: Path, label: str = "") -> None:
        """Read a table; what comes of it is told by a signal.

        Parameters
        ----------
        label
            To choose; what is usual if omitted.
        """
        if self._reader is not None:  # of several tables the one that was asked for last counts
            self._reader.returned.disconnect(self._on_cohort_read)
            self._reader.errored.disconnect(self._on_reader_errored)
        self._wanted_label = label
        self.name.setText(f"Reading {path.name}…")
        self.name.show()
        self._reader = thread_worker(_cohort_at)(path)
        self._reader.returned.connect(self._on_cohort_read)
        self._reader.errored.connect(self._on_reader_errored)
        self._reader.start()

    def choose(self, label: str) -> None:
        """Choose a column to predict."""
        self.label.setCurrentIndex(self.label.findText(label))

    def follow_theme(self) -> None:
        """Take the viewer's colours."""
        self.histogram.follow_theme()

    def _show_cohort(self) -> None:
        cohort = self.cohort
        was_blocked = self.label.blockSignals(True)
        self.label.clear()
        if cohort is not None:
            self.label.addItems(list(cohort.label_columns))
        wanted = (self._wanted_label, *_USUAL_LABELS)
        places = (self.label.findText(name) for name in wanted if name)
        self.label.setCurrentIndex(next((place for place in places if place >= 0), 0 if self.label.count() else -1))
        self.label.blockSignals(was_blocked)
        self.label.setEnabled(self.label.count() > 0)
        self.name.setText(_NO_TABLE if cohort is None else _described(cohort))
        self.name.setToolTip("" if cohort is None else str(cohort.source))
        self.name.show()
        self._on_label_chosen()

    def _on_label_chosen(self) -> None:
        """GUI thread."""
        cohort, column = self.cohort, self.column
        self._understood = read_labels(cohort.scans, column) if cohort is not None and column else None
        found = self._understood
        self.about.setVisible(found is not None)
        if cohort is not None and found is not None:
            self.about.setText(_understood(found, len(cohort.scans)))
            self.histogram.show_labels(column, found.task, list(found.labels.values()), found.classes)
        else:
            self.histogram.hide()
        self.changed.emit()

    def _on_open_clicked(self) -> None:
        """GUI thread."""
        name, _ = QFileDialog.getOpenFileName(self, "Open a table of subjects", "", _TABLES)
        if name:
            self.open(Path(name))

    def _on_cohort_read(self, found: Cohort | str) -> None:
        """GUI thread."""
        self._reader = None
        if isinstance(found, str):
            self._show_cohort()
            self.refused.emit(found)
        else:
            self.cohort = found
            self._show_cohort()

    def _on_reader_errored(self, error: Exception) -> None:
        """GUI thread; nobody foresaw this."""
        self._reader = None
        self._show_cohort()
        self.refused.emit(f"The table cannot be read ({error}); choose another one.")


def _cohort_at(path: Path) -> Cohort | str:
    """Runs in a thread of napari's. The table, or why there is none, in one sentence."""
    try:
        return read_cohort(path)
    except (BadInput, OSError) as error:
        return str(error)


def _described(cohort: Cohort) -> str:
    scans, subjects = len(cohort.scans), len(cohort.subjects)
    simulated = " Simulated: nobody was scanned." if cohort.simulated else ""
    return f"{cohort.source.name}: {scans} scans of {subjects} subjects.{simulated}"


def _understood(found: LabelColumn, n_scans: int) -> str:
    if found.task == "regression":
        numbers = [float(label) for label in found.labels.values()]
        what = f"Numbers from {min(numbers):g} to {max(numbers):g}" if numbers else "No numbers"
    else:
        what = f"{len(found.classes)} classes: {some(found.classes)}"
    missing = n_scans - len(found.labels)
    return f"{what}." if not missing else f"{what}; {missing} of {n_scans} scans have none."
