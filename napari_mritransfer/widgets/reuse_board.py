"""One subject of a cohort in napari's grid: the scan, and beside it the scan under its relevance map."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_mritransfer.cohort.reuse.record import PredictedScan
from napari_mritransfer.io import Scan, load
from napari_mritransfer.widgets.attention_on_scan import seen_like
from napari_mritransfer.widgets.captions import fitted
from napari_mritransfer.widgets.layers import LayerTuple, in_memory, scan_layers, window
from napari_mritransfer.widgets.paired_board import MAP, VOLUME, PairedBoard
from napari_mritransfer.widgets.view_state import Stack

if TYPE_CHECKING:
    from napari.viewer import Viewer

KIND = "relevance"
COLOURS, OPACITY = "inferno", 0.6


@dataclass(frozen=True, slots=True, eq=False)
class ShownScan:
    """One subject's scan, and where in it a method looked.

    Attributes
    ----------
    line
        The prediction that was clicked at.
    told
        It in words.
    scan
        The volume.
    map
        On the scan's own grid; None where the method has none.
    """

    line: PredictedScan
    told: str
    scan: Scan
    map: Scan | None


def shown_scan(line: PredictedScan, told: str, map_path: Path | None) -> ShownScan:
    """Read a scan and its map. Takes a while: not for the GUI thread.

    Raises
    ------
    UnreadableScan
        If a file is damaged or gone.
    """
    scan = in_memory(load(line.image))
    if scan.image.shape[0] > 1:
        scan = scan.with_image(scan.image[:1])
    found = load(map_path) if map_path is not None else None
    return ShownScan(line, told, scan, None if found is None else seen_like(found, scan))


class RelevanceBoard(PairedBoard):
    """The plain scan, and beside it the scan with the map; without one, the plain scan alone. GUI thread only.

    Parameters
    ----------
    viewer
        Where to build it.
    shown
        What to show.
    opacity
        Of the map.
    """

    def __init__(self, viewer: "Viewer", shown: ShownScan, *, opacity: float = OPACITY) -> None:
        scan = shown.scan
        shape, spacing = scan.image.shape[1:], scan.spacing_mm
        slices, rows, columns = (length * step for length, step in zip(shape, spacing, strict=True))
        stack = Stack(1, shape[0], spacing[0])
        super().__init__(viewer, stack, (slices, rows, columns), grey=window(scan.image), opacity=opacity)
        self.shown = shown
        self._captions: dict[Image, list[list[str]]] = {}
        self.come()
        name = f"{shown.line.subject} {shown.line.session}".strip()
        plain = self.add_pair(self._volume(), self._map(None))
        self._captions[plain] = [[name]]
        if shown.map is not None:
            with_map = self.add_pair(self._volume(), self._map(shown.map))
            self._captions[with_map] = [[f"{name}, relevance"], [name, "relevance"]]
        self.stand()

    def texts(self, shown: Sequence[Image], width: float) -> tuple[list[str], int]:
        """Whose scan it is."""
        return fitted([self._captions[volume] for volume in shown], width)

    def forget_cells(self) -> None:
        """The layers are gone."""
        super().forget_cells()
        self._captions.clear()

    def _volume(self) -> LayerTuple:
        (voxels, settings, kind), = scan_layers(self.shown.scan, kind=KIND, extra=self._own(VOLUME))
        return voxels, settings, kind

    def _map(self, found: Scan | None) -> LayerTuple:
        """The plain scan gets one too: napari puts neighbours in the layer list into a cell by their number."""
        scan = found or self.shown.scan.with_image(np.zeros_like(self.shown.scan.image, dtype=np.float32))
        name = "relevance" if found is not None else "no map"
        (voxels, settings, kind), = scan_layers(scan, name=name, kind=KIND, extra=self._own(MAP))
        blending = "translucent" if found is not None else "additive"  # black that is added changes nothing
        settings.update(contrast_limits=self._scale(), colormap=COLOURS, blending=blending, opacity=OPACITY)
        return voxels, settings, kind

    def _scale(self) -> tuple[float, float]:
        return (0.0, 5.0)

    def _own(self, role: str) -> dict[str, Any]:
        return {"board": self.identity, "role": role}
