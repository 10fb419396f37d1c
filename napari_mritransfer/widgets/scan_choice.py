"""Which scans teach, which one judges, and which slices are looked at."""

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_mritransfer.widgets.layer_choice import is_offered
from napari_mritransfer.widgets.lifetime import while_alive

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

_ROWS_SHOWN = 4  # of the list of scans; the rest is scrolled to


class ScanChoice(QWidget):
    """Lists of the viewer's scans; they follow what is added, removed and renamed, and never go by name.

    Signals
    -------
    changed
        Something was chosen.
    """

    changed = Signal()

    def __init__(self, viewer: "napari.Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        self._picked: set[int] = set()
        self._boxes: list[tuple[QCheckBox, Layer]] = []
        self._column = QVBoxLayout()
        inside = QWidget()
        inside.setLayout(self._column)
        self._column.setContentsMargins(4, 4, 4, 4)
        self.train = QScrollArea()
        self.train.setWidgetResizable(True)
        self.train.setWidget(inside)
        self.train.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.train.setToolTip("Fully sampled scans to learn from")
        self.validation = QComboBox()
        self.validation.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.validation.setMinimumContentsLength(10)
        self.validation.setToolTip("Decides which step is kept; best another person than those learned from")
        self.empty = QLabel("Open the scans to learn from first: File > Open, File > Open Sample, or Load scan.")
        self.empty.setWordWrap(True)
        self.evenly = QRadioButton("evenly spaced:")
        self.evenly.setChecked(True)
        self.count = QSpinBox()
        self.count.setRange(1, 999)
        self.count.setValue(5)
        self.picked = QRadioButton("picked:")
        self.add_shown = QPushButton("Add shown")
        self.add_shown.setToolTip("Take the slice that the viewer shows for training")
        self.clear = QPushButton("Clear")
        self.which = QLabel()
        self.which.setWordWrap(True)

        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.evenly)
        first.addWidget(self.count)
        first.addStretch(1)
        for widget in (self.picked, self.add_shown, self.clear):
            second.addWidget(widget)
        second.addStretch(1)
        slices = QVBoxLayout()
        for part in (first, second):
            slices.addLayout(part)
        slices.addWidget(self.which)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(self.empty)
        form.addRow("Learn from", self.train)
        form.addRow("Validate on", self.validation)
        form.addRow("Slices", slices)

        self.validation.currentIndexChanged.connect(self.changed)
        self.evenly.toggled.connect(self.changed)
        self.count.valueChanged.connect(self._on_count_changed)
        self.add_shown.clicked.connect(self._on_add_shown_clicked)
        self.clear.clicked.connect(self._on_clear_clicked)
        for name in ("inserted", "removed", "reordered", "renamed"):
            while_alive(self, getattr(viewer.layers.events, name), self._on_layers_changed)
        self._on_layers_changed()
        self._show_picked()

    @property
    def train_layers(self) -> "list[Layer]":
        """Ticked, from top to bottom."""
        return [layer for box, layer in self._boxes if box.isChecked()]

    @property
    def validation_layer(self) -> "Layer | None":
        """The chosen one."""
        return self.validation.currentData()

    @property
    def chosen(self) -> "list[Layer]":
        """All of them."""
        return self.train_layers + ([] if self.validation_layer is None else [self.validation_layer])

    @property
    def slices(self) -> int | tuple[int, ...]:
        """Number of evenly spaced slices, or the picked indices."""
        return self.count.value() if self.evenly.isChecked() else tuple(sorted(self._picked))

    def tick(self, *layers: "Layer") -> None:
        """Learn from these and no others."""
        for box, layer in self._boxes:
            box.setChecked(layer in layers)

    def validate_on(self, layer: "Layer") -> None:
        """Choose the validation scan."""
        found = [i for i in range(self.validation.count()) if self.validation.itemData(i) is layer]
        if found:
            self.validation.setCurrentIndex(found[0])

    def _on_layers_changed(self, _event: object = None) -> None:
        """GUI thread. What was chosen stays chosen, whatever it is called now."""
        before, judge = self.train_layers, self.validation_layer
        layers = [layer for layer in self._viewer.layers if is_offered(layer) and layer.ndim > 2]
        blocked = self.validation.blockSignals(True)
        for box, _ in self._boxes:
            self._column.removeWidget(box)
            box.deleteLater()
        self._boxes = []
        self.validation.clear()
        for layer in layers:
            box = QCheckBox(layer.name.replace("&", "&&"))  # Qt takes a single one for a keyboard shortcut
            box.setChecked(layer in before)
            box.toggled.connect(self.changed)
            self._column.addWidget(box)
            self._boxes.append((box, layer))
            self.validation.addItem(layer.name, layer)
        if judge is not None and judge in layers:
            self.validate_on(judge)
        elif layers:
            self.validation.setCurrentIndex(len(layers) - 1)
        self.validation.blockSignals(blocked)
        row = self.fontMetrics().height() + 12
        self.train.setFixedHeight(max(1, min(len(layers), _ROWS_SHOWN)) * row + 12)
        self.empty.setVisible(not layers)
        self.changed.emit()

    def _on_count_changed(self) -> None:
        """GUI thread."""
        self.evenly.setChecked(True)
        self.changed.emit()

    def _on_add_shown_clicked(self) -> None:
        """GUI thread; by place, for the slider counts in the thinnest slices of all layers."""
        layer = next(iter(self.train_layers), None)
        if layer is not None:
            # scans are (…, slice, y, x), so the slice is the third axis from the end
            shown = round(float(layer.world_to_data(self._viewer.dims.point)[-3]))
            if 0 <= shown < layer.data.shape[-3]:
                self._picked.add(shown)
        self.picked.setChecked(True)
        self._show_picked()

    def _on_clear_clicked(self) -> None:
        """GUI thread."""
        self._picked.clear()
        self._show_picked()

    def _show_picked(self) -> None:
        self.which.setText("Picked slices: " + (", ".join(map(str, sorted(self._picked))) or "none yet"))
        self.changed.emit()
