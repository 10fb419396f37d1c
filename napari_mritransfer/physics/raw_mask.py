"""The mask of raw k-space: as it was measured, or with more lines left out. NumPy only, so that a form can draw it."""

from typing import Literal

from napari_mritransfer.physics.extent import Sampled, measured_lines
from napari_mritransfer.physics.masks import SamplingMask, SamplingPattern, make_on_plane

_PARTIAL = "Only one side of k-space was measured to its end (partial Fourier)."


def found_mask(sampled: Sampled, phase_encode: Literal["y", "x"]) -> SamplingMask:
    """What was measured: lines where each was measured whole, else samples of the plane.

    Parameters
    ----------
    sampled
        ``(ky, kx)`` bool.
    phase_encode
        Image axis the lines run along.
    """
    lines, are_whole = measured_lines(sampled, phase_encode)
    return SamplingMask(lines if are_whole else sampled, None)


def drawn_mask(
    pattern: SamplingPattern, sampled: Sampled, support: tuple[int, int], phase_encode: Literal["y", "x"]
) -> SamplingMask:
    """What a pattern leaves of what was measured; nothing else can be kept.

    Parameters
    ----------
    sampled
        ``(ky, kx)`` bool, without holes (see `extent.has_holes`).
    support
        ``(ky, kx)`` of the centred box that the scanner reached: what is missing within it is partial Fourier.

    Raises
    ------
    ValueError
        If the pattern does not fit.
    """
    lines, are_whole = measured_lines(sampled, phase_encode)
    drawn = make_on_plane(pattern, (sampled.shape[0], sampled.shape[1]), phase_encode)
    axes: tuple[Literal["y", "x"], ...] = ("y", "x") if pattern.is_plane else (phase_encode,)
    is_partial = any(_ends_early(sampled, support, axis) for axis in axes)
    has_lines = are_whole and not pattern.is_plane
    kept = drawn.lines & lines if has_lines else sampled & drawn.on_plane(phase_encode)
    return SamplingMask(kept, pattern, f"{drawn.note} {_PARTIAL}".strip() if is_partial else drawn.note)


def _ends_early(sampled: Sampled, support: tuple[int, int], axis: Literal["y", "x"]) -> bool:
    """Whether lines along an axis are missing that the scanner could have reached."""
    lines, _ = measured_lines(sampled, axis)
    return SamplingMask(lines, None).rate_within((support[0 if axis == "y" else 1],)) < 1
