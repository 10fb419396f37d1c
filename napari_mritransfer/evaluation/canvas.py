"""A dark figure measured in screen pixels, and its way to disk; matplotlib without pyplot and without a display."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mritransfer.io.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BACKGROUND = "#16181c"
TEXT = "#f2f2f2"
QUIET = "#b4b8c0"
LINE_HEIGHT = 18  # pixels, of the 13-pixel type that labels are set in

_DPI = 100
_TYPE_PIXELS = 13
_BASELINE = 13  # pixels below the upper edge of a line


def dark_figure(width: int, height: int) -> "Figure":
    """Empty figure of `width` by `height` pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    return figure


def add_axes(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes at a place in pixels, counted from the upper left corner as on a screen."""
    total_width, total_height = figure.get_size_inches() * _DPI
    box = (left / total_width, 1 - (top + height) / total_height, width / total_width, height / total_height)
    axes = figure.add_axes(box, facecolor=BACKGROUND)
    axes.tick_params(colors=QUIET, labelsize=points(_TYPE_PIXELS - 1))
    for spine in axes.spines.values():
        spine.set_color(QUIET)
    return axes


def add_text(figure: "Figure", left: float, top: float, text: str, **style: Any) -> None:
    """Lines of text, `LINE_HEIGHT` apart, the first one's upper edge at `top`; a dollar sign stays a dollar sign."""
    width, height = figure.get_size_inches() * _DPI
    look: dict[str, Any] = {"color": TEXT, "fontsize": points(_TYPE_PIXELS)} | style
    for number, line in enumerate(text.split("\n")):
        # Line by line on the baseline: aligned by their ink, "pretrained" and "zero-filled" would stand at two heights.
        baseline = top + number * LINE_HEIGHT + _BASELINE
        figure.text(left / width, 1 - baseline / height, line, parse_math=False, **look)


def wrapped(text: str, width: int) -> str:
    """`text` broken to lines of at most `width` pixels, at 7.8 pixels for an average letter; its own breaks stay."""
    letters = max(8, int(width / 7.8))
    return "\n".join("\n".join(textwrap.wrap(line, letters) or [""]) for line in printable(text).split("\n"))


def printable(text: str) -> str:
    """Names of files may hold bytes that are no text; there is no glyph for them."""
    return text.encode("utf-8", "replace").decode()


def points(pixels: float) -> float:
    """Type size in points that comes out `pixels` high."""
    return pixels * 72 / _DPI


def save_png(figure: "Figure", path: Path) -> None:
    """Write at `path`, complete or not at all.

    Raises
    ------
    ValueError
        If `path` does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path.name} does not end in .png, the one format that figures are written in.")
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=_DPI, facecolor=BACKGROUND)
