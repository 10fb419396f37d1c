"""Sampling masks for Cartesian k-space: which phase-encode lines are measured. NumPy only."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.bool_]


class MaskKind(StrEnum):
    """How the lines outside the ACS are chosen; the values are what users type and read."""

    RANDOM = "random"
    EQUISPACED = "equispaced"
    GAUSSIAN = "gaussian"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class SamplingPattern:
    """What a person asks for: enough to make the same mask for any number of lines.

    Attributes
    ----------
    kind
        Distribution of the lines outside the ACS.
    rate
        Nominal sampled fraction, ACS lines included, in (0, 1].
    acs
        Fraction of the lines in the fully sampled centre, in [0, rate].
    seed
        Of the random kinds; the same seed gives the same lines.
    offset
        First line of the equispaced kind, counted from line 0; reduced modulo the spacing.
    """

    kind: MaskKind = MaskKind.RANDOM
    rate: float = 0.25
    acs: float = 0.08
    seed: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class SamplingMask:
    """Measured lines beside what was asked for.

    Attributes
    ----------
    lines
        ``(n_lines,)`` bool, True where measured; line ``n_lines // 2`` is DC. Or ``(ky, kx)`` samples, where both
        in-plane axes are phase encodes: the plane across the readout of a 3-D acquisition.
    pattern
        The request; None where the lines were not asked for but found in a scan that was undersampled already.
    note
        Empty, or one sentence that a person has to know about these lines, such as why the nominal rate is missed.
    """

    lines: Lines
    pattern: SamplingPattern | None
    note: str = ""

    @property
    def nominal_rate(self) -> float:
        """What was asked for; the achieved rate where nobody asked."""
        return self.achieved_rate if self.pattern is None else self.pattern.rate

    @property
    def is_plane(self) -> bool:
        """Whether samples were chosen along both in-plane axes, rather than whole lines."""
        return self.lines.ndim == 2

    @property
    def centre_lines(self) -> int:
        """Measured lines without a gap around DC: the ACS, and whatever happens to touch it; 0 without DC.

        Of a plane of samples those along the column through DC.
        """
        along = self.lines[:, self.lines.shape[1] // 2] if self.is_plane else self.lines
        gaps = np.flatnonzero(~along)
        dc = len(along) // 2
        below, above = gaps[gaps <= dc], gaps[gaps >= dc]
        end = int(above[0]) if above.size else len(along)
        return max(0, end - (int(below[-1]) + 1 if below.size else 0))

    def on_plane(self, phase_encode: str) -> Lines:
        """The mask with an axis each for ky and kx, broadcastable to ``(ky, kx)``.

        Parameters
        ----------
        phase_encode
            Image axis that `lines` runs along, y or x; of no account where they are a plane already.
        """
        if self.is_plane:
            return self.lines
        return self.lines[:, None] if phase_encode == "y" else self.lines[None, :]

    @property
    def achieved_rate(self) -> float:
        """Measured fraction of the lines, or of the samples of a plane, in (0, 1]."""
        return float(self.lines.mean())

    @property
    def acceleration(self) -> float:
        """All lines over measured lines, at least 1."""
        return 1.0 / self.achieved_rate


def make(pattern: SamplingPattern, n_lines: int) -> SamplingMask:
    """Lines of one mask.

    Raises
    ------
    ValueError
        If the rate, the ACS or the number of lines is out of range, or the ACS lines alone exceed the rate.
    """
    if n_lines < 1:
        raise ValueError(f"A mask needs at least one phase-encode line, not {n_lines}.")
    if not 0 < pattern.rate <= 1:
        raise ValueError(f"The sampling rate is {pattern.rate:g}; give a fraction above 0 and up to 1, such as 0.25.")
    if not 0 <= pattern.acs <= 1:
        raise ValueError(f"The ACS fraction is {pattern.acs:g}; give a fraction from 0 to 1, such as 0.08.")
    if pattern.kind not in tuple(MaskKind):  # plain strings are equal to their kind, but may be misspelt
        raise ValueError(f"There is no mask kind called '{pattern.kind}'; choose one of: {', '.join(MaskKind)}.")
    if pattern.kind == MaskKind.CENTRE:
        return SamplingMask(centre_only(n_lines, pattern.rate), pattern)
    if pattern.acs > pattern.rate:
        raise ValueError(
            f"The ACS alone ({pattern.acs:.1%} of the lines) exceeds the sampling rate ({pattern.rate:.1%}); "
            "lower the ACS or raise the rate."
        )
    if pattern.kind == MaskKind.EQUISPACED:
        return _equispaced_nearest(pattern, n_lines)
    draw = variable_density if pattern.kind == MaskKind.RANDOM else gaussian
    return SamplingMask(draw(n_lines, pattern.rate, pattern.acs, seed=pattern.seed), pattern)


def variable_density(n_lines: int, rate: float, acs: float = 0.08, *, power: float = 2.0, seed: int = 0) -> Lines:
    """Random lines, denser towards the centre of k-space: density ``(1 - |k|) ** power``.

    Parameters
    ----------
    n_lines
        Number of phase-encode lines; line ``n_lines // 2`` is DC.
    rate
        Sampled fraction, ACS lines included, in (0, 1].
    acs
        Fraction of lines in the fully sampled centre, in [0, rate].
    power
        Steepness of the density; 0 is uniform.
    seed
        Of the draw.

    Returns
    -------
    lines
        ``(n_lines,)`` bool; their mean is `rate` to within one line.

    References
    ----------
    Lustig, Donoho, Pauly: Sparse MRI, Magn Reson Med 2007, 58:1182.
    """
    distance = _distance_from_centre(n_lines)
    return _draw(n_lines, rate, acs, (1 - distance) ** power, seed)


def gaussian(n_lines: int, rate: float, acs: float = 0.08, *, sigma: float = 0.35, seed: int = 0) -> Lines:
    """Random lines with a Gaussian density about DC; `sigma` in units of the half-width of k-space.

    Parameters, returns: see `variable_density`.
    """
    distance = _distance_from_centre(n_lines)
    return _draw(n_lines, rate, acs, np.exp(-0.5 * (distance / sigma) ** 2), seed)


def equispaced(n_lines: int, spacing: int, acs: float = 0.08, *, offset: int = 0) -> Lines:
    """Every `spacing`-th line from ``offset % spacing`` on, one constant gap throughout, plus the ACS.

    Returns
    -------
    lines
        ``(n_lines,)`` bool.
    """
    lines = _acs_lines(n_lines, acs)
    lines[offset % spacing :: spacing] = True
    return lines


def centre_only(n_lines: int, rate: float) -> Lines:
    """The central block of lines, nothing outside: a plain loss of resolution.

    Returns
    -------
    lines
        ``(n_lines,)`` bool; their mean is `rate` to within one line.
    """
    return _acs_lines(n_lines, max(rate, 1 / n_lines))


def _equispaced_nearest(pattern: SamplingPattern, n_lines: int) -> SamplingMask:
    """The whole-number spacing whose total, ACS included, comes nearest to the nominal rate."""
    candidates = [equispaced(n_lines, spacing, pattern.acs, offset=pattern.offset) for spacing in range(1, n_lines + 1)]
    target = pattern.rate * n_lines
    best = min(range(n_lines), key=lambda i: (abs(candidates[i].sum() - target), i))
    lines = candidates[best]
    note = ""
    if abs(lines.sum() - target) > 1:
        note = (
            f"Equispaced lines keep one whole-number gap: every {best + 1} lines plus the ACS measures "
            f"{lines.mean():.1%}, the nearest there is to {pattern.rate:.1%}."
        )
    return SamplingMask(lines, pattern, note)


def _distance_from_centre(n_lines: int) -> NDArray[np.float64]:
    """Distance of each line from DC, 0 to below 1, so that every line can be drawn."""
    return np.abs(np.arange(n_lines) - n_lines // 2) / (n_lines // 2 + 1)


def _acs_lines(n_lines: int, acs: float) -> Lines:
    lines = np.zeros(n_lines, dtype=bool)
    count = round(acs * n_lines)
    start = n_lines // 2 - count // 2
    lines[start : start + count] = True
    return lines


def _draw(n_lines: int, rate: float, acs: float, density: NDArray[np.float64], seed: int) -> Lines:
    """The ACS plus lines drawn without replacement until the rate is met."""
    lines = _acs_lines(n_lines, acs)
    missing = max(1, round(rate * n_lines)) - int(lines.sum())
    if missing > 0:
        weights = np.where(lines, 0.0, density)
        drawn = np.random.default_rng(seed).choice(n_lines, size=missing, replace=False, p=weights / weights.sum())
        lines[drawn] = True
    return lines
