"""Partial Fourier: one side of k-space was not measured, and is empty or was filled from the other."""

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.extent import lines_with_samples, measured_extent
from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample

CHECK = "partial Fourier"
ONE_SIDED = 0.08  # of the half-width: real scans lack 1 % on one side, 7/8 partial Fourier lacks 25 %
COHERENT = 0.5  # real outer lines reach 0.16, lines that were filled from the other side 1
_WEAKER_DB = 15.0  # one side against the other, smoothed; real scans differ by less than 3 dB
_OUTER = 1 / 8  # of the half-width: less than any partial Fourier leaves out


def one_sided_share(line_power: NDArray[np.float64]) -> float:
    """Share of the half-width over which one side of DC is weaker than the other by more than 15 dB.

    Parameters
    ----------
    line_power
        ``(line,)``, DC at ``n // 2``; smoothed over a thirty-second of them. Power below 1e-12 of the strongest line
        is rounding and counts as that.
    """
    centre, half = len(line_power) // 2, (len(line_power) - 1) // 2
    width = max(1, half // 16)
    if half < width + 1 or not line_power.max() > 0:
        return 0.0
    floored = np.maximum(line_power, 1e-12 * line_power.max())
    kernel = np.ones(width) / width
    below = np.convolve(floored[centre - half : centre][::-1], kernel, "valid")
    above = np.convolve(floored[centre + 1 : centre + 1 + half], kernel, "valid")
    return float(np.mean(np.abs(10 * np.log10(above / below)) > _WEAKER_DB))


def mirror_coherence(kspace: NDArray[np.complexfloating]) -> float:
    """Median coherence of the outermost eighth of the ky lines with the conjugate of their mirror images about DC.

    Parameters
    ----------
    kspace
        ``(…, ky, kx)``, DC in the centre.

    Returns
    -------
    coherence
        0 to 1; 1 where one side is the conjugate of the other up to one phase a line. 0 without outer lines.
    """
    rows, columns = kspace.shape[-2:]
    half_y, half_x = (rows - 1) // 2, (columns - 1) // 2
    first = half_y - max(1, round(half_y * _OUTER)) + 1
    if half_y < 8 or half_x < 8:
        return 0.0
    within = slice(columns // 2 - half_x, columns // 2 + half_x + 1)
    above = kspace[..., rows // 2 + first : rows // 2 + half_y + 1, within].astype(np.complex128)
    below = kspace[..., rows // 2 - half_y : rows // 2 - first + 1, within].astype(np.complex128)
    mirrored = below[..., ::-1, ::-1]
    energies = np.sum(np.abs(above) ** 2, axis=-1) * np.sum(np.abs(mirrored) ** 2, axis=-1)
    shared = np.abs(np.sum(above * mirrored, axis=-1))
    return float(np.median(np.divide(shared, np.sqrt(energies), out=np.zeros_like(shared), where=energies > 0)))


def partial_fourier(sample: Sample, *, is_hermitian: bool) -> Finding:
    """Whether one side of k-space along ky or kx was left out.

    Parameters
    ----------
    is_hermitian
        Whether all of k-space mirrors itself, as that of a magnitude image: then nobody can tell.
    """
    if not sample.has_phase:
        return Finding(
            CHECK, Verdict.UNKNOWN,
            "A magnitude image mirrors its own k-space: whether one side was left out cannot be told.",
        )  # fmt: skip
    shares = {axis: _share(sample, axis) for axis in ("y", "x")}
    axis = max(shares, key=lambda name: shares[name])
    details: dict[str, object] = {f"one-sided share along {name}": round(share, 3) for name, share in shares.items()}
    if shares[axis] > ONE_SIDED:
        sentence = (
            f"One side of k-space along {axis} is empty over {shares[axis]:.0%} of its width (partial Fourier): count "
            "measured lines only, and expect blur along this axis."
        )
        return Finding(CHECK, Verdict.CONCERN, sentence, shares[axis], ONE_SIDED, details)
    if is_hermitian:
        return Finding(
            CHECK, Verdict.UNKNOWN,
            "All of k-space mirrors itself: whether one side was filled from the other cannot be told.",
        )  # fmt: skip
    mirrored = {"y": mirror_coherence(sample.kspace), "x": mirror_coherence(np.swapaxes(sample.kspace, -1, -2))}
    strongest = max(mirrored, key=lambda name: mirrored[name])
    details |= {f"coherence of mirrored lines along {name}": round(value, 3) for name, value in mirrored.items()}
    if mirrored[strongest] > COHERENT:
        sentence = (
            f"The outer k-space lines along {strongest} mirror each other: one side was filled from the other (partial "
            "Fourier), and is no measurement of its own."
        )
        return Finding(CHECK, Verdict.CONCERN, sentence, mirrored[strongest], COHERENT, details)
    return Finding(
        CHECK, Verdict.FINE, "Both sides of k-space were measured equally far out.", shares[axis], ONE_SIDED, details
    )


def _share(sample: Sample, axis: str) -> float:
    """By extent where lines in between are missing, by power otherwise; the larger where both can be asked."""
    first, last, length = measured_extent(sample.measured, axis)
    before, after = length // 2 - first, last - length // 2
    reach = max(before, after, 1)
    by_extent = abs(before - after) / reach if abs(before - after) > 1 else 0.0  # even lengths have one more below DC
    has_gaps = not lines_with_samples(sample.measured, axis)[first : last + 1].all()
    return by_extent if has_gaps else max(by_extent, one_sided_share(sample.line_power[axis]))
