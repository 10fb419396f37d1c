"""`examine`: every check that one scan can be asked."""

import numpy as np

from napari_mritransfer.honesty.centring import off_centre
from napari_mritransfer.honesty.coils import coil_combined
from napari_mritransfer.honesty.extent import lines_with_samples, measured_extent, zero_filled
from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.grey import eight_bit, masked_background
from napari_mritransfer.honesty.jpeg import jpeg
from napari_mritransfer.honesty.partial import partial_fourier
from napari_mritransfer.honesty.sample import Sample
from napari_mritransfer.honesty.sampling import missing_acs
from napari_mritransfer.honesty.symmetry import simulated
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.physics.masks import SamplingMask


def examine(scan: Scan) -> tuple[Finding, ...]:
    """What a serious reviewer would ask of a scan; a few slices are looked at, see `Sample.of`.

    Returns
    -------
    findings
        One per check and axis, in the order of docs/honesty.md; a scan without signal has one finding that says so.

    Raises
    ------
    UnreadableScan
        If the file cannot be read where it is looked at.
    """
    sample = Sample.of(scan)
    if not np.isfinite(sample.magnitude).all():
        return (_cannot_tell("Some voxels are NaN or infinite: nothing can be said until they are replaced."),)
    if not sample.magnitude.any():
        return (_cannot_tell("The slices that were looked at are zero everywhere: nothing can be said of them."),)
    symmetry = simulated(sample, scan.origin)
    findings = [
        symmetry,
        zero_filled(sample, "y"),
        zero_filled(sample, "x"),
        masked_background(sample),
        eight_bit(sample),
        jpeg(sample),
        coil_combined(scan),
        partial_fourier(sample, is_hermitian=symmetry.verdict is Verdict.CONCERN and symmetry.value is not None),
        off_centre(sample),
    ]
    if sample.is_raw and _was_undersampled(sample):
        findings.append(missing_acs(_mask(sample)))
    return tuple(findings)


def _cannot_tell(sentence: str) -> Finding:
    return Finding("signal", Verdict.UNKNOWN, sentence)


def _was_undersampled(sample: Sample) -> bool:
    """Whether samples are missing within the extent that was measured."""
    (top, bottom, _), (left, right, _) = (measured_extent(sample.measured, axis) for axis in ("y", "x"))
    return not bool(sample.measured[top : bottom + 1, left : right + 1].all())


def _mask(sample: Sample) -> SamplingMask:
    """Whole lines where they were left out whole, else the plane."""
    measured = sample.measured
    rows, columns = lines_with_samples(measured, "y"), lines_with_samples(measured, "x")
    if not np.array_equal(measured, np.outer(rows, columns)):
        return SamplingMask(measured, None)
    first, last, _ = measured_extent(measured, "y")
    return SamplingMask(columns if rows[first : last + 1].all() else rows, None)
