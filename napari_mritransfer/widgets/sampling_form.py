"""The form of the sampling section, with the lines drawn live below it."""

from typing import Any

import numpy as np
from magicgui.widgets import FunctionGui
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_mritransfer.physics.masks import MaskKind
from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.examination import Examination
from napari_mritransfer.widgets.mask_view import MaskView
from napari_mritransfer.widgets.sampling_inputs import Direction, SamplingInputs, preview

_KINDS = [
    ("Random", MaskKind.RANDOM),
    ("Random, bell-shaped", MaskKind.GAUSSIAN),
    ("Evenly spaced", MaskKind.EQUISPACED),
    ("Centre only", MaskKind.CENTRE),
    ("3-D: random", MaskKind.RANDOM_PLANE),
    ("3-D: Poisson disc", MaskKind.POISSON_DISC),
    ("3-D: radial", MaskKind.RADIAL),
]
_DIRECTIONS = [
    ("as the file says", Direction.FROM_FILE),
    ("up–down (y)", Direction.UP_DOWN),
    ("left–right (x)", Direction.LEFT_RIGHT),
]


def _numbered(*numbers: int) -> list[tuple[str, int]]:
    return [(str(number), number) for number in numbers]


_FIELDS: dict[str, dict[str, Any]] = {
    "kind": {
        "label": "Mask", "choices": _KINDS,
        "tooltip": "Which lines of k-space are measured. Those called 3-D choose samples of the ky–kz "
        "plane instead, which needs a 3-D acquisition. Random ones are denser towards the centre",
    },
    "rate_percent": {
        "label": "Measured", "min": 1.0, "max": 100.0, "step": 1.0,
        "tooltip": "Share of the lines, or of the plane, that is measured, centre included; 25 % is 4 times faster",
    },
    "acs_percent": {
        "label": "Centre (ACS)", "min": 0.0, "max": 100.0, "step": 1.0,
        "tooltip": "Share of the lines that is measured without gaps in the centre of k-space; of each axis of a plane",
    },
    "seed": {
        "label": "Seed", "min": 0, "max": 2**31 - 1,
        "tooltip": "The same number draws the same mask, noise and phase again",
    },
    "direction": {
        "label": "Phase encoding", "choices": _DIRECTIONS,
        "tooltip": "Phase-encode direction on the slices as they are shown: lines are left out along it",
    },
    "measured_only": {
        "text": "Count measured k-space only",
        "tooltip": "Scanners often enlarge the matrix with empty k-space; leaving out empty lines would flatter "
        "every method",
    },
    "add_noise": {"text": "Add noise", "tooltip": "The same noise for every method"},
    "snr_db": {
        "label": "SNR", "min": 0.0, "max": 80.0, "step": 1.0,
        "tooltip": "20 log10 of mean foreground over noise: 40 dB is 100 to 1, 20 dB is 10 to 1",
    },
    "smooth_phase": {
        "text": "Add smooth phase",
        "tooltip": "Magnitude images have no phase, which makes reconstruction easier than it is; simulate one",
    },
    "as_measured": {
        "text": "Already undersampled",
        "tooltip": "Take the scan's own k-space as the measurement: lines that are empty were not measured, and there "
        "is no reference",
    },
    "virtual_coils": {
        "label": "Virtual coils", "choices": [("keep all", 0), *_numbered(2, 4, 6, 8, 12, 16, 24, 32)],
        "tooltip": "Compress the coils to so many before anything else: faster, and hardly anything is lost",
    },
    "combine_coils": {
        "text": "Combine coils first",
        "tooltip": "Make one complex image of all coils and undersample that: the single-coil problem",
    },
    "simulated_coils": {
        "label": "Simulated coils", "choices": [("none", 0), *_numbered(4, 8, 16, 32)],
        "tooltip": "See the image through so many simulated receive coils: parallel imaging without raw data",
    },
}  # fmt: skip
_AS_MEASURED_IMAGE = "Empty lines of the scan's own k-space count as not measured. There is no reference."
_AS_MEASURED = (
    "This scan was undersampled when it was acquired: it is taken as it was measured, and there is no reference."
)
_SUFFIXES = {"rate_percent": " %", "acs_percent": " %", "snr_db": " dB"}
_WAITING = "…"
_OPTIONAL = {"smooth_phase", "as_measured", "virtual_coils", "combine_coils", "simulated_coils"}
_DEFAULTS = SamplingInputs()


