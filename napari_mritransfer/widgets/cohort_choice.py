"""Which network looks at the scan, which one beside it, and how they cut it."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.cohort.grid import SLICINGS
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.cohort_models import CohortModel, model_in, shipped_models, trained_models
from napari_mritransfer.widgets.dock import narrow, text_label

_FILES = "Weights (*.safetensors *.pt *.pth *.pkl)"
_NO_MODEL = "There is no network yet: train one with “mritransfer cohort train”, or add a file."


class CohortChoice(QWidget):
    """Lists of networks, with what is known about the chosen one.

    Signals
    -------
    changed
        Something else was chosen.
    refused
        Why a folder was not taken, in a sentence.
    """

    changed = Signal()
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._added: list[CohortModel] = []
        self.model, self.second, self.slicing = (narrow(QComboBox()) for _ in range(3))
        self.second.setToolTip("A second network that looks at the same scans, such as one without position codes")
        self.slicing.setToolTip("Networks with position codes know their slices: they can be cut only as they learned")
        self.slicing.addItem("as it was trained", None)
        for name in SLICINGS:
            self.slicing.addItem(name, name)
        self.about = text_label()
        self.add_run, self.add_file = QPushButton("Run folder…"), QPushButton("File…")
        self.add_run.setToolTip("The folder of a training on a cohort")
        self.add_file.setToolTip("Weights of a slice-set network: .safetensors, or as the published code saves them")
        self._lay_out()
        self.model.currentIndexChanged.connect(self._on_chosen)
        self.second.currentIndexChanged.connect(self._on_chosen)
        self.slicing.currentIndexChanged.connect(self.changed)
        self.add_run.clicked.connect(self._on_add_run_clicked)
        self.add_file.clicked.connect(self._on_add_file_clicked)

    @property
    def models(self) -> tuple[str, ...]:
        """The chosen ones: none, one or two."""
        chosen = (self.model.currentData(), self.second.currentData())
        return tuple(model.source for model in chosen if model is not None)

    @property
    def cut(self) -> str | None:
        """The slicing that was asked for; None for the way the network was trained."""
        chosen: str | None = self.slicing.currentData()
        return chosen

    def choose(self, source: str, second: str | None = None) -> None:
        """Choose networks by what the worker opens."""
        for box, wanted in ((self.model, source), (self.second, second)):
            box.setCurrentIndex(max(0, self._index(box, wanted)))

    def show_runs(self, root: Path) -> None:
        """List what is shipped, what was trained and what was added; what was chosen stays chosen."""
        there = {model.source: model for model in [*shipped_models(), *trained_models(root), *self._added]}
        for box in (self.model, self.second):
            before = box.currentData()
            was_blocked = box.blockSignals(True)
            box.clear()
            if box is self.second:
                box.addItem("no other", None)
            for model in there.values():
                box.addItem(model.name, model)
                box.setItemData(box.count() - 1, model.about, Qt.ItemDataRole.ToolTipRole)
            box.setCurrentIndex(max(0, self._index(box, before.source if before is not None else None)))
            box.blockSignals(was_blocked)
        self._on_chosen()

    def add(self, path: Path) -> None:
        """Add a run folder or a weights file, and choose it.

        Raises
        ------
        BadInput
            If there is no network in the folder.
        """
        model = model_in(path)
        if self._index(self.model, model.source) < 0:
            self._added.append(model)
            for box in (self.model, self.second):
                box.addItem(model.name, model)
                box.setItemData(box.count() - 1, model.about, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(self._index(self.model, model.source))

    @staticmethod
    def _index(box: QComboBox, source: str | None) -> int:
        listed = (box.itemData(index) for index in range(box.count()))
        return next((index for index, model in enumerate(listed) if model is not None and model.source == source), -1)

    def _on_chosen(self) -> None:
        """GUI thread. Only networks that do not know their slices may be given others."""
        chosen = [model for box in (self.model, self.second) if (model := box.currentData()) is not None]
        first: CohortModel | None = self.model.currentData()
        self.about.setText(_NO_MODEL if first is None else first.about)
        self.about.setVisible(bool(self.about.text()))
        for box in (self.model, self.second):
            box.setEnabled(self.model.count() > 0)
        is_free = bool(chosen) and all(model.may_be_cut_otherwise for model in chosen)
        self.slicing.setEnabled(is_free)
        if not is_free:
            self.slicing.setCurrentIndex(0)
        self.changed.emit()

    def _on_add_run_clicked(self) -> None:
        """GUI thread."""
        name = QFileDialog.getExistingDirectory(self, "Choose the folder of a training on a cohort")
        if name:
            self._try(Path(name))

    def _on_add_file_clicked(self) -> None:
        """GUI thread."""
        name, _ = QFileDialog.getOpenFileName(self, "Open the weights of a slice-set network", "", _FILES)
        if name:
            self._try(Path(name))

    def _try(self, path: Path) -> None:
        try:
            self.add(path)
        except BadInput as error:
            self.refused.emit(str(error))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Network", self.model)
        form.addRow(self.about)
        form.addRow("Beside it", self.second)
        form.addRow("Slices", self.slicing)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add_run)
        buttons.addWidget(self.add_file)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(buttons)
