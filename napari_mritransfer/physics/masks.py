"""Sampling masks for Cartesian k-space: which lines, or samples of a plane, are measured. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_mritransfer.physics.centre import whole_centre
from napari_mritransfer.physics.line_masks import Lines, centre_only, equispaced, gaussian, variable_density
from napari_mritransfer.physics.plane_masks import poisson_disc, radial, random_plane

NEEDS_3D = (
    "This mask needs a 3-D acquisition, where both in-plane axes are phase encodes (the ky–kz plane): a 2-D one reads "
    "whole lines."
)


class MaskKind(StrEnum):
    """How the samples outside the ACS are chosen; the values are what users type and read."""

    RANDOM = "random"
    EQUISPACED = "equispaced"
    GAUSSIAN = "gaussian"
    CENTRE = "centre"
    RANDOM_PLANE = "random-2d"
    POISSON_DISC = "poisson-disc"
    RADIAL = "radial"

    @property
    def is_plane(self) -> bool:
        """Whether samples of the ky–kz plane are chosen, which needs a 3-D acquisition, rather than lines."""
        return self in (MaskKind.RANDOM_PLANE, MaskKind.POISSON_DISC, MaskKind.RADIAL)

    @property
    def is_drawn(self) -> bool:
        """Whether the seed has a say."""
        return self not in (MaskKind.EQUISPACED, MaskKind.CENTRE)


@dataclass(frozen=True, slots=True)
class SamplingPattern:
    """What a person asks for: enough to make the same mask for any number of lines, or any plane.

    Attributes
    ----------
    kind
        Distribution of the lines or samples outside the ACS.
    rate
        Nominal sampled fraction, ACS included, in (0, 1].
    acs
        Fraction of the lines in the fully sampled centre, in [0, rate]; over a plane the edge of the fully sampled
        central block as a fraction of either axis, the block being no more than is sampled in all.
    seed
        Of the random kinds and of the angle of the first spoke; the same seed gives the same mask.
    offset
        First line of the equispaced kind, counted from line 0; reduced modulo the spacing.
    """

    kind: MaskKind = MaskKind.RANDOM
    rate: float = 0.25
    acs: float = 0.08
    seed: int = 0
    offset: int = 0

    @property
    def is_plane(self) -> bool:
        """Whether samples of the ky–kz plane are chosen rather than lines."""
        return MaskKind(self.kind).is_plane  # plain strings are taken too

    @property
    def unit(self) -> str:
        """What is counted, in the plural: lines or samples."""
        return "samples" if self.is_plane else "lines"


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
    def unit(self) -> str:
        """What is counted, in the plural: lines or samples."""
        return "samples" if self.is_plane else "lines"

    @property
    def centre_lines(self) -> int:
        """Measured lines without a gap around DC: the ACS, and whatever happens to touch it; 0 without DC.

        Of a plane of samples the shorter side of the block that is whole.
        """
        if self.is_plane:
            return min(whole_centre(self.lines))
        gaps = np.flatnonzero(~self.lines)
        dc = len(self.lines) // 2
        below, above = gaps[gaps <= dc], gaps[gaps >= dc]
        end = int(above[0]) if above.size else len(self.lines)
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

    def rate_within(self, support: Sequence[int]) -> float:
        """Measured fraction of the part of k-space that holds signal, in [0, 1].

        Parameters
        ----------
        support
            Central lines that do; of a plane ``(ky, kx)`` samples.
        """
        starts = [n // 2 - min(size, n) // 2 for n, size in zip(self.lines.shape, support, strict=True)]
        inside = tuple(slice(start, start + size) for start, size in zip(starts, support, strict=True))
        return float(self.lines[inside].mean())

    @property
    def acceleration(self) -> float:
        """All lines over measured lines, at least 1."""
        return 1.0 / self.achieved_rate


def make(pattern: SamplingPattern, n_lines: int) -> SamplingMask:
    """Lines of one mask.

    Raises
    ------
    ValueError
        If the rate, the ACS or the number of lines is out of range, the ACS lines alone exceed the rate, or the pattern
        chooses samples of a plane.
    """
    if n_lines < 1:
        raise ValueError(f"A mask needs at least one phase-encode line, not {n_lines}.")
    _check(pattern)
    if pattern.is_plane:
        raise ValueError(f"A {pattern.kind} mask is chosen over the whole plane, not along one axis.")
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


def make_on_plane(pattern: SamplingPattern, shape: tuple[int, int], phase_encode: str) -> SamplingMask:
    """The mask of any kind for k-space of one slice.

    Parameters
    ----------
    shape
        ``(ky, kx)``.
    phase_encode
        Image axis of the lines, y or x; of no account for the kinds that choose samples of the plane.

    Raises
    ------
    ValueError
        If the pattern does not fit.
    """
    _check(pattern)
    if not pattern.is_plane:
        return make(pattern, shape[0 if phase_encode == "y" else 1])
    block = round(pattern.acs * shape[0]) * round(pattern.acs * shape[1])
    if block > max(1, round(pattern.rate * shape[0] * shape[1])):
        raise ValueError(
            f"The ACS alone ({block / (shape[0] * shape[1]):.1%} of the plane) exceeds the sampling rate "
            f"({pattern.rate:.1%}); lower the ACS or raise the rate."
        )
    draw = _PLANES[pattern.kind]
    return SamplingMask(draw(shape, pattern.rate, pattern.acs, seed=pattern.seed), pattern, NEEDS_3D)


def _check(pattern: SamplingPattern) -> None:
    if not 0 < pattern.rate <= 1:
        raise ValueError(f"The sampling rate is {pattern.rate:g}; give a fraction above 0 and up to 1, such as 0.25.")
    if not 0 <= pattern.acs <= 1:
        raise ValueError(f"The ACS fraction is {pattern.acs:g}; give a fraction from 0 to 1, such as 0.08.")
    if pattern.kind not in tuple(MaskKind):  # plain strings are equal to their kind, but may be misspelt
        raise ValueError(f"There is no mask kind called '{pattern.kind}'; choose one of: {', '.join(MaskKind)}.")


_PLANES = {
    MaskKind.RANDOM_PLANE: random_plane,
    MaskKind.POISSON_DISC: poisson_disc,
    MaskKind.RADIAL: radial,
}


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
