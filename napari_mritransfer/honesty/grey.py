"""What was done to the grey values: masked air, and eight bits."""

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample

MASKED, EIGHT_BIT = "masked background", "8-bit source"
ZERO_SHARE = 0.04  # unmasked scans have 1.3 % zeros at most, masked ones 11 % and more, see docs/honesty.md
GREY_LEVELS = 256
_ROUNDING = 1e-6  # of the maximum: what single-precision FFTs leave where a mask was
_FINENESS = 1e4  # levels between 0 and the maximum that are told apart: far finer than 8 bits, coarser than rounding
_ENOUGH_VOXELS = 4096  # with fewer nobody expects more levels


def zero_share(magnitude: NDArray[np.floating]) -> float:
    """Share of the voxels that are zero, up to what an FFT's rounding leaves; 1 where all are.

    Parameters
    ----------
    magnitude
        ``(slice, y, x)``.
    """
    return float(np.mean(np.abs(magnitude) <= _ROUNDING * np.abs(magnitude).max(initial=0)))


def grey_levels(magnitude: NDArray[np.floating]) -> int:
    """The largest number of different values in any slice, each scaled to its own maximum; 10001 at most.

    Parameters
    ----------
    magnitude
        ``(slice, y, x)``; slices may have been scaled on their own.
    """
    peaks = np.abs(magnitude).max(axis=(1, 2))
    counts = [
        len(np.unique(np.round(plane / peak * _FINENESS))) for plane, peak in zip(magnitude, peaks, strict=True) if peak
    ]
    return max(counts, default=0)


def masked_background(sample: Sample) -> Finding:
    """Whether air was set to zero."""
    share = zero_share(sample.magnitude)
    details = {"slices": list(sample.slices)}
    if share > ZERO_SHARE:
        sentence = (
            f"{share:.0%} of the voxels are exactly zero: the background was masked, so air gives no noise estimate "
            "and image metrics over the whole slice flatter."
        )
        return Finding(MASKED, Verdict.CONCERN, sentence, share, ZERO_SHARE, details)
    return Finding(MASKED, Verdict.FINE, "The background was not masked.", share, ZERO_SHARE, details)


def eight_bit(sample: Sample) -> Finding:
    """Whether the image was stored with 8 bits, whatever it was scaled to since."""
    voxels = int(np.count_nonzero(sample.magnitude, axis=(1, 2)).max(initial=0))
    if voxels < _ENOUGH_VOXELS:
        return Finding(
            EIGHT_BIT, Verdict.UNKNOWN, "The slices have too few voxels with signal to count their grey levels."
        )
    levels = grey_levels(sample.magnitude)
    details = {"slices": list(sample.slices)}
    if levels <= GREY_LEVELS:
        sentence = (
            f"No slice has more than {levels} grey levels, as many as 8 bits hold: rounding replaced the noise, and "
            "small differences between methods mean nothing."
        )
        return Finding(EIGHT_BIT, Verdict.CONCERN, sentence, float(levels), float(GREY_LEVELS), details)
    return Finding(
        EIGHT_BIT, Verdict.FINE, "There are more grey levels than 8 bits hold.", float(levels), float(GREY_LEVELS),
        details,
    )  # fmt: skip
