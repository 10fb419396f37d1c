"""Which array of a file is meant, and what its axes are: asked where the file does not say."""

from qtpy.QtWidgets import QComboBox, QWidget

from napari_mritransfer.io.array_axes import guessed_axes
from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions, Candidate, Space, parsed_axes
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.question_dialog import QuestionDialog, plain_text

_SPACES: tuple[tuple[str, Space], ...] = (("k-space", "kspace"), ("an image", "image"))
_WORDS: dict[Space, tuple[str, ...]] = {
    "kspace": ("frame", "slice", "coil", "ky", "kx"),
    "image": ("frame", "slice", "y", "x"),
}
_GUESSED = "These are guesses from the lengths of the axes: look whether they are right."


class ArrayDialog(QuestionDialog):
    """Starts from the most plausible reading.

    Parameters
    ----------
    file
        Its name, for the title.
    question
        What could not be told, with the arrays that could be meant and a guess.
    """

    def __init__(self, file: str, question: AmbiguousArray, parent: QWidget | None = None) -> None:
        super().__init__(f"What is in {file}?", parent)
        self._guess = question.guess or ArrayOptions()
        self._candidates = question.candidates
        self.question = plain_text(str(question))
        self.arrays, self.space = QComboBox(), QComboBox()
        for one in self._candidates:
            self.arrays.addItem(str(one), one)
        for label, value in _SPACES:
            self.space.addItem(label, value)
        self.axes: list[QComboBox] = []
        self.hint = plain_text(_GUESSED)
        self.form.addRow("Array", self.arrays)
        self.form.addRow("It holds", self.space)
        self.lay_out(self.question, hints=(self.hint,))
        self._start()
        self.arrays.currentIndexChanged.connect(self._on_array_chosen)
        self.space.currentIndexChanged.connect(self._on_space_chosen)

    @property
    def options(self) -> ArrayOptions:
        """What is filled in."""
        words = ",".join(box.currentText() for box in self.axes)
        return ArrayOptions(self._array.name or None, words, self.space.currentData())

    @property
    def _array(self) -> Candidate:
        one: Candidate = self.arrays.currentData()
        return one

    def _start(self) -> None:
        names = [one.name for one in self._candidates]
        if self._guess.variable in names:
            self.arrays.setCurrentIndex(names.index(self._guess.variable))
        self._show_array()

    def _show_array(self) -> None:
        """A row for each axis of the array, filled in with what is most plausible."""
        space: Space = self._guess.space or ("kspace" if "complex" in self._array.dtype else "image")
        self.space.blockSignals(True)
        self.space.setCurrentIndex(self.space.findData(space))
        self.space.blockSignals(False)
        while self.form.rowCount() > 2:
            self.form.removeRow(2)
        self.axes = []
        for number, length in enumerate(self._array.shape, start=1):
            box = QComboBox()
            box.currentIndexChanged.connect(self._check)
            self.axes.append(box)
            self.form.addRow(f"Axis {number} ({length} long)", box)
        self._show_words(self._plausible_words(space))

    def _show_words(self, words: list[str]) -> None:
        space: Space = self.space.currentData()
        for box, word in zip(self.axes, words, strict=True):
            box.blockSignals(True)
            box.clear()
            box.addItems(_WORDS[space])
            box.setCurrentText(word)
            box.blockSignals(False)
        self._check()

    def _plausible_words(self, space: Space) -> list[str]:
        array = self._array
        if self._guess.axes and self._guess.space == space and self._guess.variable in (None, array.name):
            words = [word.strip() for word in self._guess.axes.split(",")]
            if len(words) == len(array.shape):
                return words
        found = guessed_axes(array.shape, is_complex="complex" in array.dtype, space=space)
        plain = found.axes if found is not None else ("frame",) * len(array.shape)
        return [f"k{word}" if space == "kspace" and word in ("y", "x") else word for word in plain]

    def _check(self, _index: int = 0) -> None:
        """GUI thread."""
        sentence = ""
        try:
            parsed_axes(self.options.axes or "", self._array.shape, self.options.space)
        except BadInput as error:
            sentence = str(error)
        self.show_problem(sentence)
        self.ok.setEnabled(not sentence)

    def _on_array_chosen(self, _index: int) -> None:
        """GUI thread."""
        self._show_array()

    def _on_space_chosen(self, _index: int) -> None:
        """GUI thread. Both spaces have other words."""
        self._show_words(self._plausible_words(self.space.currentData()))
