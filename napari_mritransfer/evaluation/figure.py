"""The comparison figure: reference and reconstructions in one window, their errors at one magnification."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.evaluation.canvas import (
    LINE_HEIGHT,
    QUIET,
    TEXT,
    add_axes,
    add_text,
    dark_figure,
    points,
    printable,
    save_png,
    wrapped,
)
from napari_mritransfer.evaluation.curves import learning_curves_figure
from napari_mritransfer.evaluation.magnification import magnification_for
from napari_mritransfer.evaluation.region import as_magnitude, foreground

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["comparison_figure", "learning_curves_figure"]

_PANEL = 320  # pixels of a panel's longer side
_NARROWEST = 200  # pixels of a column, so that its caption stays readable above a slender knee
_MARGIN = 16
_GAP = 12
_BAR = 14  # pixels of a colour bar, and room beside it for its numbers
_BAR_NUMBERS = 72
_NAME_PIXELS = 15
_WINDOW_PERCENTILE = 99.9


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things are, in pixels from the upper left corner; `below` is the height of what stands below the images."""

    columns: int
    panel_width: int
    panel_height: int
    names_top: int
    images_top: int
    below: int

    @property
    def column_width(self) -> int:
        return max(self.panel_width, _NARROWEST)

    @property
    def below_top(self) -> int:
        return self.images_top + self.panel_height + _GAP

    @property
    def bars_left(self) -> int:
        return _MARGIN + self.columns * (self.column_width + _GAP)

    @property
    def size(self) -> tuple[int, int]:
        return self.bars_left + _BAR + _BAR_NUMBERS + _MARGIN, self.below_top + self.below + _MARGIN

    def left(self, column: int) -> int:
        return _MARGIN + column * (self.column_width + _GAP)


def comparison_figure(
    reference: NDArray[np.generic] | None,
    reconstructions: Mapping[str, NDArray[np.generic]],
    captions: Mapping[str, str],
    path: Path,
    *,
    slice_index: int | None = None,
    white: float | None = None,
    black: float = 0,
    error_magnification: float | None = None,
    title: str = "",
    spacing: tuple[float, float] = (1.0, 1.0),
    note: str = "",
) -> None:
    """Write a PNG: above, the reference and each method; below, each method's absolute error.

    All images share one window and all errors one magnification: pictures that were brightened one by one cannot be
    compared. Without a reference there is one row, the methods.

    Parameters
    ----------
    reference
        ``(slice, y, x)`` magnitude, any unit; None where nobody knows it.
    reconstructions
        Method name to ``(slice, y, x)`` magnitude in the same unit, shown in order.
    captions
        Method name (or ``reference``) to what stands below the name, such as ``PSNR 34.1 dB``.
    path
        Ends in .png; appears complete or not at all.
    slice_index
        From 0; the middle slice of the foreground if None.
    white
        Upper end of the images' window; the 99.9th percentile of the reference slice if None (of the first
        method's, without reference).
    black
        Lower end of the images' window, below `white`. Errors start at 0 whatever it is.
    error_magnification
        Errors are multiplied by it; if None, the largest round number at which all but 1 % of the shown error
        voxels, all methods together, stay within the window.
    title
        One line above everything.
    spacing
        Voxel size (dy, dx), any unit: sets the aspect.
    note
        What else has to stand on the picture: convention, origin of the data.

    Raises
    ------
    ValueError
        If there is no method, shapes differ, an image is complex or not finite, the reference is zero everywhere, the
        slice does not exist, or the window's end is not above 0 and `black`, or the magnification or the spacing is not
        above 0.
    """
    truth, images = _checked(reference, reconstructions)
    index = _middle_slice(truth) if slice_index is None else slice_index
    if not 0 <= index < len(truth):
        raise ValueError(f"There is no slice {index}; the images have slices 0 to {len(truth) - 1}.")
    exact = truth[index].astype(np.float64)
    shown = {name: image[index].astype(np.float64) for name, image in images.items()}
    window = _white_level(exact, truth) if white is None else white
    if not (max(0, black) < window < math.inf and math.isfinite(black)):
        raise ValueError(
            f"The images cannot be shown in a window from {black:g} to {window:g}; "
            f"give an upper end above {black if black > 0 else 0:g}."
        )
    lines = [f"Slice {index} (of 0 to {len(truth) - 1})", f"Images, one window: {black:.4g} to {window:.4g}"]
    pictures = shown if reference is None else {"reference": exact, **shown}
    errors = {} if reference is None else {name: np.abs(image - exact) for name, image in shown.items()}
    magnification = 1.0
    if errors:
        pooled = np.stack(list(errors.values()))
        magnification = magnification_for(pooled, window) if error_magnification is None else error_magnification
        if not 0 < magnification < math.inf:
            raise ValueError(f"Errors cannot be shown at {magnification:g} times their size; give a number above 0.")
        lines.append(f"|Error| × {magnification:g} for all: window 0 to {window / magnification:.4g}")

    headings = {name: captions.get(name, "") for name in pictures}
    layout = _layout(exact.shape, spacing, headings, has_title=bool(title))
    # Beside the errors there is room below the reference; without them the note takes the whole width.
    width = layout.column_width if errors else layout.size[0] - 2 * _MARGIN
    text = "\n".join(wrapped(one, width) for one in (*lines, *note.splitlines()))
    if not errors:
        layout = replace(layout, below=(text.count("\n") + 1) * LINE_HEIGHT)
    figure = _images_row(layout, headings, pictures, (black, window), title)
    for column, error in enumerate(errors.values(), start=1):
        picture = _panel(figure, layout, column, layout.below_top, error, (0, window / magnification), "inferno")
    if errors:
        _bar(figure, picture, layout, layout.below_top)
    add_text(figure, _MARGIN, layout.below_top, text, color=QUIET)
    save_png(figure, path)


