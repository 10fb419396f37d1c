"""How much of k-space was really measured, axis by axis: zero-filling and interpolation."""

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample
from napari_mritransfer.physics.support import measured_support

CHECK = "zero-filled or interpolated"
OUTER_DB = -17.0  # without a cliff: below every axis that was left as it was, see docs/honesty.md
_CLIFF_DB = -6.0  # with a cliff: reconstructions can have one above this
_WHOLE = 0.97  # of the lines: raw scans often lack one or two at the edge
# of the half-width; the last lines are the vendor's filter's
_INNER, _HALF_WAY, _OUTERMOST = (0.1, 0.3), (0.4, 0.6), (0.88, 0.98)
_STEEPEST = 1e-4  # anatomy falls by less than 40 dB from the inner lines to those half-way out: more is emptiness


def outer_level_db(line_power: NDArray[np.float64]) -> float:
    """Power of the outermost k-space lines (88 to 98 % of the half-width) against those half-way out (40 to 60 %).

    Parameters
    ----------
    line_power
        ``(line,)``, DC at ``n // 2``, any unit of energy.

    Returns
    -------
    level
        In dB; at least -200, and 0 where there is no signal to compare with.
    """
    inner, half_way, outermost = (_mean_power(line_power, *band) for band in (_INNER, _HALF_WAY, _OUTERMOST))
    level = max(half_way, _STEEPEST * inner)  # zero-filled far enough, half-way out is empty too
    return float(10 * np.log10(max(outermost / level, 1e-20))) if level > 0 else 0.0


def zero_filled(sample: Sample, axis: str) -> Finding:
    """Whether the outer k-space along `axis` (``y`` or ``x``) was never measured.

    Raw k-space tells by samples that are exactly zero; an image by how little energy its outer k-space holds.
    """
    if sample.is_raw:
        first, last, length = measured_extent(sample.measured, axis)
        held = last - first + 1
        share, lowest = held / length, _WHOLE
        is_filled, details = share < lowest, {"axis": axis, "lines": length, "lines that hold signal": held}
        value: float = share
    else:
        images = sample.coil_images[:, 0] if sample.has_phase else sample.magnitude
        number = 1 if axis == "y" else 2
        length, held = images.shape[number], measured_support(images, number)
        value, lowest = outer_level_db(sample.line_power[axis]), OUTER_DB
        is_filled = value < lowest or (held < _WHOLE * length and value < _CLIFF_DB)
        details = {"axis": axis, "lines": length, "lines that hold signal": held, "outer level in dB": round(value, 1)}
    if not is_filled:
        return Finding(
            f"{CHECK} ({axis})", Verdict.FINE, f"K-space along {axis} holds signal up to its edge.", value, lowest,
            details,
        )  # fmt: skip
    if held < length:
        sentence = (
            f"Only {held} of {length} k-space lines along {axis} hold signal, the rest is zero-filled: count measured "
            "lines only, or a rate looks lower than it is."
        )
    else:
        sentence = (
            f"The outer k-space along {axis} is nearly empty, as after interpolation or a strong filter: the image has "
            "less resolution than voxels, and an undersampled one is easier to reconstruct."
        )
    return Finding(f"{CHECK} ({axis})", Verdict.CONCERN, sentence, value, lowest, details)


def measured_extent(measured: NDArray[np.bool_], axis: str) -> tuple[int, int, int]:
    """First and last line along `axis` that holds any sample, and the number of all lines; (0, n - 1, n) of none."""
    lines = lines_with_samples(measured, axis)
    found = np.flatnonzero(lines)
    length = len(lines)
    return (int(found[0]), int(found[-1]), length) if found.size else (0, length - 1, length)


def lines_with_samples(measured: NDArray[np.bool_], axis: str) -> NDArray[np.bool_]:
    """``(line,)`` along `axis`, True where any sample of a ``(ky, kx)`` mask was measured."""
    return np.asarray(measured.any(axis=1 if axis == "y" else 0), dtype=bool)


def _mean_power(line_power: NDArray[np.float64], start: float, stop: float) -> float:
    length = len(line_power)
    distance = np.abs(np.arange(length) - length // 2) / max(length / 2, 1)
    band = (distance >= start) & (distance <= stop)
    return float(line_power[band].mean()) if band.any() else 0.0
