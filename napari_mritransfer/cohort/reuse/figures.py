"""Pictures of a re-use: predicted over true, Bland–Altman, learning curve, methods side by side. No torch here."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.reuse.record import MethodResult, PredictedScan, ReuseRecord
from napari_mritransfer.cohort.reuse.scores import main_metric
from napari_mritransfer.evaluation.canvas import QUIET, TEXT, add_axes, add_text, dark_figure, points, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (
    "#8fb4e8", "#f5a742", "#3fae7a", "#e87fa0", "#b79ae8", "#d6cf62", "#6fd0d6", "#c98b5a", "#9fb0a0", "#e0e0e0",
    "#5c86ff", "#ff7b5a", "#a3d977", "#d65cc4", "#8a7f3f", "#4f9e9e", "#ffb3c7", "#c4a0ff",
)  # fmt: skip
"""Of methods in the order of the table; the baseline is grey."""

_PREDICTED = "Predicted over true numbers of subjects who were not learned from; the line is what is right."
_DIFFERENCE = "Bland–Altman: predicted − true over the mean of both; lines at their mean and 1.96 standard deviations."
_METHODS = "All methods, all training subjects; bars are 95 % intervals over subjects, the baseline is grey."
_LEARNING = "Learning curve: the same test subjects, fewer or more subjects to learn from."

_SIDE, _GAP, _LEFT, _TOP, _BELOW = 260, 70, 76, 64, 60
_MOST_PANELS = 20  # more than there are methods
_PER_ROW = 4


def draw_figures(record: ReuseRecord, lines: Sequence[PredictedScan], out: Path) -> list[tuple[Path, str]]:
    """Write the pictures that this kind of label has, with what they show."""
    found = []
    shown = [one for one in record.of_size() if one.method != "baseline"][:_MOST_PANELS]
    if record.label.task == "regression" and shown:
        found = [
            (_panels(record, lines, shown, out / "predicted.png", is_difference=False), _PREDICTED),
            (_panels(record, lines, shown, out / "bland-altman.png", is_difference=True), _DIFFERENCE),
        ]
    found.append((_comparison(record, out / "comparison.png"), _METHODS))
    if len(record.sizes) > 1:
        found.append((_curve(record, out / "learning-curve.png"), _LEARNING))
    return found


def _panels(
    record: ReuseRecord, lines: Sequence[PredictedScan], shown: Sequence[MethodResult], path: Path, *,
    is_difference: bool,
) -> Path:  # fmt: skip
    columns = min(_PER_ROW, len(shown))
    rows = -(-len(shown) // columns)
    figure = dark_figure(
        _LEFT + columns * (_SIDE + _GAP) - _GAP + 24, 40 + rows * (_SIDE + _TOP + _BELOW - 20)
    )
    unit = f" ({record.label.unit})" if record.label.unit else ""
    title = "Difference between predicted and true" if is_difference else "Predicted and true"
    add_text(figure, 16, 12, f"{title} {record.label.name}{unit}", fontsize=points(16))
    everything = np.array([[float(one.true), float(one.predicted)] for one in lines if one.size == 0])
    low, high = float(everything.min()), float(everything.max())
    for number, result in enumerate(shown):
        own = [one for one in lines if (one.method, one.size) == (result.method, 0)]
        true = np.array([float(one.true) for one in own])
        guess = np.array([float(one.predicted) for one in own])
        left = _LEFT + number % columns * (_SIDE + _GAP)
        top = 30 + _TOP - 24 + number // columns * (_SIDE + _TOP + _BELOW - 20)
        axes = add_axes(figure, left, top, _SIDE, _SIDE)
        axes.set_title(f"{result.label}: MAE {result.scores['mae']:.2f}", color=TEXT, fontsize=points(13))
        colour = COLOURS[number % len(COLOURS)]
        if is_difference:
            difference, mean = guess - true, (guess + true) / 2
            axes.scatter(mean, difference, s=10, color=colour, alpha=0.75, linewidths=0)
            for height, style in _agreement(difference):
                axes.axhline(height, color=QUIET, linewidth=1, linestyle=style)
            axes.set_xlabel("mean of both", color=QUIET, fontsize=points(12))
        else:
            axes.scatter(true, guess, s=10, color=colour, alpha=0.75, linewidths=0)
            axes.plot([low, high], [low, high], color=QUIET, linewidth=1)
            margin = 0.03 * (high - low) or 1.0
            axes.set_xlim(low - margin, high + margin)
            axes.set_ylim(low - margin, high + margin)
            axes.set_xlabel("true", color=QUIET, fontsize=points(12))
        if number % columns == 0:
            axes.set_ylabel("predicted − true" if is_difference else "predicted", color=QUIET, fontsize=points(12))
    save_png(figure, path)
    return path


def _agreement(difference: NDArray[np.float64]) -> tuple[tuple[float, str], ...]:
    """Mean and limits of agreement, with line styles."""
    mean, reach = float(difference.mean()), 1.96 * float(difference.std())
    return (mean, "-"), (mean - reach, "--"), (mean + reach, "--")


def _comparison(record: ReuseRecord, path: Path) -> Path:
    name, title, _ = main_metric(record.label)
    found = record.of_size()
    height = 30 * len(found)
    figure = dark_figure(860, height + 130)
    unit = f" ({record.label.unit})" if name == "mae" and record.label.unit else ""
    add_text(figure, 16, 12, f"{title}{unit}, {record.n_subjects} subjects", fontsize=points(16))
    axes = add_axes(figure, 240, 50, 590, height)
    for place, result in enumerate(reversed(found)):
        colour = QUIET if result.method == "baseline" else COLOURS[(len(found) - 2 - place) % len(COLOURS)]
        value, interval = result.scores[name], result.scores[f"{name}_interval"]
        if interval is not None:
            axes.plot(interval, [place, place], color=colour, linewidth=2)
        axes.scatter([value], [place], color=colour, s=36, zorder=3)
    axes.set_yticks(range(len(found)), [result.label for result in reversed(found)], color=TEXT)
    axes.set_ylim(-0.6, len(found) - 0.4)
    axes.set_xlabel(f"{title}{unit}", color=QUIET, fontsize=points(12))
    base = next(one for one in found if one.method == "baseline")
    axes.axvline(base.scores[name], color=QUIET, linewidth=1, linestyle=":")
    save_png(figure, path)
    return path


def _curve(record: ReuseRecord, path: Path) -> Path:
    name, title, _ = main_metric(record.label)
    figure = dark_figure(880, 460)
    unit = f" ({record.label.unit})" if name == "mae" and record.label.unit else ""
    add_text(figure, 16, 12, f"{title}{unit} by number of training scans", fontsize=points(16))
    axes = add_axes(figure, 80, 50, 520, 340)
    methods = list(dict.fromkeys(result.method for result in record.results))
    for number, method in enumerate(methods):
        own = sorted((one for one in record.results if one.method == method), key=lambda one: one.learned_from)
        colour = QUIET if method == "baseline" else COLOURS[(number - 1) % len(COLOURS)]
        _line(axes, own, name, colour)
    axes.set_xlabel("scans to learn from", color=QUIET, fontsize=points(12))
    axes.set_ylabel(f"{title}{unit}", color=QUIET, fontsize=points(12))
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False, labelcolor=TEXT, fontsize=points(12)
    )
    save_png(figure, path)
    return path


def _line(axes: "Axes", own: Sequence[MethodResult], name: str, colour: str) -> None:
    x = [one.learned_from for one in own]
    axes.plot(x, [one.scores[name] for one in own], color=colour, marker="o", markersize=4, label=own[0].label)
    ends = [one.scores[f"{name}_interval"] for one in own]
    if all(end is not None for end in ends):
        axes.fill_between(x, [end[0] for end in ends], [end[1] for end in ends], color=colour, alpha=0.1, linewidth=0)
