"""Whether a rate means what it says, and whether the centre of k-space was measured."""

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.physics.masks import SamplingMask

RATES, ACS = "rates", "missing ACS"
SMALLEST_ACS = 0.04  # of the lines: fastMRI's own at 8-fold acceleration; a convention, not a measurement


def examine_sampling(mask: SamplingMask, support: int | None = None) -> tuple[Finding, ...]:
    """Nominal, achieved and effective rate, and the ACS, of a mask.

    Parameters
    ----------
    mask
        Lines or a plane of samples.
    support
        Central lines along the mask that hold signal; all where omitted. Of no account for a plane.

    Raises
    ------
    ValueError
        If `support` is not in [1, number of lines].
    """
    return _rates(mask, support), missing_acs(mask)


def missing_acs(mask: SamplingMask) -> Finding:
    """Whether a block of lines about DC is there without gaps."""
    length = len(mask.lines)
    share = mask.centre_lines / length
    details = {"lines about DC": mask.centre_lines, "lines": length}
    if share < SMALLEST_ACS:
        sentence = (
            f"Only {mask.centre_lines} of {length} lines about DC were measured without a gap (ACS): coil maps and "
            "phases cannot be found from them, and contrast itself is left to chance."
        )
        return Finding(ACS, Verdict.CONCERN, sentence, share, SMALLEST_ACS, details)
    return Finding(
        ACS, Verdict.FINE, f"{mask.centre_lines} lines about DC were measured without a gap.", share, SMALLEST_ACS,
        details,
    )  # fmt: skip


def _rates(mask: SamplingMask, support: int | None) -> Finding:
    length = len(mask.lines)
    effective = mask.achieved_rate
    if support is not None and not mask.is_plane:
        if not 1 <= support <= length:
            raise ValueError(f"{support} of {length} lines cannot hold signal; give a number from 1 to {length}.")
        start = length // 2 - support // 2
        effective = float(mask.lines[start : start + support].mean())
    rates = {"nominal": mask.nominal_rate, "achieved": mask.achieved_rate, "effective": effective}
    apart = max(rates.values()) - min(rates.values())
    told = ", ".join(f"{name} {rate:.1%}" for name, rate in rates.items())
    one_line = 1 / length
    # a rate is met to within one line, and comparing floats is not the place to argue about it
    if apart > one_line + 1e-9:
        sentence = f"The sampling rates differ by {apart:.1%} ({told}): say which one a result is for."
        return Finding(RATES, Verdict.CONCERN, sentence, apart, one_line, rates)
    return Finding(RATES, Verdict.FINE, f"The sampling rates agree ({told}).", apart, one_line, rates)
