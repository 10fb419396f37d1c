"""A map on the scan's own grid, as a layer over the scan that it was made from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_mritransfer.io import Scan, load
from napari_mritransfer.widgets.attention_cells import map_layer
from napari_mritransfer.widgets.layers import KEY, is_scan_layer, place_above

# where a layer lies, which the user may have changed in napari; the map has to cover the scan
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_SAME_PLACE_MM = 1e-3


def map_of_scan(path: Path, name: str) -> Scan:
    """The map. Takes a while: not for the GUI thread.

    Raises
    ------
    UnreadableScan
        If the file is damaged or gone.
    """
    scan = load(path)
    return scan.with_image(scan.image, name=name)


def put_on_scan(viewer: Any, found: Scan, layer: Layer | None, sources: Sequence[Path] = ()) -> Layer:
    """Add the map above `layer`, or else above a layer of one of the files `sources`, or else on top. GUI thread.

    Both come on top where another scan would hide them.
    """
    layers = viewer.layers
    if layer is None or layer not in layers:
        layer = next((one for one in reversed(layers) if _is_of(one, sources)), None)
    scan = _as_seen(found, layer) if layer is not None else None
    data, settings, kind = map_layer(scan or found, found.name, extra={"role": "map on scan"})
    place = len(layers)
    if layer is not None and scan is not None:
        layer.visible = True
        place = place_above(layers, layer)
        # a scan that lies higher, such as a zero-filled image of this one, would hide both
        if any(one.visible and is_scan_layer(one) for one in layers[place:]):
            layers.move(layers.index(layer), len(layers))
            place = len(layers)
        if layer.ndim == data.ndim:
            settings.update({name: getattr(layer, name) for name in _PLACE})
    added = Layer.create(data, settings, kind)
    layers.insert(place, added)
    layers.selection.active = added
    return added


def _as_seen(found: Scan, layer: Any) -> Scan | None:
    """The map cut like the layer's scan, which a person may have asked to see otherwise; None if it is elsewhere."""
    if not is_scan_layer(layer):
        return found if layer.data.shape == found.image.shape[1:] else None
    return seen_like(found, layer.metadata[KEY]["scan"])


def seen_like(found: Scan, scan: Scan) -> Scan | None:
    """A map with its axes in the order of a scan's; None if it does not lie where the scan lies."""
    voxels = found.axes.to_file(found.image)
    in_order = scan.axes.to_scan(voxels)
    if in_order.shape != (1, *scan.image.shape[1:]):
        return None
    if not np.allclose(found.affine, scan.affine, atol=_SAME_PLACE_MM):
        return None
    return scan.with_image(np.ascontiguousarray(in_order), origin=found.origin, name=found.name)


def _is_of(layer: Any, sources: Sequence[Path]) -> bool:
    if not is_scan_layer(layer):
        return False
    own = layer.metadata[KEY]
    path = own["scan"].path
    is_shown = own["kind"] == "scan" and own["part"] != "phase"
    return is_shown and path is not None and path.resolve() in [source.resolve() for source in sources]
