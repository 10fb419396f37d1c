"""Which pretrained network is re-used, and what is known about it."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.dock import narrow, text_label
from napari_mritransfer.widgets.published_dialog import PublishedDialog
from napari_mritransfer.widgets.reuse_models import ReuseModel, known_models, model_at

_FILES = "Weights (*.safetensors *.pt *.pth *.p *.pkl)"
_NO_MODEL = "There is no network yet: download a published one, or add a file."


class ReuseNetworks(QWidget):
    """A list of networks, and ways to add some.

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
        self._added: list[ReuseModel] = []
        self.list = narrow(QComboBox())
        self.about = text_label()
        self.told = QLineEdit()
        self.told.setPlaceholderText("label=age, unit=years, bins=42/82")
        self.told.setToolTip(
            "What the file does not say: which label it predicts, its unit, and the range of its bins or its classes "
            "(classes=female/male). Leave it empty for the published files."
        )
        self.published, self.add_file = QPushButton("Published…"), QPushButton("File…")
        self.published.setToolTip("Networks for age and sex that others published: what they are, and downloading them")
        self.add_file.setToolTip("Weights of an SFCN: .safetensors, or as PyTorch saved them")
        buttons = QHBoxLayout()
        buttons.addWidget(self.published)
        buttons.addWidget(self.add_file)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.list, self.about, self.told):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.list.currentIndexChanged.connect(self._on_chosen)
        self.told.editingFinished.connect(self.changed)
        self.published.clicked.connect(self._on_published_clicked)
        self.add_file.clicked.connect(self._on_add_file_clicked)
        self.show_models()

    @property
    def model(self) -> str:
        """What the worker opens; empty where there is none."""
        chosen: ReuseModel | None = self.list.currentData()
        return chosen.source if chosen is not None else ""

    @property
    def said(self) -> str:
        """What was told of the chosen one; empty where it says everything itself."""
        return self.told.text() if self.told.isVisibleTo(self) else ""

    def show_models(self) -> None:
        """List what is there; what was chosen stays chosen."""
        before = self.model
        there = {model.source: model for model in [*known_models(), *self._added]}
        was_blocked = self.list.blockSignals(True)
        self.list.clear()
        for model in there.values():
            self._list(model)
        self.list.setCurrentIndex(max(0, self._index(before)))
        self.list.blockSignals(was_blocked)
        self._on_chosen()

    def choose(self, source: str, told: str = "") -> None:
        """Choose a network by what the worker opens; one that nobody knows is added.

        Raises
        ------
        BadInput
            As `add`.
        """
        if self._index(source) < 0:
            self.add(Path(source))
        self.list.setCurrentIndex(self._index(source))
        self.told.setText(told)
        self.changed.emit()

    def add(self, path: Path) -> None:
        """Add a weights file or a run folder, and choose it.

        Raises
        ------
        BadInput
            If there is no network in the folder.
        """
        model = model_at(path)
        if self._index(model.source) < 0:
            self._added.append(model)
            self._list(model)
        self.list.setCurrentIndex(self._index(model.source))

    def _list(self, model: ReuseModel) -> None:
        self.list.addItem(model.name, model)
        self.list.setItemData(self.list.count() - 1, model.about, Qt.ItemDataRole.ToolTipRole)

    def _index(self, source: str) -> int:
        listed = (self.list.itemData(index) for index in range(self.list.count()))
        return next((index for index, model in enumerate(listed) if model.source == source), -1)

    def _on_chosen(self) -> None:
        """GUI thread."""
        chosen: ReuseModel | None = self.list.currentData()
        self.about.setText(_NO_MODEL if chosen is None else chosen.about)
        self.about.show()
        self.list.setEnabled(chosen is not None)
        self.told.setVisible(chosen is not None and chosen.may_be_told)
        self.changed.emit()

    def _on_published_clicked(self) -> None:
        """GUI thread."""
        dialog = PublishedDialog(self, "predictor")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self._on_published_chosen)
        dialog.open()

    def _on_published_chosen(self, name: str) -> None:
        """GUI thread."""
        self.show_models()
        self.list.setCurrentIndex(self._index(name))

    def _on_add_file_clicked(self) -> None:
        """GUI thread."""
        name, _ = QFileDialog.getOpenFileName(self, "Open the weights of an SFCN", "", _FILES)
        if name:
            try:
                self.add(Path(name))
            except BadInput as error:
                self.refused.emit(str(error))
