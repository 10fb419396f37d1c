"""The picture of a look: for each view three cuts with the map on them, the bars of its slices, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.attention import SHOWN_UP_TO
from napari_mritransfer.cohort.grid import SLICINGS, axis_of
from napari_mritransfer.cohort.record import AttentionRecord, View, read_array
from napari_mritransfer.evaluation.canvas import (
    BACKGROUND,
    LINE_HEIGHT,
    QUIET,
    TEXT,
    add_axes,
    add_text,
    dark_figure,
    points,
    save_png,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = "attention.png"

_MARGIN, _GAP = 18, 22
_TEXT_WIDTH = 320
_PIXELS_PER_MM = 0.95  # a head of 218 mm is some 200 pixels high
_BARS_WIDTH, _CURVES_WIDTH = 420, 330
_AXES_LEFT, _AXES_BELOW = 44, 42  # room for numbers and their title
_TITLE, _HEADING = 44, 30  # room above the rows
_SCALE_HEIGHT = 12
_MOST_VIEWS = 12
_OPACITY = 0.65  # of the map where it reaches the end of its scale; it fades to nothing at 0
_COLOURS = "inferno"
_ACCENT, _TRUTH, _CHANCE = "#f5a742", "#3fae7a", "#8fb4e8"
_WORLD = (("x", "left → right"), ("y", "back → front"), ("z", "below → above"))


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where things are, in pixels from the left; of each cut its size and its left edge."""

    cuts: tuple[tuple[int, int, int], ...]
    bars: int
    curves: int | None
    width: int

    @property
    def cut_height(self) -> int:
        return max(height for _, _, height in self.cuts)

    @property
    def plot_height(self) -> int:
        return self.cut_height + LINE_HEIGHT - _AXES_BELOW


def attention_figure(record: AttentionRecord, folder: Path, path: Path) -> None:
    """Write a PNG of the first twelve views of a record.

    All views are cut through one point, that of the largest value of the first map, shown under one window, and all
    maps and bars have one scale, from 0 to `SHOWN_UP_TO`; what lies above is cut off, and counted.

    Parameters
    ----------
    folder
        Where the record's arrays lie.
    path
        Ends in .png; appears complete or not at all.

    Raises
    ------
    BadInput
        If an array is missing or damaged.
    """
    views = record.views[:_MOST_VIEWS]
    columns = _columns(record, any("deletion" in view.sanity for view in views))
    point = _point(record, folder, views[0])
    texts = [_row_text(view, several=len({one.model for one in record.views}) > 1) for view in views]
    heights = [max(_height(lines), columns.cut_height + LINE_HEIGHT + 4, 210) + _GAP for lines in texts]
    notes = _notes(record, views, columns.width - 2 * _MARGIN)
    top = _TITLE + _HEADING
    below = top + sum(heights)
    total = below + _SCALE_HEIGHT + 2 * LINE_HEIGHT + (notes.count("\n") + 1) * LINE_HEIGHT + 2 * _MARGIN
    figure = dark_figure(columns.width, total)
    add_text(figure, _MARGIN, _MARGIN, _title(record), fontsize=points(17), weight="bold")
    if record.simulated:
        add_text(
            figure, columns.width - _MARGIN, _MARGIN, "SIMULATED DATA", ha="right", weight="bold", color=_ACCENT,
            fontsize=points(15),
        )  # fmt: skip
    window: tuple[float, float] | None = None
    for view, lines, height in zip(views, texts, heights, strict=True):
        volume = read_array(folder, view.volume, record.shape)
        if window is None:
            window = float(volume.min()), float(np.percentile(volume, 99.5))
        values = None if view.map is None else read_array(folder, view.map, record.shape)
        _write(figure, top, lines)
        _cuts(figure, columns, top, record, point, volume, values, window)
        _bars(figure, columns, top, view)
        if columns.curves is not None and "deletion" in view.sanity:
            axes = add_axes(figure, columns.curves, top, _CURVES_WIDTH, columns.plot_height)
            _curves(axes, view)
        top += height
    _scale(figure, columns, below, has_map=any(view.map is not None for view in views))
    add_text(figure, _MARGIN, below + _SCALE_HEIGHT + 2 * LINE_HEIGHT, notes, color=QUIET)
    save_png(figure, path)


def _title(record: AttentionRecord) -> str:
    kinds = {view.kind for view in record.views}
    what = "Slice attention" if kinds == {"attention"} else "Contributions of slices"
    return what if len(kinds) == 1 else "Slice attention and contributions"


