"""Files to `Scan` and back: one module per format, and every reader returns the same `Scan`."""

from napari_mritransfer.io.description import describe
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.formats import load, save
from napari_mritransfer.io.scan import Axes, Origin, Scan

__all__ = ["Axes", "Origin", "Scan", "UnreadableScan", "describe", "load", "save"]
