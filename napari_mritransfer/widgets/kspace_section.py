"""The "K-space" section of the "Load scan" dock: what was measured, in numbers, as a picture, and as layers."""

from typing import Any

from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QVBoxLayout

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.dock import text_label
from napari_mritransfer.widgets.examination import Examination, counted
from napari_mritransfer.widgets.kspace_views import VIEWS, view_layers
from napari_mritransfer.widgets.layers import KEY, identity, place_above, views_of
from napari_mritransfer.widgets.lifetime import while_alive
from napari_mritransfer.widgets.mask_view import MaskView


class KSpaceSection(QGroupBox):
    """Seen only with a scan that has k-space; ticking a box puts its layers on top, unticking removes them.

    Signals
    -------
    failed
        A view could not be made, in one sentence.
    """

    failed = Signal(str)

    def __init__(self, viewer: Any) -> None:
        super().__init__("K-space")
        self._viewer = viewer
        self._found: Examination | None = None
        self.facts, self.noise = text_label(), text_label()
        self.picture = MaskView()
        self.boxes: dict[str, QCheckBox] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        for widget in (self.facts, self.picture, self.noise):
            layout.addWidget(widget)
        for view in VIEWS:
            box = QCheckBox(view.label)
            box.setToolTip(view.tip)
            box.clicked.connect(lambda is_on, view=view: self._on_box_clicked(view, is_on))
            self.boxes[view.kind] = box
            layout.addWidget(box)
        for name in ("inserted", "removed"):
            while_alive(self, getattr(viewer.layers.events, name), self._on_layers_changed)
        self.show_scan(None)

    def show_scan(self, found: Examination | None) -> None:
        """Show another scan's k-space, or nothing where it has none."""
        has_kspace = found is not None and found.kspace is not None and found.sampled is not None
        self._found = found if has_kspace else None
        self.setVisible(has_kspace)
        if self._found is None:
            return
        assert self._found.sampled is not None
        for label, text in ((self.facts, _facts(self._found)), (self.noise, self._found.noise)):
            label.setText(text)
            label.setVisible(bool(text))
        self.picture.show_plane(self._found.sampled)
        self.picture.setVisible(not self._found.sampled.all())
        self._on_layers_changed()

    def _on_box_clicked(self, view: Any, is_on: bool) -> None:
        """GUI thread."""
        there = self._shown(view.kind)
        if not is_on:
            for layer in there:
                self._viewer.layers.remove(layer)
            if there and self._found is not None and self._found.layer in self._viewer.layers:
                self._viewer.layers.selection.active = self._found.layer  # else none would be
        elif not there:
            self._add(view)
        self._on_layers_changed()

    def _add(self, view: Any) -> None:
        found, layers = self._found, self._viewer.layers
        if found is None or found.scan is None or found.sampled is None or found.layer not in layers:
            return
        try:
            made = view_layers(view, found.scan, found.sampled, identity(found.layer) or "")
        except (BadInput, OSError) as error:
            self.failed.emit(str(error))
            return
        position = self._viewer.dims.current_step
        for place, (data, settings, kind) in enumerate(made, start=place_above(layers, found.layer)):
            layers.insert(place, Layer.create(data, settings, kind))
        # a new axis comes first, and napari would begin in its middle
        added = self._viewer.dims.ndim - len(position)
        if added > 0:
            self._viewer.dims.set_current_step(range(self._viewer.dims.ndim), (*[0] * added, *position))

    def _shown(self, kind: str) -> list[Any]:
        """The layers of a view of this scan that are in the viewer."""
        if self._found is None:
            return []
        views = views_of(self._viewer.layers, self._found.layer)
        return [view for view in views if view.metadata[KEY].get("kind") == kind]

    def _on_layers_changed(self, _event: object = None) -> None:
        """GUI thread; a layer may have been deleted in napari's own list."""
        for kind, box in self.boxes.items():
            box.setChecked(bool(self._shown(kind)))


def _facts(found: Examination) -> str:
    kspace, sampled, inside = found.kspace, found.sampled, found.inside
    assert kspace is not None
    assert sampled is not None
    assert inside is not None
    rows, columns = kspace.shape[-2:]
    parts = [f"{counted(kspace.n_coils, 'coil')}, {columns} × {rows} samples (kx × ky)"]
    if kspace.image_matrix != (rows, columns):
        parts.append(f"images are cut to {kspace.image_matrix[1]} × {kspace.image_matrix[0]}")
    if inside.shape != sampled.shape:
        parts.append(f"measured as far as {inside.shape[1]} × {inside.shape[0]}")
    share = float(inside.mean())
    of_that = " of that" if inside.shape != sampled.shape else ""
    parts.append(f"all{of_that} measured" if share == 1 else f"{100 * share:.1f} %{of_that} measured")
    return "; ".join(parts) + "."
