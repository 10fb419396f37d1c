"""Which part of raw k-space a scanner measured: how far it reaches, whether lines or scattered samples. NumPy only."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.physics.centred import centre_crop

Sampled = NDArray[np.bool_]


def measured_box(sampled: Sampled) -> tuple[int, int]:
    """``(ky, kx)`` of the smallest centred box that holds all measured samples: what lies outside was zero-padded.

    Parameters
    ----------
    sampled
        ``(ky, kx)`` bool, DC at index ``n // 2``.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    if not sampled.any():
        raise ValueError("This k-space is zero everywhere, so nothing was measured; choose another scan.")
    return _centred_extent(_any(sampled, 1)), _centred_extent(_any(sampled, 0))


def inside_box(sampled: Sampled, box: tuple[int, int] | None = None) -> Sampled:
    """`sampled` cut to a centred box, its `measured_box` where omitted."""
    return np.asarray(centre_crop(sampled, box or measured_box(sampled)))


def missing_along(sampled: Sampled) -> Literal["y", "x"] | None:
    """The axis that whole lines are missing along, which is the phase encoding; None where it cannot be told."""
    rows, columns = _any(sampled, 1), _any(sampled, 0)
    if rows.all() == columns.all():
        return None
    return "x" if rows.all() else "y"


def measured_lines(sampled: Sampled, phase_encode: Literal["y", "x"]) -> tuple[NDArray[np.bool_], bool]:
    """``(n_lines,)`` bool along the phase encode, True where anything was measured, and whether each was whole."""
    readout = 1 if phase_encode == "y" else 0
    lines = _any(sampled, readout)
    return lines, bool((sampled.all(readout) == lines).all())


def has_gaps(lines: NDArray[np.bool_]) -> bool:
    """Whether anything between the first and the last measured line is missing."""
    found = np.flatnonzero(lines)
    return len(found) <= int(found[-1] - found[0])


def has_holes(sampled: Sampled) -> bool:
    """Whether samples are missing amid others: the scan was undersampled when it was acquired.

    A block with one side missing (partial Fourier) or with its corners cut has none.
    """
    return any(has_gaps(line) for plane in (sampled, sampled.T) for line in plane if line.any())


def _centred_extent(sampled: NDArray[np.bool_]) -> int:
    """Length of the shortest centred stretch that holds every measured line; even or odd as the axis is."""
    length = len(sampled)
    found = np.flatnonzero(sampled)
    below, above = length // 2 - int(found[0]), int(found[-1]) - length // 2
    half = max(below, above + (length + 1) % 2)
    return min(length, max(1, 2 * half + length % 2))


def _any(sampled: Sampled, axis: int) -> NDArray[np.bool_]:
    return np.asarray(sampled.any(axis), dtype=bool)
