"""The cells of the attention board: a scan as the network saw it, its map over it, and what stands there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_mritransfer.cohort.attention import SHOWN_UP_TO
from napari_mritransfer.io import Scan
from napari_mritransfer.widgets.attention_data import AttentionData, AttentionView
from napari_mritransfer.widgets.captions import fitted
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.paired_board import MAP, VOLUME

KIND = "attention"
COLOURS, BLENDING = "inferno", "translucent"  # added to the scan, the brightest colours would hide it
SCALE = (0.0, SHOWN_UP_TO)  # never stretched to what is there: then every map would look as if it meant something
OPACITY = 0.5
SIMULATED = "simulated"


def volume_cell(view: AttentionView, board: str) -> LayerTuple:
    """The scan."""
    (voxels, settings, kind), = scan_layers(view.volume, kind=KIND, extra={"board": board, "role": VOLUME})
    return voxels, settings, kind


def map_cell(view: AttentionView, board: str, *, is_empty: bool) -> LayerTuple:
    """The map that lies over the scan; nothing where there is none, or where the scan is shown plain.

    The plain scan gets one all the same: napari puts neighbours in the layer list into a cell by their number.
    """
    own = {"board": board, "role": MAP}
    if not is_empty and view.map is not None:
        return map_layer(view.map, f"map: {view.input_name}", extra=own)
    nothing = view.volume.with_image(np.zeros_like(view.volume.image))
    voxels, settings, kind = map_layer(nothing, f"no map: {view.input_name}", extra=own)
    settings.update(blending="additive")  # black that is added changes nothing
    return voxels, settings, kind


def map_layer(scan: Scan, name: str, *, extra: dict[str, Any]) -> LayerTuple:
    """A map in its colours, on its fixed scale."""
    (voxels, settings, kind), = scan_layers(scan, name=name, kind=KIND, extra=extra)
    settings.update(contrast_limits=SCALE, colormap=COLOURS, blending=BLENDING, opacity=OPACITY)
    return voxels, settings, kind


def captions(data: AttentionData, views: Sequence[AttentionView | None], width: float) -> tuple[list[str], int]:
    """What stands in the cells, None being the plain scan, and in which type size."""
    return fitted([_forms(data, view) for view in views], width)


def _forms(data: AttentionData, view: AttentionView | None) -> list[list[str]]:
    told = [SIMULATED] if data.simulated else []
    if view is None:
        name = data.views[0].input_name
        return [[", ".join([name, *told])], [name, *told]]
    numbers = [view.prediction_text, *([view.difference_text] if view.difference_text else [])]
    name = data.short(view)
    return [["  ".join([name, *numbers, *told])], [name, "  ".join(numbers), *told], [name, *numbers, *told]]
