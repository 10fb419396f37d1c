"""File > Open: scan files to layers."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import napari
from napari.utils.notifications import show_info

from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.endings import READABLE, ending
from napari_mritransfer.widgets.layers import LayerTuple, scan_layers
from napari_mritransfer.widgets.view import attach_with_first_scan

Paths = str | Sequence[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerTuple]] | None:
    """The reader for a path or several, judged by their endings alone; None where one of them is not read here."""
    paths = _as_list(path)
    return read_scans if paths and all(ending(Path(one)) in READABLE for one in paths) else None


def read_scans(path: Paths) -> list[LayerTuple]:
    """Layers of one or several scan files, in their order; GUI thread only where there is a viewer.

    The current viewer shows sides and scale bar as soon as it gets them, and tells of oblique slices.

    Raises
    ------
    UnreadableScan
        In one sentence, for the first file that cannot become a scan.
    """
    scans = [load(one) for one in _as_list(path)]
    viewer = napari.current_viewer()
    if viewer is not None:
        # not at once: a script may open files in another viewer than the one whose window was used last
        attach_with_first_scan(viewer)
        _tell_obliquity(scans)
    return [layer for scan in scans for layer in scan_layers(scan)]


def _tell_obliquity(scans: Iterable[Scan]) -> None:
    """Once each, however many files say the same; short, for napari cuts a longer notice off."""
    angles = (scan.axes.obliquity_deg for scan in scans if any("oblique" in note for note in scan.notes))
    for sentence in dict.fromkeys(f"Oblique by {angle:.1f}°: shown unrotated." for angle in angles):
        show_info(sentence)


def _as_list(path: Paths) -> list[str]:
    return [path] if isinstance(path, str) else [*path]