class SamplingForm(QWidget):
    """Inputs, picture of the lines, and their rates in words.

    Signals
    -------
    changed
        `inputs` or `problem` is another.

    Parameters
    ----------
    default_rate
        Sampled fraction to start with.
    """

    changed = Signal()

    def __init__(self, default_rate: float) -> None:
        super().__init__()
        self.fields: Any = FunctionGui(SamplingInputs, call_button=False, param_options=_FIELDS)
        self.fields["rate_percent"].value = round(100 * default_rate, 2)
        for name, suffix in _SUFFIXES.items():
            spin = self.fields[name].native
            spin.setSuffix(suffix)
            spin.setDecimals(1)
        self.fields.margins = (0, 0, 0, 0)
        for name in ("kind", "direction", "virtual_coils", "simulated_coils"):
            narrow(self.fields[name].native)
        self.picture = MaskView()
        self.words = QLabel(_WAITING)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self._found: Examination | None = None
        self._is_pending = False
        self._problem = ""

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fields.native)
        layout.addWidget(self.picture)
        layout.addWidget(self.words)
        self.fields.changed.connect(self._on_field_changed)
        self.show_scan(None)

    def showEvent(self, event: QShowEvent | None) -> None:
        """GUI thread. magicgui measures its labels in another font than napari's; only now this one is known."""
        super().showEvent(event)
        labels = self.fields.native.findChildren(QLabel)
        widest = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(widest)

    @property
    def inputs(self) -> SamplingInputs:
        """What the form says now."""
        inputs: SamplingInputs = self.fields()
        return inputs

    @property
    def problem(self) -> str:
        """Why these inputs cannot be used with the scan, in one sentence; empty if they can."""
        return self._problem

    def show_scan(self, found: Examination | None, *, is_pending: bool = False) -> None:
        """Draw the lines for another scan; `is_pending` while it is still being looked through.

        Raw data that were undersampled when they were acquired are taken as measured unless somebody unticks that.
        """
        is_other = found is not None and (self._found is None or found.data is not self._found.data)
        self._found, self._is_pending = found, is_pending
        if found is not None:
            for name in _OPTIONAL - _offered(found):
                self.fields[name].value = getattr(_DEFAULTS, name)
            if is_other and found.kspace is not None:
                self.fields["as_measured"].value = found.was_undersampled
        self._show()

    def show_measured(self, sampled: NDArray[np.bool_], axis: str) -> None:
        """Draw lines or samples of the plane that were found in the scan rather than asked for."""
        if sampled.ndim == 2:
            self.picture.show_plane(sampled)
        else:
            self.picture.show_lines(sampled, axis)

    def _on_field_changed(self) -> None:
        """GUI thread."""
        self._show()

    def _show(self) -> None:
        inputs = self.inputs
        self._show_rows(inputs)
        self._problem = ""
        # what was measured of raw data stands in the section on k-space already
        self.picture.setVisible(not (inputs.as_measured and self._found is not None and self._found.kspace is not None))
        if self._found is None or self._found.scan is None:
            self.picture.show_lines(None)
            self.words.setText(_WAITING if self._is_pending else "Choose a scan to see which lines would be measured.")
        elif inputs.as_measured and self._found.kspace is None:
            self.picture.show_lines(None)
            self.words.setText(_AS_MEASURED_IMAGE)
        else:
            self._show_lines(inputs, self._found)
        self.changed.emit()

    def _show_lines(self, inputs: SamplingInputs, found: Examination) -> None:
        try:
            lines = preview(inputs, found)
        except ValueError as error:
            self._problem = str(error)
            self.picture.show_lines(None)
            self.words.setText(self._problem)
            return
        self.show_measured(lines.mask.lines, lines.axis)
        self.words.setText("\n".join([_AS_MEASURED, *lines.words()] if inputs.as_measured else lines.words()))

    def _show_rows(self, inputs: SamplingInputs) -> None:
        """Ask only what matters for the rest."""
        simulates = not inputs.as_measured
        offered = _offered(self._found)
        visible = {
            "kind": simulates,
            "direction": not inputs.kind.is_plane if simulates else not (self._found and self._found.is_scattered),
            "rate_percent": simulates,
            "acs_percent": simulates and inputs.kind is not MaskKind.CENTRE,
            "seed": simulates and (inputs.kind.is_drawn or inputs.add_noise or inputs.smooth_phase),
            "measured_only": simulates,
            "add_noise": simulates,
            "snr_db": simulates and inputs.add_noise,
            "smooth_phase": "smooth_phase" in offered and simulates,
            "as_measured": "as_measured" in offered,
            "virtual_coils": "virtual_coils" in offered and not inputs.combine_coils,
            "combine_coils": "combine_coils" in offered and simulates,
            "simulated_coils": "simulated_coils" in offered and simulates,
        }
        for name, is_visible in visible.items():
            self.fields[name].visible = is_visible


def _offered(found: Examination | None) -> set[str]:
    """Those of the optional fields that mean something for a scan."""
    if found is None or found.scan is None:
        return set()
    kspace, inside = found.kspace, found.inside
    if kspace is None or inside is None:
        return {"simulated_coils", "as_measured" if np.iscomplexobj(found.scan.image) else "smooth_phase"}
    is_whole = bool(inside.all())
    meant = {
        "as_measured": not is_whole,
        "virtual_coils": kspace.n_coils > 2,
        "combine_coils": kspace.n_coils > 1 and is_whole,
    }
    return {name for name, means_something in meant.items() if means_something}
