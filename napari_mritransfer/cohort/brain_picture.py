"""A scan with the outline of where MNI152 has its brain, and what is wrong in words; no torch here."""

import textwrap
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_mritransfer.cohort.brain import BrainFinding
from napari_mritransfer.cohort.brain_template import MNI_CENTRE_MM, template_at
from napari_mritransfer.cohort.grid import upright
from napari_mritransfer.cohort.preparation import Prepared

_INCHES, _DPI = (8.1, 3.6), 100
_BRIGHT = 0.995
_DARK, _LIGHT, _OUTLINE, _WRONG = "#1c1c1c", "#f2f2f2", "#ffb000", "#ff8f8f"
_LETTERS = 118  # of a line of the sentence
# what is on the left and on top of each slice, and the axis that runs across it
_VIEWS = (("front", "top"), ("right", "top"), ("right", "front"))


def brain_picture(prepared: Prepared, finding: BrainFinding) -> NDArray[np.uint8]:
    """Sagittal, coronal and axial slices through the middle of MNI152's brain, its outline, and the sentence.

    Parameters
    ----------
    prepared
        On the common grid.
    finding
        What `check_brain` said of it.

    Returns
    -------
    picture
        ``(row, column, 3)``, light on dark, so that it can be read on any background.
    """
    figure = Figure(_INCHES, dpi=_DPI, facecolor=_DARK)
    name = f"{prepared.name}: " if prepared.name else ""
    figure.text(
        0.015, 0.965, textwrap.fill(f"{name}{finding.sentence}", _LETTERS), va="top", fontsize=9.5,
        color=_LIGHT if finding.is_fine else _WRONG,
    )  # fmt: skip
    figure.text(0.985, 0.02, "outline: where MNI152 has its brain", ha="right", fontsize=8, color=_OUTLINE)
    white = float(np.quantile(prepared.raw, _BRIGHT)) or float(prepared.raw.max())
    expected = template_at(prepared.grid)
    middle = np.linalg.solve(prepared.affine, [*MNI_CENTRE_MM, 1.0])[:3]
    for axis, (left, top) in enumerate(_VIEWS):
        place = round(float(middle[axis]))
        axes = figure.add_axes((0.005 + 0.33 * axis, 0.055, 0.325, 0.79))
        axes.set_axis_off()
        grey = upright(prepared.raw, axis, place)
        axes.imshow(grey, cmap="gray", vmin=0, vmax=white, interpolation="bilinear")
        axes.contour(upright(expected, axis, place), [0.5], colors=_OUTLINE, linewidths=1.3)
        for x, y, word in ((0.02, 0.5, left), (0.5, 0.98, top)):
            axes.text(
                x, y, word, transform=axes.transAxes, color=_LIGHT, fontsize=7.5, va="center" if x < 0.1 else "top",
                ha="left" if x < 0.1 else "center", rotation=90 if x < 0.1 else 0,
            )  # fmt: skip
    drawn = BytesIO()
    figure.savefig(drawn, format="raw", facecolor=_DARK)
    size = tuple(round(inches * _DPI) for inches in _INCHES)
    return np.frombuffer(drawn.getvalue(), dtype=np.uint8).reshape(size[1], size[0], 4)[..., :3].copy()
