"""File > Open: scan files to layers."""

from collections.abc import Callable, Sequence
from pathlib import Path

import napari

from napari_mritransfer.io import load
from napari_mritransfer.io.endings import READABLE, ending
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.view import attach

Paths = str | Sequence[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerTuple]] | None:
    """The reader for a path or several, judged by their endings alone; None where one of them is not read here."""
    paths = _as_list(path)
    return read_scans if paths and all(ending(Path(one)) in READABLE for one in paths) else None


def read_scans(path: Paths) -> list[LayerTuple]:
    """Layers of one or several scan files, in their order.

    Raises
    ------
    UnreadableScan
        In one sentence, for the first file that cannot become a scan.
    """
    layers = [layer for one in _as_list(path) for layer in scan_layers(load(one))]
    viewer = napari.current_viewer()
    if viewer is not None:
        attach(viewer)
    return layers


def _as_list(path: Paths) -> list[str]:
    return [path] if isinstance(path, str) else [*path]
