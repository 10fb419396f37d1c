"""Plots that look at home in a dock and leave nothing behind."""

from typing import Any

import pyqtgraph as pg


def add_plot(canvas: "pg.GraphicsLayoutWidget", *, row: int = 0) -> Any:
    """A plot without pyqtgraph's own menus, buttons and mouse modes.

    pyqtgraph makes a menu for every plot all the same, as a window of its own that lives until Python's garbage
    collector comes by; as a child of the canvas it goes when the dock goes.
    """
    plot = canvas.addPlot(row=row, col=0, enableMenu=False)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    plot.ctrlMenu.setParent(canvas, plot.ctrlMenu.windowFlags())
    return plot
