"""The slices that a label is known to change: of simulated scans only, from the file beside the image."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import Grid, axis_of

_LARGEST_BYTES = 2_000_000  # a sidecar has some thousands of bytes


def sidecar_of(image: Path) -> Path:
    """Where the truth of an image lies, if anybody knows it."""
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def is_known_simulated(image: Path) -> bool:
    """Whether the file beside an image says that it was made by a program."""
    return _truth_of(image) is not None


def known_slices(image: Path, label: str, slicing: str, grid: Grid) -> NDArray[np.bool_] | None:
    """Slices in which a label's effect lies in one simulated scan, whether or not it shows there.

    A healthy simulated subject has the slices, too, in which the disease would have shown.

    Parameters
    ----------
    image
        The scan's file; the truth lies beside it under the same name with the ending ``.json``.
    label
        As in the table, such as "age".
    slicing
        How volumes are cut.
    grid
        Of the network; slices of another spacing are matched by their place in millimetres.

    Returns
    -------
    known
        ``(slice,)`` bool; None where nobody knows, as of every real scan.
    """
    record = _truth_of(image)
    if record is None:
        return None
    try:
        slices = np.array(record["carries"][label][slicing], dtype=int)
        axis = axis_of(slicing)
        spacing, count = float(record["spacing_mm"][axis]), int(record["shape"][axis])
        there = np.zeros(count, dtype=bool)
        there[slices] = True
    except (ValueError, KeyError, TypeError, IndexError):
        return None  # of other labels nothing is known
    nearest = np.rint(np.arange(grid.shape[axis]) * grid.spacing_mm / spacing).astype(int)
    return np.asarray(there[np.clip(nearest, 0, count - 1)])


def _truth_of(image: Path) -> dict[str, Any] | None:
    """What lies beside a simulated image; None for other sidecars, as BIDS has them beside every scan."""
    sidecar = sidecar_of(image)
    try:
        if sidecar.stat().st_size > _LARGEST_BYTES:
            return None
        record = json.loads(sidecar.read_text(encoding="utf-8"))
        return record if record["simulated"] is True else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
