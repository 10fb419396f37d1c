"""Colours for what napari's style sheets do not reach: plots and painted pictures."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme

if TYPE_CHECKING:
    import napari

# first those of Okabe and Ito's palette (told apart by colour-blind eyes too) that stay visible on black and on white,
# then others for long lists
SERIES = (
    "#e69f00", "#3a9ad9", "#009e73", "#d55e00", "#cc79a7", "#8c8cf0", "#b0a000",
    "#c0504d", "#45b5aa", "#a07850", "#7f9f3f", "#b068d0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colours:
    """Background, lines of axes, and text, as ``#rrggbb``; `error` and, milder, `warning` stand out."""

    background: str
    quiet: str
    text: str
    error: str
    warning: str


def colours_of(viewer: "napari.Viewer") -> Colours:
    """Those of the viewer's present theme; connect to ``viewer.events.theme`` to follow it."""
    theme = get_theme(viewer.theme)
    dark = theme.background.as_rgb_tuple()[0] < 128
    return Colours(
        theme.background.as_hex(format="long"),
        theme.secondary.as_hex(format="long") if dark else "#777777",
        theme.text.as_hex(format="long"),
        "#ff7b72" if dark else "#b3261e",
        "#f0b429" if dark else "#8a5a00",
    )


def series_colour(index: int) -> str:
    """The colour of the n-th method or run."""
    return SERIES[index % len(SERIES)]
