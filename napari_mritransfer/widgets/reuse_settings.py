"""How methods are judged, and the folded settings of networks that learn."""

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.reuse_inputs import ReuseSettings

_NONE = "none"
_AUTO = "auto"
_CORRECTIONS = {"off": "off", "quick": "quick methods", "all": "all (slow)"}
_AUGMENTATIONS = {"shift-mirror": "shift and mirror", "shift": "shift", "none": "none"}
_TASKS = {"": "as it looks", "regression": "numbers", "binary": "two classes", "classes": "classes"}
_BATCH_NORMS = {"frozen": "stay as pretrained", "moving": "move, as published"}


class ReuseSettingsForm(QWidget):
    """Numbers and choices; each says in its tooltip what it does.

    Signals
    -------
    changed
        Something was set otherwise.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        usual = ReuseSettings()
        self.folds = _number(2, 100, "Subjects are dealt into so many parts; each part is tested once by what the "
                             "others taught")  # fmt: skip
        self.repeats = _number(1, 100, "The whole cross-validation so many times, with other parts")
        self.site = narrow(QComboBox())
        self.site.setToolTip("Column of sites: each site is tested by what the others taught, instead of folds")
        self.sizes = QLineEdit()
        self.sizes.setPlaceholderText("such as 20, 50")
        self.sizes.setToolTip("Learning curve: also learn from so many subjects only, and test on the same ones")
        self.permutations = _number(
            0, 100_000, "How often labels are dealt out at random, for a p-value of every quick method; 0 for none"
        )
        self.group = narrow(QComboBox())
        self.group.setToolTip("Column of families, or whatever else must not be learned from and tested at once")
        self.check_brains = QCheckBox("Check for brains")
        self.check_brains.setToolTip(
            "Where the network expects brains alone: leave out scans whose skull was not removed, that lie the wrong "
            "way round or were not registered; all are named in the list of scans"
        )
        self.inner_folds = _number(2, 100, "Parts of the training subjects, to choose a method's own settings by")
        self.correction = _choice(_CORRECTIONS, "Age-bias correction, which uses the true value. Corrected numbers "
                                  "stand beside the others, and are called so")  # fmt: skip
        self.epochs = _number(1, 10_000, "How often a network sees every training scan")
        self.batch = _number(1, 256, "Scans at once; lower it if memory runs out")
        self.learning_rate = QDoubleSpinBox()
        self.learning_rate.setDecimals(5)
        self.learning_rate.setSingleStep(0.0005)
        self.learning_rate.setMaximum(9.0)
        self.learning_rate.setSpecialValueText(_AUTO)
        self.learning_rate.setToolTip("Auto takes each method's own")
        self.weight_decay = QDoubleSpinBox()
        self.weight_decay.setDecimals(5)
        self.weight_decay.setSingleStep(0.001)
        self.weight_decay.setMaximum(1000.0)
        self.weight_decay.setToolTip("How strongly what a network learns is pulled back, so that it stays small")
        self.task = _choice(_TASKS, "Whether the label is a number or names classes; what looks like few classes is "
                            "taken for such unless told otherwise")  # fmt: skip
        self.bins = QLineEdit()
        self.bins.setPlaceholderText("such as 6/90/42")
        self.bins.setToolTip("Of numbers: first edge, last edge and count of a new last layer's bins; empty for the "
                             "network's own, or for bins over the training labels")  # fmt: skip
        self.augmentation = _choice(_AUGMENTATIONS, "What is done to scans at random while a network learns")
        self.batch_norm = _choice(_BATCH_NORMS, "Running means and deviations inside the network (batch norm)")
        self.seed = _number(0, 2**31 - 1, "The same seed, the same folds and the same result")
        self.advanced = QCollapsible("Advanced")
        self._columns = ("", "")  # of images and subjects, which a re-use that was begun elsewhere may name
        self._lay_out()
        self.offer_columns(())
        self.show_settings(usual)
        numbers = (self.folds, self.repeats, self.permutations, self.inner_folds, self.epochs, self.batch, self.seed)
        for number in numbers:
            number.valueChanged.connect(self.changed)
        for box in (self.site, self.group, self.correction, self.augmentation, self.batch_norm, self.task):
            box.currentIndexChanged.connect(self.changed)
        for rate in (self.learning_rate, self.weight_decay):
            rate.valueChanged.connect(self.changed)
        self.bins.textChanged.connect(self.changed)
        self.sizes.textChanged.connect(self.changed)
        self.check_brains.toggled.connect(self.changed)
        self.site.currentIndexChanged.connect(self._on_site_chosen)

    @property
    def values(self) -> ReuseSettings:
        """What is set."""
        return ReuseSettings(
            self.folds.value(), self.repeats.value(), self.site.currentData() or "", self.sizes.text().strip(),
            self.permutations.value(), self.group.currentData() or "", self.inner_folds.value(),
            self.correction.currentData(), self.epochs.value(), self.batch.value(), self.learning_rate.value() or None,
            self.augmentation.currentData(), self.batch_norm.currentData(), self.check_brains.isChecked(),
            self.seed.value(), self.weight_decay.value(), self.task.currentData() or None, self.bins.text().strip(),
            *self._columns,
        )  # fmt: skip

    def show_settings(self, settings: ReuseSettings) -> None:
        """Fill in these; a column that the table does not have is left out."""
        for number, value in (
            (self.folds, settings.folds), (self.repeats, settings.repeats), (self.permutations, settings.permutations),
            (self.inner_folds, settings.inner_folds), (self.epochs, settings.epochs), (self.batch, settings.batch),
            (self.seed, settings.seed),
        ):  # fmt: skip
            number.setValue(value)
        for box, wanted in (
            (self.site, settings.site), (self.group, settings.group), (self.correction, settings.bias_correction),
            (self.augmentation, settings.augmentation), (self.batch_norm, settings.batch_norm),
            (self.task, settings.task or ""),
        ):  # fmt: skip
            box.setCurrentIndex(max(0, box.findData(wanted)))
        self.sizes.setText(settings.sizes)
        self.learning_rate.setValue(settings.learning_rate or 0)
        self.weight_decay.setValue(settings.weight_decay)
        self.bins.setText(settings.bins)
        self._columns = (settings.image_column, settings.subject_column)
        self.check_brains.setChecked(settings.check_brains)

    def offer_columns(self, columns: Sequence[str]) -> None:
        """Offer these as sites and groups; what was chosen stays chosen where it is still there."""
        for box in (self.site, self.group):
            before = box.currentData()
            was_blocked = box.blockSignals(True)
            box.clear()
            box.addItem(_NONE, "")
            for column in columns:
                box.addItem(column, column)
            box.setCurrentIndex(max(0, box.findData(before)))
            box.blockSignals(was_blocked)
        self._on_site_chosen()

    def _on_site_chosen(self) -> None:
        """GUI thread."""
        for number in (self.folds, self.repeats):
            number.setEnabled(not self.site.currentData())

    def _lay_out(self) -> None:
        form, more, inside = _form(), _form(), QWidget()
        form.addRow("Folds", self.folds)
        form.addRow("Repeats", self.repeats)
        form.addRow("Leave out sites", self.site)
        form.addRow("Learning curve", self.sizes)
        form.addRow("Permutations", self.permutations)
        more.addRow("Stay together", self.group)
        more.addRow("Inner folds", self.inner_folds)
        more.addRow("Bias correction", self.correction)
        more.addRow("Epochs", self.epochs)
        more.addRow("Batch", self.batch)
        more.addRow("Learning rate", self.learning_rate)
        more.addRow("Weight decay", self.weight_decay)
        more.addRow("Kind of label", self.task)
        more.addRow("Bins", self.bins)
        more.addRow("Augmentation", self.augmentation)
        more.addRow("Batch norm", self.batch_norm)
        more.addRow("Seed", self.seed)
        more.addRow(self.check_brains)
        inside.setLayout(more)
        self.advanced.addWidget(inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.advanced)


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def _number(least: int, most: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setToolTip(tip)
    return box


def _choice(texts: dict[str, str], tip: str) -> QComboBox:
    box = narrow(QComboBox())
    for name, text in texts.items():
        box.addItem(text, name)
    box.setToolTip(tip)
    return box
