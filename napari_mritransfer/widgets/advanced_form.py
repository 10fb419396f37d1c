"""The folded settings of the Fine-tune dock, as a magicgui form."""

from typing import Any

from magicgui.widgets import Container, FloatSpinBox, SpinBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_mritransfer.widgets.finetune_inputs import Advanced

_AUTO = "auto"


class AdvancedForm(QWidget):
    """Numbers that are "auto" at their lowest value.

    Signals
    -------
    changed
        A number was changed.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.learning_rate = FloatSpinBox(
            label="Learning rate", min=0, max=1, step=0.0005, value=0,
            tooltip="Auto takes each strategy's own; lower it if the loss becomes not-a-number",
        )  # fmt: skip
        self.epochs = SpinBox(label="Epochs", min=0, max=10_000, value=0, tooltip="Each ends with a validation")
        self.steps_per_epoch = SpinBox(label="Steps per epoch", min=0, max=10_000, value=0)
        self.batch = SpinBox(label="Batch", min=0, max=256, value=0, tooltip="Lower it if memory runs out")
        self.seed = SpinBox(label="Seed", min=0, max=2**31 - 1, value=0, tooltip="The same seed, the same result")
        numbers: list[Any] = [self.learning_rate, self.epochs, self.steps_per_epoch, self.batch]
        for number in numbers:
            native: Any = number.native
            native.setSpecialValueText(_AUTO)
        precise: Any = self.learning_rate.native
        precise.setDecimals(5)
        form = Container(widgets=[*numbers, self.seed], labels=True)
        form.margins = (0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(form.native)
        self._form = form
        form.changed.connect(self._on_form_changed)

    @property
    def values(self) -> Advanced:
        """What is set; None for what is left to "auto"."""
        return Advanced(
            learning_rate=self.learning_rate.value or None,
            epochs=self.epochs.value or None,
            steps_per_epoch=self.steps_per_epoch.value or None,
            batch=self.batch.value or None,
            seed=self.seed.value,
        )

    def _on_form_changed(self, _form: object) -> None:
        """GUI thread."""
        self.changed.emit()
