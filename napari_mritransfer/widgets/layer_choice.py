"""The list of images that can be undersampled."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.lifetime import while_alive

if TYPE_CHECKING:
    import napari


class LayerChoice(QComboBox):
    """Follows what is added, removed, moved and renamed; what was chosen stays chosen, whatever it is called.

    Signals
    -------
    chosen
        Another layer, or None when the last one is gone.

    Parameters
    ----------
    viewer
        Whose layers.
    offers
        Which of them; `is_offered` where omitted.
    """

    chosen = Signal(object)

    def __init__(self, viewer: "napari.Viewer", offers: Callable[[Any], bool] | None = None) -> None:
        super().__init__()
        self._viewer = viewer
        self._offers = offers or is_offered
        self._last: Any = None
        narrow(self)
        self.setToolTip("Images in the viewer")
        for name in ("inserted", "removed", "reordered", "renamed"):
            while_alive(self, getattr(viewer.layers.events, name), self._on_layers_changed)
        self.currentIndexChanged.connect(self._on_index_changed)
        self._on_layers_changed()

    @property
    def layer(self) -> Any:
        """The chosen one, or None."""
        return self.currentData()

    def choose(self, layer: Any) -> bool:
        """Choose a layer; False if it is not in the list."""
        index = next((i for i in range(self.count()) if self.itemData(i) is layer), -1)
        if index >= 0:
            self.setCurrentIndex(index)
        return index >= 0

    def _on_layers_changed(self, _event: object = None) -> None:
        """GUI thread."""
        layers = [layer for layer in self._viewer.layers if self._offers(layer)]
        before = self.layer
        was_blocked = self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        if not self.choose(before):
            self.setCurrentIndex(len(layers) - 1)  # the topmost
        self.blockSignals(was_blocked)
        self.setEnabled(bool(layers))
        self._on_index_changed()

    def _on_index_changed(self, _index: int = 0) -> None:
        """GUI thread."""
        if self.layer is not self._last:
            self._last = self.layer
            self.chosen.emit(self.layer)


def is_offered(layer: Any) -> bool:
    """Scans and images of other origin; neither phases nor what this plugin made from a scan."""
    if not isinstance(layer, Image) or layer.rgb or layer.multiscale:
        return False
    own = layer.metadata.get(KEY)
    return own is None or (own.get("kind") == "scan" and own.get("part") != "phase")
