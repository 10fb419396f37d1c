"""Which pretrained network to start from, and what is known about it."""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_mritransfer.training.client import Answer, Result
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.published_dialog import PublishedDialog, fetched_models
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.zoo.card import DEFAULT_MODEL, ModelCard, model_cards
from napari_mritransfer.zoo.published import published_weights

_FILES = "Weights (*.safetensors *.pt *.pth *.ckpt *.p *.pkl)"


class ModelChoice(QWidget):
    """A list of the zoo's models and of files the user added, with a card that folds out.

    Signals
    -------
    changed
        Another model was chosen, or its parameter counts became known.

    Parameters
    ----------
    request
        Sends a command to the worker: files are opened there, never here.
    """

    changed = Signal()

    def __init__(self, request: Callable[[Mapping[str, Any], str], Request]) -> None:
        super().__init__()
        self._send = request
        self._cards: dict[str, ModelCard] = {card.name: card for card in model_cards()}
        self._found: dict[str, Mapping[str, Any]] = {}
        self.list = QComboBox()
        self.list.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.list.setMinimumContentsLength(12)
        for card in self._cards.values():
            self.list.addItem(card.name, card.name)  # titles are sentences, too long for a list
            self.list.setItemData(self.list.count() - 1, card.title, Qt.ItemDataRole.ToolTipRole)
        for name, title, _ in fetched_models():
            self._add(name, name, title)
        self.list.setCurrentIndex(self.list.findData(DEFAULT_MODEL))
        self.from_file = QPushButton("File…")
        self.from_file.setToolTip(
            "Weights of your own (.safetensors), or of fastMRI's U-Net and VarNet or ISTA-Net+ as PyTorch saved them"
        )
        self.published = QPushButton("Published…")
        self.published.setToolTip("Weights that others published: what they are, and downloading them")
        self.fold = QToolButton()
        self.fold.setText("Model card")
        self.fold.setCheckable(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)
        self.card = QLabel()
        self.card.setWordWrap(True)
        self.card.setTextFormat(Qt.TextFormat.RichText)
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card.hide()

        row = QHBoxLayout()
        row.addWidget(self.list, 1)
        row.addWidget(self.from_file)
        row.addWidget(self.published)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.fold)
        layout.addWidget(self.card)
        self.list.currentIndexChanged.connect(self._on_model_chosen)
        self.from_file.clicked.connect(self._on_file_clicked)
        self.published.clicked.connect(self._on_published_clicked)
        self.fold.toggled.connect(self._on_fold_toggled)
        self._show_card()

    @property
    def model(self) -> str:
        """Zoo name, or path of a file."""
        return str(self.list.currentData() or "")

    @property
    def parameters(self) -> Mapping[str, int]:
        """Trainable parameters under each strategy; empty while a file is being looked into."""
        card = self._cards.get(self.model)
        if card is not None:
            return card.parameters
        counts: Mapping[str, int] = self._found.get(self.model, {}).get("parameters", {})
        return counts

    def add(self, path: Path) -> None:
        """Add a weights file or a run folder to the list and choose it."""
        self._add(str(path), path.name, str(path))
        self.list.setCurrentIndex(self.list.findData(str(path)))

    def _add(self, source: str, label: str, tip: str) -> None:
        if self.list.findData(source) < 0:
            self.list.addItem(label, source)
            self.list.setItemData(self.list.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def _on_published_clicked(self) -> None:
        """GUI thread."""
        dialog = PublishedDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self._on_published_chosen)
        dialog.open()

    def _on_published_chosen(self, name: str) -> None:
        """GUI thread."""
        entry = published_weights(name)
        self._add(name, name, entry.title if entry is not None else name)
        self.list.setCurrentIndex(self.list.findData(name))

    def _on_file_clicked(self) -> None:
        """GUI thread."""
        name, _ = QFileDialog.getOpenFileName(self, "Open pretrained weights", "", _FILES)
        if name:
            self.add(Path(name))

    def _on_model_chosen(self) -> None:
        """GUI thread."""
        model = self.model
        if model and model not in self._cards and model not in self._found:
            self._found[model] = {}
            self._send({"command": "describe", "model": model}, "Reading weights").ended.connect(self._on_described)
        self._show_card()
        self.changed.emit()

    def _on_described(self, answer: Answer) -> None:
        """GUI thread; the user may have chosen another model meanwhile."""
        request = self.sender()
        assert isinstance(request, Request)
        if isinstance(answer, Result):
            self._found[request.command["model"]] = answer.values
        elif isinstance(answer, Failed):
            self._found[request.command["model"]] = {"title": answer.reason}
        self._show_card()
        self.changed.emit()

    def _on_fold_toggled(self, is_open: bool) -> None:
        """GUI thread."""
        self.fold.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.card.setVisible(is_open)

    def _show_card(self) -> None:
        card = self._cards.get(self.model)
        self.card.setText(_card_text(card) if card else _found_text(self._found.get(self.model, {})))


def _card_text(card: ModelCard) -> str:
    facts = {
        "Network": f"{card.architecture}, {card.parameters.get('ft', 0):,} weights",
        "Masks": ", ".join(card.mask_kinds),
        "Sampling rate": f"{card.rates[0]:.0%} to {card.rates[1]:.0%}",
        "Phase encoding": card.matrix,
        **{_words(name): _value(value) for name, value in {**card.training, **card.metrics}.items()},
        "SHA-256": card.sha256[:16] + "…",
    }
    return f"<b>{escape(card.title)}</b>" + _table(facts)


def _found_text(found: Mapping[str, Any]) -> str:
    if not found:
        return "Reading the file…"
    title = f"<b>{escape(str(found.get('title', '')))}</b>"
    if "architecture" not in found:
        return title
    facts = {
        "Network": f"{found['architecture']}, {found['total']:,} weights",
        "Training": found.get("training")
        or "unknown: this file has no model card, so nothing is known about what it was trained on",
    }
    if "conventions" in found:
        facts |= {"Expects": found["conventions"], "Licence": found["licence"]}
    return title + _table(facts)


def _table(facts: Mapping[str, str]) -> str:
    row = "<p style='margin:3px 0'><i>{}:</i> {}</p>"
    return "".join(row.format(escape(name), escape(value)) for name, value in facts.items())


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{_words(str(key))}: {_value(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
