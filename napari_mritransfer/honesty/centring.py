"""DC or the image off the centre: the traces of an FFT shift too few or too many."""

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample

CHECK = "DC off the centre"
LARGEST_OFFSET = 2.5  # samples: the strongest line of real scans is within 1 of the centre
HALF_FIELD = 3.2  # border over centre: real scans reach 2.6, heads moved by half a field of view 4 and more


def border_over_centre(magnitude: NDArray[np.floating], axis: int) -> float:
    """Mean signal of the outer quarter of the field of view over that of the central quarter.

    Parameters
    ----------
    magnitude
        ``(slice, y, x)``.
    axis
        1 or 2.
    """
    profile = magnitude.sum(axis=(0, 3 - axis), dtype=np.float64)
    length = len(profile)
    eighth = max(1, length // 8)
    border = np.concatenate([profile[:eighth], profile[-eighth:]]).mean()
    centre = profile[length // 2 - eighth : length // 2 + eighth].mean()
    return float(border / centre) if centre > 0 else float(border > 0) * 1e6


def off_centre(sample: Sample) -> Finding:
    """Whether k-space's strongest line is away from ``n // 2``, or the image is torn over its border."""
    offsets = {axis: int(power.argmax()) - len(power) // 2 for axis, power in sample.line_power.items()}
    farthest = max(offsets, key=lambda axis: abs(offsets[axis]))
    torn = {"y": border_over_centre(sample.magnitude, 1), "x": border_over_centre(sample.magnitude, 2)}
    most_torn = max(torn, key=lambda axis: torn[axis])
    details: dict[str, object] = {f"offset along {axis}": offset for axis, offset in offsets.items()}
    details |= {f"border over centre along {axis}": round(value, 2) for axis, value in torn.items()}
    if abs(offsets[farthest]) > LARGEST_OFFSET:
        sentence = (
            f"The strongest k-space line along {farthest} is {abs(offsets[farthest])} lines off the centre: shift "
            "DC there, or the ACS and every mask miss it."
        )
        return Finding(
            CHECK, Verdict.CONCERN, sentence, float(abs(offsets[farthest])), LARGEST_OFFSET, details
        )  # fmt: skip
    if torn[most_torn] > HALF_FIELD:
        sentence = (
            f"The image lies across its own border along {most_torn}, half a field of view away: an FFT shift is "
            "missing, or k-space alternates in sign."
        )
        return Finding(CHECK, Verdict.CONCERN, sentence, torn[most_torn], HALF_FIELD, details)
    return Finding(
        CHECK, Verdict.FINE, "DC is in the centre of k-space.", float(abs(offsets[farthest])), LARGEST_OFFSET, details
    )
