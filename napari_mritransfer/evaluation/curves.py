"""Learning curves: how the validation PSNR grew with the steps, beside what no training at all achieves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mritransfer.evaluation.canvas import (
    LINE_HEIGHT,
    QUIET,
    TEXT,
    add_axes,
    add_text,
    dark_figure,
    points,
    save_png,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 960, 540
_LEFT, _TOP, _RIGHT, _BELOW = 72, 24, 264, 60
_LETTERS = 22  # of a name, so that its value fits into the right margin too
# Okabe and Ito's colours, told apart with any colour vision; black, invisible on dark, left out.
_COLOURS = ("#56b4e9", "#e69f00", "#2fc79b", "#f0e442", "#cc79a7", "#ff7f50", "#5c9ded")


def learning_curves_figure(
    curves: Mapping[str, Sequence[tuple[int, float]]], levels: Mapping[str, float], path: Path
) -> None:
    """Write a PNG of 960 by 540 pixels.

    Parameters
    ----------
    curves
        Strategy to its (step, validation PSNR in dB) points, in order of steps. Points that are not finite, such as
        those of a run that diverged, are left out.
    levels
        Name to PSNR in dB of what does not learn, such as zero-filled and pretrained: dashed lines.
    path
        Ends in .png; appears complete or not at all.

    Raises
    ------
    ValueError
        If neither a curve nor a level has a finite value.
    """
    points_of = {name: [point for point in curve if np.isfinite(point[1])] for name, curve in curves.items()}
    drawn = {name: np.array(curve, dtype=float) for name, curve in points_of.items() if curve}
    flat = {name: float(level) for name, level in levels.items() if np.isfinite(level)}
    if not drawn and not flat:
        raise ValueError("There is nothing to draw: no curve and no level has a finite PSNR.")

    figure = dark_figure(_WIDTH, _HEIGHT)
    axes = add_axes(figure, _LEFT, _TOP, _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BELOW)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#33373f", linewidth=0.8)
    axes.set_xlabel("Step", color=TEXT, fontsize=points(13))
    axes.set_ylabel("Validation PSNR (dB)", color=TEXT, fontsize=points(13))
    ends: list[tuple[float, str, str]] = []
    for position, (name, curve) in enumerate(drawn.items()):
        colour = _COLOURS[position % len(_COLOURS)]
        axes.plot(curve[:, 0], curve[:, 1], color=colour, linewidth=2, marker="o", markersize=3.5)
        ends.append((curve[-1, 1], _ending(name, curve[-1, 1]), colour))
    for name, level in flat.items():
        axes.axhline(level, color=QUIET, linewidth=1.2, linestyle="--")
        ends.append((level, _ending(name, level), QUIET))
    _whole_steps(axes)
    _label(figure, axes, ends)
    save_png(figure, path)


def _whole_steps(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True))
    axes.ticklabel_format(axis="both", useOffset=False)


def _label(figure: "Figure", axes: "Axes", ends: Sequence[tuple[float, str, str]]) -> None:
    """Names in the right margin at the height where their lines end, moved apart where they would overlap."""
    ordered = sorted(ends, key=lambda end: -end[0])
    height = _HEIGHT - _TOP - _BELOW
    low, high = axes.get_ylim()
    wanted = [_TOP + height * (high - value) / (high - low) for value, _, _ in ordered]
    for top, (_, text, colour) in zip(_apart(wanted, LINE_HEIGHT, _HEIGHT), ordered, strict=True):
        add_text(figure, _WIDTH - _RIGHT + 12, top - LINE_HEIGHT / 2, text, color=colour)


def _ending(name: str, psnr: float) -> str:
    return f"{name if len(name) <= _LETTERS else name[: _LETTERS - 1] + '…'}, {psnr:.2f} dB"


def _apart(wanted: Sequence[float], distance: float, bottom: float) -> list[float]:
    """Ascending positions, each at least `distance` below the one before and none below `bottom`, if they fit."""
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, placed[-1] + distance) if placed else position)
    limit = bottom - distance / 2
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - distance
    return placed
