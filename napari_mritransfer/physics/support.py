"""How much of k-space a clinical volume really holds: scanners zero-fill, and a simulation must not count that."""

import numpy as np
from numpy.typing import NDArray

_WINDOW = 0.15  # of the half-width: a filter's roll-off is spread over more than that, a zero-filled edge is not
_CLIFF_DB = 9.0  # anatomy alone falls by 2 to 4 dB over that window
_LATEST_END = 0.9  # later than this it is the scanner's apodisation, and cropping would gain nothing


def measured_support(image: NDArray[np.generic], axis: int) -> int:
    """Number of central k-space lines along `axis` that hold signal; the full length where nothing was zero-filled.

    The power of k-space, summed over everything but `axis` and folded about DC, is searched for a cliff: a fall of
    more than 9 dB within 15 % of the half-width, followed by a floor. The support ends half-way (in dB) down it.
    Measured on 20 clinical volumes this finds 0.65–0.78 of the half-width along left–right and nothing along
    anterior–posterior, where the vendor's filter rolls off smoothly to the very edge.

    Parameters
    ----------
    image
        Real or complex, at least 2-D.
    axis
        The image axis to examine.

    Returns
    -------
    lines
        Even or odd as the axis is, in [1, image.shape[axis]].
    """
    length: int = image.shape[axis]
    half = length // 2
    if half < 16:
        return length
    spectrum = np.fft.fft(np.asarray(image, dtype=np.complex64 if np.iscomplexobj(image) else np.float32), axis=axis)
    others = tuple(i for i in range(image.ndim) if i != axis % image.ndim)
    power = np.sum(np.abs(spectrum) ** 2, axis=others, dtype=float)
    if not power.max() > 0:
        return length
    folded = power[1 : half + 1] + power[-1 : -half - 1 : -1]
    profile = 10 * np.log10(np.maximum(folded / folded.max(), 1e-12))
    smooth = _moving_median(profile, max(3, half // 24))
    span = round(_WINDOW * half)
    starts = np.arange(half // 4, round(_LATEST_END * half) - span)
    falls = smooth[starts] - smooth[starts + span]
    if falls.max() < _CLIFF_DB:
        return length
    steepest = int(starts[falls.argmax()])
    middle = (smooth[steepest] + np.median(smooth[-max(3, half // 12) :])) / 2
    edge = steepest + int(np.argmax(smooth[steepest:] < middle))
    return min(length, 2 * edge + length % 2)


def _moving_median(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    width |= 1
    padded = np.pad(values, width // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    return np.asarray(np.median(windows, axis=-1), dtype=np.float64)
