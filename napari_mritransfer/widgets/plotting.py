"""Plots that look at home in a dock and leave nothing behind."""

from typing import Any

import pyqtgraph as pg

from napari_mritransfer.widgets.theme import Colours


def add_plot(canvas: "pg.GraphicsLayoutWidget", *, row: int = 0, view_box: Any = None) -> Any:
    """A plot without pyqtgraph's own menus, buttons and mouse modes; in an area of one's own if given.

    pyqtgraph makes a menu for every plot all the same, as a window of its own that lives until Python's garbage
    collector comes by; as a child of the canvas it goes when the dock goes.
    """
    area = {} if view_box is None else {"viewBox": view_box}
    plot = canvas.addPlot(row=row, col=0, enableMenu=False, **area)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    plot.ctrlMenu.setParent(canvas, plot.ctrlMenu.windowFlags())
    return plot


def colour_axes(plot: Any, colours: Colours) -> None:
    """Give the lines and numbers beside a plot the viewer's colours."""
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(colours.quiet)
        axis.setTextPen(colours.text)
