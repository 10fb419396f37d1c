"""File > Open and drag and drop: scan files to layers."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import napari
from napari.utils.notifications import show_info

from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.array_options import AmbiguousArray
from napari_mritransfer.io.dicom_series import SeriesChoice, holds_dicom
from napari_mritransfer.io.endings import BART, DICOM, READABLE, ending
from napari_mritransfer.widgets.layers import KEY, LayerTuple, is_scan_layer, scan_layers
from napari_mritransfer.widgets.view import attach_with_first_scan

Paths = str | Sequence[str]

_NO_LAYER: list[Any] = [(None,)]  # how npe2's readers say that they took the files, but there is nothing to add


def get_reader(path: Paths) -> Callable[[Paths], list[LayerTuple]] | None:
    """The reader for a path or several; None where one of them is not read here.

    Files are judged by their endings alone, folders by whether DICOM files are in them.
    """
    paths = [Path(one) for one in _as_list(path)]
    return read_scans if paths and all(_is_read_here(one) for one in paths) else None


def read_scans(path: Paths) -> list[LayerTuple]:
    """Layers of one or several scan files, in their order; GUI thread only where there is a viewer.

    The current viewer shows sides and scale bar as soon as it gets them, and tells of oblique slices. Where a file does
    not say what its axes are, or holds several series, "Load scan" asks, and adds its layers when that is answered.

    Raises
    ------
    UnreadableScan
        In one sentence, for the first file that cannot become a scan.
    """
    viewer = napari.current_viewer()
    scans: list[Scan] = []
    for one in _as_list(path):
        if _is_open_already(Path(one), scans, viewer):
            continue
        try:
            scans.append(load(one))
        except (AmbiguousArray, SeriesChoice):
            if viewer is None:
                raise
            _ask(viewer, one)
    if viewer is not None:
        # not at once: a script may open files in another viewer than the one whose window was used last
        attach_with_first_scan(viewer)
        _tell_obliquity(scans)
    return [layer for scan in scans for layer in scan_layers(scan)] or _NO_LAYER


def _is_read_here(path: Path) -> bool:
    return holds_dicom(path) if path.is_dir() else ending(path) in READABLE + DICOM


def _ask(viewer: Any, path: str) -> None:
    # here, because a dock needs much that a reader does not
    from napari_mritransfer.widgets.commands import opened

    opened(viewer, "Load scan").opening.open(path)


def _is_open_already(path: Path, scans: Iterable[Scan], viewer: Any) -> bool:
    """Whether another file of BART's pair or of the DICOM series was just opened: who drops all means one scan."""
    open_scans = [*scans]
    if viewer is not None:
        open_scans += [layer.metadata[KEY]["scan"] for layer in viewer.layers if is_scan_layer(layer)]
    if any(path in scan.files and path != scan.path for scan in open_scans):
        return True
    there = {scan.path for scan in open_scans}
    return ending(path) in BART and any(path.with_suffix(other) in there - {path} for other in BART)


def _tell_obliquity(scans: Iterable[Scan]) -> None:
    """Once each, however many files say the same; short, for napari cuts a longer notice off."""
    angles = (scan.axes.obliquity_deg for scan in scans if any("oblique" in note for note in scan.notes))
    for sentence in dict.fromkeys(f"Oblique by {angle:.1f}°: shown unrotated." for angle in angles):
        show_info(sentence)


def _as_list(path: Paths) -> list[str]:
    return [path] if isinstance(path, str) else [*path]
