"""Attention maps over their scans in napari's grid, beside the plain scan: one slice, one zoom, one scale for all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_mritransfer.widgets.attention_cells import OPACITY, SCALE, captions, map_cell, volume_cell
from napari_mritransfer.widgets.attention_data import AttentionData, AttentionView
from napari_mritransfer.widgets.layers import window
from napari_mritransfer.widgets.paired_board import PairedBoard

if TYPE_CHECKING:
    from napari.viewer import Viewer


class AttentionBoard(PairedBoard):
    """The plain scan, then one cell per view: the scan, and over it the map. GUI thread only.

    Views that cut the scan another way have no place here: a slider moves along one axis.

    Parameters
    ----------
    viewer
        Where to build it.
    data
        What to show.
    views
        Which of its views, at least one, all cut the same way.
    opacity
        Of the maps; 0 hides them.
    """

    def __init__(
        self, viewer: "Viewer", data: AttentionData, views: Sequence[AttentionView], *, opacity: float = OPACITY
    ) -> None:
        first = views[0]
        super().__init__(viewer, first.stack, first.extent_mm, grey=window(first.volume.image), opacity=opacity)
        self.data = data
        self.slicing = first.slicing
        self._views: dict[Image, AttentionView | None] = {}
        self.come()
        for view in (None, *views):
            shown = first if view is None else view
            empty = map_cell(shown, self.identity, is_empty=view is None)
            self._views[self.add_pair(volume_cell(shown, self.identity), empty)] = view
        self.stand()

    def statement(self) -> str:
        """What the colours mean."""
        low, high = self.scale
        if (low, high) == SCALE:
            return f"Maps from 0 to {high:g} (brightest), 1 = uniform, the same for all; never stretched."
        return f"Maps from {low:.3g} to {high:.3g} (brightest) by hand, 1 = uniform, the same for all."

    def texts(self, shown: Sequence[Image], width: float) -> tuple[list[str], int]:
        """Scan, prediction and difference."""
        return captions(self.data, [self._views[volume] for volume in shown], width)

    def forget_cells(self) -> None:
        """The layers are gone."""
        super().forget_cells()
        self._views.clear()