def _columns(record: AttentionRecord, has_curves: bool) -> _Columns:
    lengths = [size * record.spacing_mm * _PIXELS_PER_MM for size in record.shape]
    left = _MARGIN + _TEXT_WIDTH + _GAP
    cuts = []
    for axis in range(3):
        across, up = (round(length) for other, length in enumerate(lengths) if other != axis)
        cuts.append((left, across, up))
        left += across + 6
    bars = left + _GAP + _AXES_LEFT
    right = bars + _BARS_WIDTH
    curves = right + _GAP + _AXES_LEFT + 12 if has_curves else None
    return _Columns(tuple(cuts), bars, curves, (right if curves is None else curves + _CURVES_WIDTH) + _MARGIN)


def _point(record: AttentionRecord, folder: Path, view: View) -> tuple[int, ...]:
    """Where all views are cut."""
    if view.map is not None:
        values = read_array(folder, view.map, record.shape)
        return tuple(int(index) for index in np.unravel_index(values.argmax(), values.shape))
    point = [size // 2 for size in record.shape]
    point[axis_of(view.slicing)] = int(np.argmax(view.relative))
    return tuple(point)


def _row_text(view: View, *, several: bool) -> list[tuple[str, dict[str, Any]]]:
    """Blocks of text with their looks."""
    large: dict[str, Any] = {"fontsize": points(19), "weight": "bold"}
    there = sum(view.present)
    kind = "attention" if view.kind == "attention" else "contributions"
    blocks: list[tuple[str, dict[str, Any]]] = [
        (wrapped(view.input, int(_TEXT_WIDTH * 0.85)), {"weight": "bold", "fontsize": points(14)}),
        (wrapped(view.title, _TEXT_WIDTH), {"color": QUIET}) if several else ("", {}),
        (wrapped(view.prediction_text, int(_TEXT_WIDTH * 0.65)), large),
        (wrapped(view.difference_text and f"{view.difference_text} from the first", _TEXT_WIDTH), {"color": _ACCENT}),
        (wrapped(view.spread_text, _TEXT_WIDTH), {"color": QUIET}),
        (wrapped(view.expected_error, _TEXT_WIDTH), {"color": QUIET}),
        (wrapped(f"{view.effective_slices:.0f} of {there} slices share the {kind}", _TEXT_WIDTH), {"color": QUIET}),
    ]
    if view.share_on_changed is not None and view.by_chance is not None:
        text = f"{view.share_on_changed:.0%} on the slices that carry the effect (chance: {view.by_chance:.0%})"
        blocks.append((wrapped(text, _TEXT_WIDTH), {"color": _TRUTH}))
    blocks.append((wrapped(view.sentence, _TEXT_WIDTH), {"color": TEXT}))
    return [(text, style) for text, style in blocks if text]


def _height(blocks: Sequence[tuple[str, dict[str, Any]]]) -> int:
    return sum((text.count("\n") + 1) * LINE_HEIGHT + 2 * _apart(style) for text, style in blocks)


def _write(figure: "Figure", top: int, blocks: Sequence[tuple[str, dict[str, Any]]]) -> None:
    for text, style in blocks:
        add_text(figure, _MARGIN, top + _apart(style), text, **style)
        top += (text.count("\n") + 1) * LINE_HEIGHT + 2 * _apart(style)


def _apart(style: dict[str, Any]) -> int:
    """Pixels above and below a block of text."""
    return 6 if "fontsize" in style else 1


def _cuts(
    figure: "Figure", columns: _Columns, top: int, record: AttentionRecord, point: Sequence[int],
    volume: NDArray[np.float32], values: NDArray[np.float32] | None, window: tuple[float, float],
) -> None:  # fmt: skip
    from matplotlib import colormaps

    world = np.array(record.affine) @ np.array([*point, 1.0])
    for axis, (left, width, height) in enumerate(columns.cuts):
        axes = add_axes(figure, left, top, width, height)
        axes.set_axis_off()
        # i runs to the left, which is the picture's right, as radiologists look; j and k run up
        look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
        axes.imshow(volume.take(point[axis], axis).T, cmap="gray", vmin=window[0], vmax=window[1], **look)
        if values is not None:
            shown = np.clip(values.take(point[axis], axis).T / SHOWN_UP_TO, 0, 1)
            overlay = np.array(colormaps[_COLOURS](shown))
            overlay[..., 3] = _OPACITY * shown
            axes.imshow(overlay, **look)
        letter = _WORLD[axis][0]
        add_text(figure, left, top + height + 2, f"{SLICINGS[axis]}, {letter} = {world[axis]:.0f} mm", color=QUIET)
        if axis:
            add_text(figure, left + 3, top + 3, "R", color=QUIET)
            add_text(figure, left + width - 3, top + 3, "L", color=QUIET, ha="right")


def _bars(figure: "Figure", columns: _Columns, top: int, view: View) -> None:
    axes = add_axes(figure, columns.bars, top, _BARS_WIDTH, columns.plot_height)
    places, relative = np.array(view.positions_mm), np.array(view.relative)
    step = abs(places[1] - places[0]) if len(places) > 1 else 1.0
    if view.changed is not None:
        for place in places[np.array(view.changed)]:
            edges = place - step / 2, place + step / 2
            axes.axvspan(*edges, color=_TRUTH, alpha=0.2, linewidth=0)
            axes.axvspan(*edges, ymax=0.04, color=_TRUTH, linewidth=0, zorder=3)  # bars do not hide it
        axes.plot([], [], color=_TRUTH, linewidth=6, label="carries the effect (known)")
    there = np.array(view.present)
    axes.bar(places[there], np.minimum(relative[there], SHOWN_UP_TO), width=0.85 * step, color=_ACCENT, linewidth=0)
    if view.mean_relative is not None:
        order = np.argsort(places)
        axes.plot(places[order], np.array(view.mean_relative)[order], color=TEXT, linewidth=1.1, label="cohort's mean")
    axes.axhline(1, color=QUIET, linestyle="--", linewidth=1, label="uniform")
    over = relative > SHOWN_UP_TO
    if over.any():
        axes.plot(places[over], np.full(over.sum(), SHOWN_UP_TO * 0.985), "^", color=TEXT, markersize=4, clip_on=False)
    axes.set_ylim(0, SHOWN_UP_TO)
    axes.set_xlim(places.min() - step, places.max() + step)
    letter, way = _WORLD[axis_of(view.slicing)]
    _label(axes, f"{view.slicing} slices, {letter} in mm ({way})", "weight × slices")
    _legend(axes)


def _curves(axes: "Axes", view: View) -> None:
    """How far the prediction moves without the most attended slices, and without blocks."""
    curve = view.sanity["deletion"]
    counts = np.arange(1, len(curve["chosen"]) + 1)
    axes.fill_between(counts, curve["lowest"], curve["highest"], color=_CHANCE, alpha=0.25, linewidth=0)
    axes.plot(counts, curve["blocks"], color=_CHANCE, linewidth=1.5, label="blocks")
    axes.plot(counts, curve["chosen"], color=_ACCENT, linewidth=1.8, label="most attended")
    if "insertion" in view.sanity:
        kept = view.sanity["insertion"]
        axes.plot(counts, kept["blocks"], color=_CHANCE, linewidth=1, linestyle=":")
        axes.plot(counts, kept["chosen"], color=_ACCENT, linewidth=1, linestyle=":", label="kept alone")
    axes.set_ylim(bottom=0)
    axes.set_xlim(1, max(len(counts), 2))
    unit = view.unit if view.task == "regression" else "probability"
    _label(axes, "slices dropped", f"change ({unit})" if unit else "change")
    _legend(axes)


def _label(axes: "Axes", below: str, beside: str) -> None:
    axes.set_xlabel(below, color=QUIET, fontsize=points(12), labelpad=3)
    axes.set_ylabel(beside, color=QUIET, fontsize=points(12), labelpad=4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(axes: "Axes") -> None:
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncol=3, frameon=False, labelcolor=QUIET, borderpad=0,
        fontsize=points(12), handlelength=1.4, columnspacing=1.2, borderaxespad=0.3, facecolor=BACKGROUND,
    )  # fmt: skip


def _scale(figure: "Figure", columns: _Columns, top: int, *, has_map: bool) -> None:
    """The one colour scale of all maps."""
    if not has_map:
        return
    left, _, _ = columns.cuts[0]
    last = columns.cuts[-1]
    axes = add_axes(figure, left, top, last[0] + last[1] - left, _SCALE_HEIGHT)
    axes.imshow(np.linspace(0, 1, 256)[None], cmap=_COLOURS, aspect="auto", extent=(0, SHOWN_UP_TO, 0, 1))
    axes.set_yticks([])
    axes.set_xticks(range(int(SHOWN_UP_TO) + 1), ["0", "1 = uniform", "2", "3 or more"])


def _notes(record: AttentionRecord, views: Sequence[View], width: int) -> str:
    cut_off = sum(value > SHOWN_UP_TO for view in views for value in view.relative)
    lines = [
        f"Every scale goes from 0 to {SHOWN_UP_TO:g} times uniform; nothing is stretched."
        + (f" {cut_off} bars reach above it (▲)." if cut_off else "")
    ]
    if any(view.kind == "contribution" for view in views):
        lines.append("Networks without attention: size of each slice's contribution (gradient × code) in its place.")
    if len(record.views) > len(views):
        lines.append(f"{len(record.views) - len(views)} more views stand in slices.csv.")
    beside = tuple(view.sentence for view in views if view.sentence)
    lines += [sentence for sentence in record.sentences if not sentence.endswith(beside)]
    lines += record.warnings
    return "\n".join(wrapped(line, width) for line in lines)
