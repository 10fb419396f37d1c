"""napari's events outlive the widgets that listen to them."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject


def while_alive(widget: QObject, emitter: Any, callback: Callable[..., Any]) -> None:
    """Connect a callback to one of napari's event emitters for as long as Qt knows the widget.

    napari drops callbacks of objects that Python has forgotten; a closed dock is deleted by Qt while Python may still
    know it, and touching it then raises.
    """
    emitter.connect(callback)
    widget.destroyed.connect(lambda *_: emitter.disconnect(callback))
