"""Which of several DICOM series is meant: asked where a folder or a file holds more than one."""

from qtpy.QtWidgets import QComboBox, QWidget

from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.dicom_series import SeriesChoice
from napari_mritransfer.widgets.question_dialog import QuestionDialog


class SeriesDialog(QuestionDialog):
    """Starts from the series with the most images.

    Parameters
    ----------
    file
        Its name, for the title.
    question
        The series that could be meant.
    """

    def __init__(self, file: str, question: SeriesChoice, parent: QWidget | None = None) -> None:
        super().__init__(f"Which series of {file}?", parent)
        self.series = QComboBox()
        for one in question.candidates:
            self.series.addItem(str(one), one.label)
        counts = [one.n_images for one in question.candidates]
        self.series.setCurrentIndex(counts.index(max(counts)))
        self.form.addRow("Series", self.series)
        self.lay_out()
        self.series.currentIndexChanged.connect(lambda _index: self.show_problem(""))

    @property
    def options(self) -> ArrayOptions:
        """What is chosen."""
        return ArrayOptions(series=self.series.currentData())
