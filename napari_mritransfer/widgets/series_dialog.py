"""Which of several DICOM series is meant: asked where a folder or a file holds more than one."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.dicom_series import SeriesChoice

_WIDTH = 420  # pixels


class SeriesDialog(QDialog):
    """Starts from the series with the most images; stays open until what was chosen is read, or it is cancelled.

    Signals
    -------
    chosen
        The `ArrayOptions` to load the folder or file with.

    Parameters
    ----------
    file
        Its name, for the title.
    question
        The series that could be meant.
    """

    chosen = Signal(object)

    def __init__(self, file: str, question: SeriesChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Which series of {file}?")
        self.setMinimumWidth(_WIDTH)
        self.series = QComboBox()
        for one in question.candidates:
            self.series.addItem(str(one), one.label)
        counts = [one.n_images for one in question.candidates]
        self.series.setCurrentIndex(counts.index(max(counts)))
        self.problem = QLabel()
        self.problem.setObjectName("problem")
        self.problem.setTextFormat(Qt.TextFormat.PlainText)  # names of files are in it
        self.problem.setWordWrap(True)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        form = QFormLayout()
        form.addRow("Series", self.series)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)
        self.show_problem("")
        self.series.currentIndexChanged.connect(lambda _index: self.show_problem(""))
        self.buttons.accepted.connect(self._on_accepted)
        self.buttons.rejected.connect(self.reject)

    @property
    def options(self) -> ArrayOptions:
        """What is chosen."""
        return ArrayOptions(series=self.series.currentData())

    @property
    def ok(self) -> QPushButton:
        """Greyed out while the series is read."""
        button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert button is not None
        return button

    def show_problem(self, sentence: str) -> None:
        """The series could not be read; another may be chosen."""
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self.ok.setEnabled(True)

    def _on_accepted(self) -> None:
        """GUI thread."""
        self.ok.setEnabled(False)
        self.chosen.emit(self.options)
