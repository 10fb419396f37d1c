"""K-space simulated from a magnitude image: it has no phase of its own, or one that somebody painted on."""

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample
from napari_mritransfer.io.scan import Origin
from napari_mritransfer.physics.centred import inverse_transform, transform

CHECK = "simulated k-space"
THRESHOLD = 0.04  # between painted phases (0.020 at most) and real ones (0.086 at least), see docs/honesty.md
_LOW_RESOLUTION = 1 / 3  # of each axis: what passes for a smooth phase
_SMALLEST_BLOCK = 24  # fewer fully sampled lines than this leave nothing beyond the smooth phase


def hermitian_residual(image: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """How far k-space is from Hermitian symmetry, up to one phase for the whole plane.

    ``min over phi of ||Im(exp(-i phi) x)|| / ||x||``, which is ``sqrt((1 - |sum x^2| / sum |x|^2) / 2)``. K-space is
    Hermitian about DC exactly where the image is real.

    Parameters
    ----------
    image
        ``(…, y, x)``.

    Returns
    -------
    residual
        ``(…)``, 0 for a real image times a constant to 0.71 for one whose phase is everywhere; 0 where all is zero.
    """
    doubled = np.asarray(image, dtype=np.complex128)
    energy = np.sum(np.abs(doubled) ** 2, axis=(-2, -1))
    aligned = np.abs(np.sum(doubled**2, axis=(-2, -1)))
    share = np.divide(aligned, energy, out=np.ones_like(energy), where=energy > 0)
    return np.asarray(np.sqrt(np.maximum(1 - share, 0) / 2), dtype=np.float64)


def without_smooth_phase(image: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
    """The image times the conjugate phase of its own low-resolution version.

    Parameters
    ----------
    image
        ``(…, y, x)``; its version is made of the Hann-windowed central third of k-space along both axes.
    """
    kspace = transform(image)
    rows, columns = kspace.shape[-2:]
    smooth = inverse_transform(kspace * np.outer(_window(rows), _window(columns)).astype(np.float32))
    size = np.abs(smooth)
    phase = np.divide(smooth, size, out=np.ones_like(smooth), where=size > 0)
    return np.asarray(image * np.conj(phase))


def simulated(sample: Sample, origin: Origin) -> Finding:
    """Whether k-space was made from a magnitude image.

    Of undersampled k-space the largest fully measured block about DC is looked at, of several coils the median.
    """
    if origin is Origin.SIMULATED:
        return Finding(
            CHECK, Verdict.CONCERN, "The file says that its numbers are simulated: results on raw data will be worse."
        )
    if not sample.has_phase:
        return Finding(
            CHECK, Verdict.CONCERN,
            "This is a magnitude image: k-space made from it is simulated, and flatters every method.",
        )  # fmt: skip
    images = _fully_sampled(sample)
    if images is None:
        return Finding(
            CHECK, Verdict.UNKNOWN,
            f"Fewer than {_SMALLEST_BLOCK} x {_SMALLEST_BLOCK} samples about DC were measured without gaps: whether "
            "the phase is a real one cannot be told.",
        )  # fmt: skip
    plain = float(np.median(hermitian_residual(images)))
    residual = float(np.median(hermitian_residual(without_smooth_phase(images))))
    details = {"before removing the smooth phase": round(plain, 5), "slices": list(sample.slices)}
    if residual >= THRESHOLD:
        sentence = "The phase has the detail of a real acquisition: nothing says that k-space was made from magnitudes."
        return Finding(CHECK, Verdict.FINE, sentence, residual, THRESHOLD, details)
    how = (
        "K-space is Hermitian: it was made from a magnitude image"
        if plain < THRESHOLD
        else "K-space is Hermitian but for a smooth phase: it was made from a magnitude image with a phase painted on"
    )
    return Finding(CHECK, Verdict.CONCERN, f"{how}, and flatters every method.", residual, THRESHOLD, details)


def _window(length: int) -> NDArray[np.float64]:
    """Hann over the central third, zero beyond; 1 at DC and symmetric about it."""
    reach = max(2.0, length * _LOW_RESOLUTION / 2)
    distance = np.abs(np.arange(length) - length // 2) / reach
    return np.where(distance < 1, np.cos(np.pi / 2 * np.minimum(distance, 1)) ** 2, 0.0)


def _fully_sampled(sample: Sample) -> NDArray[np.complexfloating] | None:
    """Images of the fully measured block about DC, ``(slice, coil, y, x)``; None where it is too small."""
    if sample.measured.all():
        return sample.coil_images
    half_y, half_x = _largest_block(sample.measured)
    if 2 * min(half_y, half_x) + 1 < _SMALLEST_BLOCK:
        return None
    rows, columns = sample.measured.shape
    # as many lines on either side of DC, for each needs its partner
    block = sample.kspace[
        ..., rows // 2 - half_y : rows // 2 + half_y + 1, columns // 2 - half_x : columns // 2 + half_x + 1
    ]
    return inverse_transform(block)


def _largest_block(measured: NDArray[np.bool_]) -> tuple[int, int]:
    """Half-widths ``(y, x)`` of the largest rectangle about DC without gaps; (-1, -1) without DC."""
    rows, columns = measured.shape
    y, x = rows // 2, columns // 2
    reach_y, reach_x = (rows - 1) // 2, (columns - 1) // 2
    # True where a sample and its three mirror images about DC were measured
    near = measured[y - reach_y : y + reach_y + 1, x - reach_x : x + reach_x + 1]
    folded = (near & near[::-1] & near[:, ::-1] & near[::-1, ::-1])[reach_y:, reach_x:]
    best, width = (-1, -1), reach_x
    for half_y in range(reach_y + 1):
        gaps = np.flatnonzero(~folded[half_y])
        width = min(width, int(gaps[0]) - 1 if gaps.size else reach_x)
        if width < 0:
            break
        if (2 * half_y + 1) * (2 * width + 1) > (2 * best[0] + 1) * (2 * best[1] + 1) or best[0] < 0:
            best = (half_y, width)
    return best
