"""Where to compute."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QComboBox

from napari_mritransfer.training.client import Answer, Result
from napari_mritransfer.widgets.dock import narrow
from napari_mritransfer.widgets.requests import Request

_CPU = ({"name": "cpu", "label": "CPU"},)


class DeviceChoice(QComboBox):
    """Automatic, the graphics cards with their free memory, and the CPU, which is always there.

    Parameters
    ----------
    request
        Sends a command to the worker, which knows the devices.
    preferred
        The device to choose where it exists.
    """

    def __init__(self, request: Callable[[Mapping[str, Any], str], Request], preferred: str) -> None:
        super().__init__()
        narrow(self)
        self.setToolTip("Where to compute")
        self._send = request
        self._has_asked = False
        self._wanted = preferred
        self._fill(_CPU)
        self.activated.connect(self._on_user_chose)

    @property
    def device(self) -> str:
        """As `FinetuneConfig` takes it."""
        return str(self.currentData() or "auto")

    def ask_once(self) -> None:
        """Let the worker look for devices."""
        if not self._has_asked:
            self._has_asked = True
            self._send({"command": "devices"}, "Looking for devices").ended.connect(self._on_devices_found)

    def _on_devices_found(self, answer: Answer) -> None:
        """GUI thread."""
        if isinstance(answer, Result):
            self._fill(answer.values["devices"])

    def _on_user_chose(self) -> None:
        """GUI thread."""
        self._wanted = self.device

    def _fill(self, found: Sequence[Mapping[str, str]]) -> None:
        self.clear()
        self.addItem("Automatic (a GPU if there is one)", "auto")
        for device in found:
            self.addItem(device["label"], device["name"])
        self.setCurrentIndex(max(0, self.findData(self._wanted)))
