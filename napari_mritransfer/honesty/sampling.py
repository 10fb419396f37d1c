"""Whether a rate means what it says, and whether the centre of k-space was measured."""

from collections.abc import Sequence

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.physics.masks import SamplingMask

RATES, ACS = "rates", "missing ACS"
SMALLEST_ACS = 0.04  # of the lines: fastMRI's own at 8-fold acceleration; a convention, not a measurement


def examine_sampling(mask: SamplingMask, support: Sequence[int] | None = None) -> tuple[Finding, ...]:
    """Nominal, achieved and effective rate, and the ACS, of a mask.

    Parameters
    ----------
    mask
        Lines or a plane of samples.
    support
        ``(lines,)`` in the centre that hold signal, or ``(ky, kx)`` of a plane; all where omitted.

    Raises
    ------
    ValueError
        If `support` is not within k-space.
    """
    return _rates(mask, support), missing_acs(mask)


def missing_acs(mask: SamplingMask) -> Finding:
    """Whether a block of lines about DC is there without gaps."""
    length, centre = min(mask.lines.shape), mask.centre_lines
    share = centre / length
    details = {f"{mask.unit} about DC": centre, mask.unit: length}
    if share < SMALLEST_ACS:
        few = f"{centre} × {centre} samples" if mask.is_plane else f"{centre} of {length} lines"
        sentence = (
            f"Only {few} about DC were measured without a gap (ACS): coil maps and phases cannot be found from them, "
            "and contrast itself is left to chance."
        )
        return Finding(ACS, Verdict.CONCERN, sentence, share, SMALLEST_ACS, details)
    whole = f"{centre} × {centre} samples" if mask.is_plane else f"{centre} lines"
    sentence = f"{whole} about DC were measured without a gap."
    return Finding(ACS, Verdict.FINE, sentence, share, SMALLEST_ACS, details)


def _rates(mask: SamplingMask, support: Sequence[int] | None) -> Finding:
    effective = mask.achieved_rate
    if support is not None:
        for size, length in zip(support, mask.lines.shape, strict=True):
            if not 1 <= size <= length:
                raise ValueError(f"{size} of {length} lines cannot hold signal; give a number from 1 to {length}.")
        effective = mask.rate_within(support)
    rates = {"nominal": mask.nominal_rate, "achieved": mask.achieved_rate, "effective": effective}
    apart = max(rates.values()) - min(rates.values())
    told = ", ".join(f"{name} {rate:.1%}" for name, rate in rates.items())
    one_line = 1 / len(mask.lines)
    # a rate is met to within one line, and comparing floats is not the place to argue about it
    if apart > one_line + 1e-9:
        sentence = f"The sampling rates differ by {apart:.1%} ({told}): say which one a result is for."
        return Finding(RATES, Verdict.CONCERN, sentence, apart, one_line, rates)
    return Finding(RATES, Verdict.FINE, f"The sampling rates agree ({told}).", apart, one_line, rates)
