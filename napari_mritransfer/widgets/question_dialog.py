"""What every question about a file looks like: a form, room for a problem, an answer that is tried before it closes."""

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.io.array_options import ArrayOptions

_WIDTH = 420  # pixels


class QuestionDialog(QDialog):
    """Stays open until the file was read with the answer, or it is cancelled.

    Signals
    -------
    chosen
        The `ArrayOptions` to load the file with.

    Parameters
    ----------
    title
        Of the window.
    """

    chosen = Signal(object)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(_WIDTH)
        self.form = QFormLayout()
        self.problem = plain_text()
        self.problem.setObjectName("problem")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._on_accepted)
        self.buttons.rejected.connect(self.reject)

    @property
    def options(self) -> ArrayOptions:
        """The answer; each question has its own."""
        raise NotImplementedError

    @property
    def ok(self) -> QPushButton:
        """Greyed out while the answer cannot be right, and while the file is read."""
        button = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert button is not None
        return button

    def show_problem(self, sentence: str) -> None:
        """The file could not be read like that; another choice may be made."""
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        self.ok.setEnabled(True)

    def lay_out(self, *above: QWidget, hints: tuple[QWidget, ...] = ()) -> None:
        """From top to bottom: what is asked, the form, hints, the problem, the buttons."""
        layout = QVBoxLayout(self)
        for widget in above:
            layout.addWidget(widget)
        layout.addLayout(self.form)
        for widget in (*hints, self.problem, self.buttons):
            layout.addWidget(widget)

    def _on_accepted(self) -> None:
        """GUI thread."""
        self.ok.setEnabled(False)
        self.chosen.emit(self.options)


def plain_text(sentence: str = "") -> QLabel:
    """A label that breaks lines and shows what it is given; hidden where that is nothing."""
    label = QLabel(sentence)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and arrays are in it
    label.setWordWrap(True)
    label.setVisible(bool(sentence))
    return label
