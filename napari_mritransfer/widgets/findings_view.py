"""What a reviewer would ask about a scan: concerns in full, the rest behind a line that says how much it is."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QToolButton, QVBoxLayout, QWidget

from napari_mritransfer.honesty.finding import Finding, Verdict, in_reading_order
from napari_mritransfer.widgets.dock import text_label
from napari_mritransfer.widgets.examination import counted

_WAITING = "Checking where the data come from…"


class FindingsView(QWidget):
    """Takes no room without a scan."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: Sequence[Finding] | None = None
        self._colour = ""
        self.pending = text_label()
        self.pending.setText(_WAITING)
        self.fold = QToolButton()
        self.fold.setCheckable(True)
        self.fold.setAutoRaise(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.concerns: list[QLabel] = []
        self.rest: list[QLabel] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.pending)
        self._column.addWidget(self.fold)
        self.fold.toggled.connect(self._on_folded)
        self._fill(())

    def show_findings(self, findings: Sequence[Finding] | None) -> None:
        """Show these; None while they are being looked for, none at all without a scan."""
        if findings is not self._shown:
            self._fill(findings)

    def _fill(self, findings: Sequence[Finding] | None) -> None:
        self._shown = findings
        ordered = in_reading_order(findings or ())
        for label in (*self.concerns, *self.rest):
            self._column.removeWidget(label)
            label.hide()
            label.deleteLater()
        concerns = [one for one in ordered if one.verdict is Verdict.CONCERN]
        others = ordered[len(concerns) :]
        self.concerns, self.rest = [_label(one) for one in concerns], [_label(one) for one in others]
        for place, label in enumerate(self.concerns):
            self._column.insertWidget(place, label)
            label.show()
        for label in self.rest:
            self._column.addWidget(label)
        n_fine = sum(one.verdict is Verdict.FINE for one in others)
        undecided = f", {len(others) - n_fine} undecided" if len(others) > n_fine else ""
        self.fold.setText(f"{counted(n_fine, 'check')} passed{undecided}")
        self.pending.setVisible(findings is None)
        self.fold.setVisible(bool(others))
        self.setVisible(findings is None or bool(ordered))
        self.paint_concerns(self._colour)
        self._on_folded()

    def paint_concerns(self, colour: str) -> None:
        """Let concerns stand out in a colour of the theme."""
        self._colour = colour
        for label in self.concerns:
            label.setStyleSheet(f"color: {colour}" if colour else "")

    def _on_folded(self, _is_open: bool = False) -> None:
        """GUI thread."""
        is_open = self.fold.isChecked()
        self.fold.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        for label in self.rest:
            label.setVisible(is_open)


def _label(finding: Finding) -> QLabel:
    label = text_label()
    label.setText(finding.sentence)
    label.setToolTip(_numbers(finding))
    return label


def _numbers(finding: Finding) -> str:
    parts = [f"Check: {finding.check}"]
    if finding.value is not None:
        parts.append(f"value {finding.value:.3g}")
    if finding.threshold is not None:
        parts.append(f"threshold {finding.threshold:.3g}")
    return ", ".join(parts)
