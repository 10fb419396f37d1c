"""What the axes of a bare array most plausibly are, and whether it holds k-space: read off its shape and its energy."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.array_options import Space
from napari_mritransfer.io.stored_array import StoredArray

_MOST_COILS = 64  # larger arrays of receive coils exist in research, but then the file's author can be asked
_SHORTEST_PLANE = 16
_CLEARLY_SHORTER = 2  # times shorter than the plane: head coils have 8 to 64 channels, matrices 128 and more
_WINDOW = 8  # the centre is an eighth of each axis: 1/64 of the plane
_PEAKED, _SPREAD = 0.25, 0.1  # share of the energy in there: real k-space 0.6 and more, brain images 0.03


class Peak(Enum):
    """Where a plane's energy is."""

    CENTRE = "centre"
    CORNER = "corner"
    NOWHERE = "nowhere"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Guess:
    """Axis words as in `array_options.parsed_axes`; `is_clear` where no other reading is anywhere near as plausible."""

    axes: tuple[str, ...]
    is_clear: bool


def guessed_axes(shape: tuple[int, ...], *, is_complex: bool, space: Space | None) -> Guess | None:
    """Axes from lengths alone; None where not even a suggestion can be made.

    Two long axes are the plane. Of complex k-space the one short axis is the coils; of an image it is frames (echoes)
    where complex, slices where real. Axes of length 1 are called frames, which is all that they could count.

    Parameters
    ----------
    space
        Where known; without it complex arrays are taken for k-space.
    """
    long = [axis for axis, length in enumerate(shape) if length > 1]
    words = ["frame"] * len(shape)
    if len(long) < 2:
        return None
    if len(long) == 2:
        words[long[0]], words[long[1]] = "y", "x"
        return Guess(tuple(words), min(shape[axis] for axis in long) >= _SHORTEST_PLANE)
    if len(long) > 4:
        return None
    is_kspace = is_complex and space != "image"
    # Of equally long axes the later ones are the plane: what varies fastest in C order.
    plane = sorted(sorted(long, key=lambda axis: (shape[axis], axis))[-2:])
    others = [axis for axis in long if axis not in plane]
    words[plane[0]], words[plane[1]] = "y", "x"
    shorter = min(shape[axis] for axis in plane) >= max(
        _SHORTEST_PLANE, *(_CLEARLY_SHORTER * shape[axis] for axis in others)
    )
    if len(others) == 1:
        words[others[0]] = "coil" if is_kspace else "frame" if is_complex else "slice"
        return Guess(tuple(words), shorter and (not is_kspace or shape[others[0]] <= _MOST_COILS))
    # Which of the two is which cannot be seen; files are mostly written slice after slice.
    words[others[0]], words[others[1]] = ("slice", "coil") if is_kspace else ("frame", "slice")
    return Guess(tuple(words), False)


def middle_plane(stored: StoredArray, axes: tuple[str, ...]) -> NDArray[np.float64]:
    """Energy ``(y, x)`` of the middle slice, summed over the coils.

    Raises
    ------
    UnreadableScan
        If the file cannot be read there.
    """
    kept = ("coil", "y", "x")
    index = tuple(
        slice(None) if word in kept else 0 if word == "frame" else length // 2
        for word, length in zip(axes, stored.shape, strict=True)
    )
    piece = stored.read(index)
    left = [word for word in axes if word in kept]
    ordered = piece.transpose([left.index(word) for word in kept if word in left])
    energy = np.zeros(ordered.shape[-2:])
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are none are counted elsewhere
        for one in ordered.reshape(-1, *ordered.shape[-2:]):
            energy += np.abs(one.astype(np.complex64)).astype(np.float64) ** 2
    return energy


def peak(energy: NDArray[np.float64]) -> Peak:
    """Whether a plane's energy sits in the middle, as in k-space, or in the corners, as in k-space never shifted."""
    total = energy.sum()
    if not np.isfinite(total) or total == 0:
        return Peak.UNCLEAR
    central = _central_share(energy, total)
    corner = _central_share(np.fft.fftshift(energy), total)
    if max(central, corner) >= _PEAKED and max(central, corner) > 2 * min(central, corner):
        return Peak.CENTRE if central > corner else Peak.CORNER
    return Peak.NOWHERE if max(central, corner) < _SPREAD else Peak.UNCLEAR


def _central_share(energy: NDArray[np.float64], total: float) -> float:
    rows, columns = energy.shape
    height, width = max(1, rows // _WINDOW), max(1, columns // _WINDOW)
    top, left = rows // 2 - height // 2, columns // 2 - width // 2
    return float(energy[top : top + height, left : left + width].sum() / total)
