"""Files to `Scan` and back: one module per format, and every reader returns the same `Scan`."""

from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions, Candidate
from napari_mritransfer.io.description import describe
from napari_mritransfer.io.dicom_series import Series, SeriesChoice
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.fastmri import reconstruction_target
from napari_mritransfer.io.formats import load, save
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.scan import Axes, Origin, Scan

__all__ = [
    "AmbiguousArray",
    "ArrayOptions",
    "Axes",
    "Candidate",
    "KSpace",
    "Origin",
    "Scan",
    "Series",
    "SeriesChoice",
    "UnreadableScan",
    "describe",
    "load",
    "reconstruction_target",
    "save",
]
