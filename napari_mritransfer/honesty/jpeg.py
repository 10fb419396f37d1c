"""JPEG in the past of an image: its 8 x 8 blocks have lost their fine detail, blocks that straddle them have not."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.honesty.sample import Sample

CHECK = "JPEG source"
THRESHOLD = 0.43  # JPEGs up to quality 95 lie below 0.19, images that never were one above 0.96, see docs/honesty.md
_BLOCK = 8
_FINE = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) >= 5  # DCT coefficients that JPEG quantises coarsely
_ENOUGH_BLOCKS = 50
_SLICES = 4


def blockiness(magnitude: NDArray[np.floating]) -> float | None:
    """Fine detail within the most detail-free 8 x 8 grid over that of a typical grid.

    The median absolute fine DCT coefficient of all blocks without zeros is taken for each of the 64 places where the
    grid can start; the smallest is divided by the median of them.

    Parameters
    ----------
    magnitude
        ``(slice, y, x)``.

    Returns
    -------
    ratio
        About 1 where no grid is special; None where fewer than 50 blocks hold signal, or all are smooth.
    """
    detail = np.zeros((_BLOCK, _BLOCK))
    for y, x in np.ndindex(detail.shape):
        blocks = _blocks(magnitude[:, y:, x:])
        if len(blocks) < _ENOUGH_BLOCKS:
            return None
        detail[y, x] = np.median(np.abs(dctn(blocks, axes=(1, 2), norm="ortho")[:, _FINE]))
    typical = float(np.median(detail))
    return float(detail.min()) / typical if typical > 0 else None


def jpeg(sample: Sample) -> Finding:
    """Whether the image was a JPEG; four slices are looked at."""
    count = len(sample.magnitude)
    chosen = sorted({round(place) for place in np.linspace(0, count - 1, min(count, _SLICES))})
    ratio = blockiness(sample.magnitude[chosen])
    details = {"slices": [sample.slices[index] for index in chosen]}
    if ratio is None:
        return Finding(CHECK, Verdict.UNKNOWN, "Too little of the image holds signal to look for JPEG blocks.")
    if ratio < THRESHOLD:
        sentence = (
            "The image was a JPEG: blocks of 8 x 8 voxels have lost their fine detail, which no reconstruction has to "
            "recover any more."
        )
        return Finding(CHECK, Verdict.CONCERN, sentence, ratio, THRESHOLD, details)
    return Finding(CHECK, Verdict.FINE, "No grid of JPEG blocks is visible.", ratio, THRESHOLD, details)


def _blocks(stack: NDArray[np.floating]) -> NDArray[np.float64]:
    """``(block, 8, 8)`` of those that fit and hold signal everywhere."""
    count, rows, columns = len(stack), stack.shape[1] // _BLOCK, stack.shape[2] // _BLOCK
    fitting = stack[:, : rows * _BLOCK, : columns * _BLOCK].reshape(count, rows, _BLOCK, columns, _BLOCK)
    blocks = fitting.swapaxes(2, 3).reshape(-1, _BLOCK, _BLOCK)
    return np.asarray(blocks[(blocks > 0).all(axis=(1, 2))], dtype=np.float64)
