"""Siemens mosaics: all slices of a volume as tiles of one picture, whose place is that of none of them.

How many tiles are slices, and which way they count, only Siemens' own header tells. Two of its numbers are read.

References
----------
nibabel, "Siemens mosaic format": the position in the file is that of a picture of the mosaic's size around the centre
of the first slice.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_mritransfer.io.dicom_header import Plane

if TYPE_CHECKING:
    from pydicom import Dataset

_CREATOR, _HEADER, _MAKES = 0x00290010, 0x00291010, "SIEMENS CSA HEADER"
TAGS = (_CREATOR, _HEADER)
_MOST_TILES = 1024
_PARALLEL = 0.99  # cosine


def slices_of(data: "Dataset", picture: Plane) -> tuple[Plane, ...]:
    """The slices of a mosaic in their places; empty where the file does not say enough to find them."""
    if picture.position is None or picture.directions is None or picture.spacing is None or not picture.slice_mm:
        return ()
    try:
        count, normal = _header(data)
    except Exception:  # what damaged bytes make of it is no concern of the reader: such a mosaic is refused by name
        return ()
    along_row, along_column = np.array(picture.directions[:3]), np.array(picture.directions[3:])
    side = math.isqrt(max(count - 1, 0)) + 1
    rows, columns = picture.size
    if not 1 <= count <= _MOST_TILES or rows % side or columns % side:
        return ()
    if abs(float(np.cross(along_row, along_column) @ normal)) < _PARALLEL:
        return ()
    n_rows, n_columns = rows // side, columns // side
    row_mm, column_mm = picture.spacing
    first = np.array(picture.position)
    first = first + (rows - n_rows) / 2 * row_mm * along_column + (columns - n_columns) / 2 * column_mm * along_row
    places = first + np.arange(count)[:, np.newaxis] * picture.slice_mm * normal
    return tuple(
        replace(
            picture, size=(n_rows, n_columns), position=tuple(float(one) for one in place),
            tile=(number // side * n_rows, number % side * n_columns),
        )
        for number, place in enumerate(places)
    )  # fmt: skip


def _header(data: "Dataset") -> tuple[int, "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    """How many slices there are, and the unit vector from one to the next, LPS."""
    from nibabel.nicom import csareader

    if str(data[_CREATOR].value).strip() != _MAKES:
        raise ValueError
    header = csareader.read(data[_HEADER].value)
    normal = np.array([float(one) for one in csareader.get_slice_normal(header)])
    if normal.shape != (3,) or not np.isfinite(normal).all():
        raise ValueError
    return int(csareader.get_n_mosaic(header)), normal