def _images_row(
    layout: _Layout,
    headings: Mapping[str, str],
    images: Mapping[str, NDArray[np.float64]],
    window: tuple[float, float],
    title: str,
) -> "Figure":
    """A figure with its title, a heading above each image, and the bar of their one window."""
    figure = dark_figure(*layout.size)
    if title:
        add_text(figure, _MARGIN, _MARGIN, _shortened(title, layout.size[0]), fontsize=points(17), weight="bold")
    for column, (name, image) in enumerate(images.items()):
        _heading(figure, layout, column, name, headings[name])
        picture = _panel(figure, layout, column, layout.images_top, image, window, "gray")
    _bar(figure, picture, layout, layout.images_top)
    return figure


def _checked(
    reference: NDArray[np.generic] | None, reconstructions: Mapping[str, NDArray[np.generic]]
) -> tuple[NDArray[np.floating], dict[str, NDArray[np.floating]]]:
    """What decides slice and window (the reference, or else the first method), and the methods."""
    if not reconstructions:
        raise ValueError("No reconstruction was given: a comparison needs at least one.")
    images = {name: as_magnitude(image, name) for name, image in reconstructions.items()}
    first = next(iter(images))
    truth = images[first] if reference is None else as_magnitude(reference, "reference")
    if not truth.max() > 0:
        which = first if reference is None else "The reference"
        raise ValueError(f"{which} is zero everywhere: there is nothing to show. Choose slices with signal.")
    for name, image in images.items():
        if name == "reference":
            raise ValueError('A reconstruction is called "reference"; give it the name of its method.')
        if image.shape != truth.shape:
            other = first if reference is None else "the reference"
            raise ValueError(f"{name} has shape {image.shape}, {other} {truth.shape}; voxels must correspond.")
    return truth, images


def _middle_slice(truth: NDArray[np.floating]) -> int:
    occupied = np.flatnonzero(foreground(truth).any(axis=(1, 2)))
    return int(occupied[len(occupied) // 2])


def _white_level(exact: NDArray[np.float64], truth: NDArray[np.floating]) -> float:
    """Upper end of the window; a slice of almost only air falls back to its, then to the volume's maximum."""
    candidates = (float(np.percentile(exact, _WINDOW_PERCENTILE)), float(exact.max()), float(truth.max()))
    return next(level for level in candidates if level > 0)


def _layout(
    shape: Sequence[int], spacing: tuple[float, float], headings: Mapping[str, str], *, has_title: bool
) -> _Layout:
    if not all(size > 0 for size in spacing):
        raise ValueError(f"The voxel size {spacing} is not above 0; give (dy, dx) in millimetres.")
    height, width = shape[0] * spacing[0], shape[1] * spacing[1]
    zoom = _PANEL / max(height, width)
    panel_width, panel_height = max(1, round(width * zoom)), max(1, round(height * zoom))
    column_width = max(panel_width, _NARROWEST)
    lines = max(_heading_text(name, caption, column_width).count("\n") + 1 for name, caption in headings.items())
    names_top = _MARGIN + (32 if has_title else 0)
    images_top = names_top + lines * LINE_HEIGHT + 8
    return _Layout(len(headings), panel_width, panel_height, names_top, images_top, panel_height)


def _heading_text(name: str, caption: str, width: int) -> str:
    """The name's lines, then the caption's; a name is set in wider type, so it breaks earlier."""
    name_lines = wrapped(name, int(width * 0.8))
    return f"{name_lines}\n{wrapped(caption, width)}" if caption else name_lines


def _heading(figure: "Figure", layout: _Layout, column: int, name: str, caption: str) -> None:
    name_lines = _heading_text(name, "", layout.column_width)
    left, below = layout.left(column), layout.names_top + (name_lines.count("\n") + 1) * LINE_HEIGHT + 2
    add_text(figure, left, layout.names_top, name_lines, fontsize=points(_NAME_PIXELS), weight="bold", color=TEXT)
    add_text(figure, left, below, wrapped(caption, layout.column_width), color=QUIET)


def _panel(
    figure: "Figure",
    layout: _Layout,
    column: int,
    top: int,
    image: NDArray[np.float64],
    window: tuple[float, float],
    colours: str,
) -> "AxesImage":
    axes = add_axes(figure, layout.left(column), top, layout.panel_width, layout.panel_height)
    axes.set_axis_off()
    return axes.imshow(image, cmap=colours, vmin=window[0], vmax=window[1], aspect="auto")


def _bar(figure: "Figure", picture: "AxesImage", layout: _Layout, top: int) -> None:
    axes = add_axes(figure, layout.bars_left, top, _BAR, layout.panel_height)
    # A power of ten above the lower bar would run into the upper one, so each number carries its own.
    bar = figure.colorbar(picture, cax=axes, format=lambda value, _: f"{value:.4g}")
    bar.outline.set_visible(False)


def _shortened(text: str, width: int) -> str:
    letters = max(8, int((width - 2 * _MARGIN) / 12))
    line = " ".join(printable(text).split())
    return line if len(line) <= letters else line[: letters - 1] + "…"
