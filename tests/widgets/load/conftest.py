"""The "Load scan" dock with a worker that answers when the test says so."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.training.client import Result
from napari_mritransfer.widgets import load_dock
from napari_mritransfer.widgets.measuring import measuring_of
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.settings import Preferences

PLUGIN = "napari-mritransfer"
SOON = 10_000  # ms; the machine may be busy


class FakeRequest(QObject):
    """Stands for an order to the worker: it ends when the test says so."""

    told = Signal(object)
    ended = Signal(object)

    def __init__(self, command, title, until_done):
        super().__init__()
        self._until_done = until_done
        self.command, self.title, self.was_stopped = command, title, False

    def stop(self):
        self.was_stopped = True

    def answer(self, image, *, is_awaited=True, **values):
        """The worker's `Result`, with `image` as the zero-filled one; waits until it is read unless told not to."""
        out = Path(self.command["out"])
        out.mkdir(parents=True)
        np.save(out / "zero-filled.npy", image.astype(np.float32))
        fields = {
            "zero_filled": str(out / "zero-filled.npy"), "lines": [2, 3, 4], "n_lines": 6, "nominal_rate": 0.25,
            "phase_encode": "y", "description": "nominal 25.0%, achieved 25.0%", "warnings": ["Simulated."],
            "has_reference": True,
        }  # fmt: skip
        self.ended.emit(Result({**fields, **values}))
        if is_awaited:
            self._until_done()


@pytest.fixture(autouse=True)
def run_folder(tmp_path, monkeypatch):
    """Everything the session writes goes here, not into the user's home."""
    wanted = Preferences("auto", tmp_path / "runs", 0.4, "radiological")
    monkeypatch.setattr(load_dock, "preferences", lambda: wanted)
    monkeypatch.setattr("napari_mritransfer.widgets.session.preferences", lambda: wanted)
    return wanted.run_folder


@pytest.fixture
def orders(monkeypatch, qtbot):
    """No worker: what is ordered is collected."""
    sent: list[FakeRequest] = []

    def request(self, command, title):
        measuring = measuring_of(self)
        until_done = partial(qtbot.waitUntil, lambda: not measuring.is_busy, timeout=SOON)
        sent.append(FakeRequest(command, title, until_done))
        return sent[-1]

    monkeypatch.setattr(Session, "request", request)
    monkeypatch.setattr(Session, "dock_opened", lambda self, dock: None)
    return sent


@pytest.fixture
def opened_dock(viewer):
    """Opens the dock as the menu does."""

    def open_dock(of=viewer):
        _, dock = of.window.add_plugin_dock_widget(PLUGIN, "Load scan")
        return dock

    return open_dock


@pytest.fixture
def ready(qtbot):
    """Waits until the chosen layer is looked through."""

    def wait(dock):
        qtbot.waitUntil(dock.undersample.isEnabled, timeout=SOON)
        return dock

    return wait


@pytest.fixture
def ordered(qtbot, orders):
    """Presses the button and waits for the order."""

    def press(dock):
        before = len(orders)
        dock.undersample.click()
        qtbot.waitUntil(lambda: len(orders) > before, timeout=SOON)
        return orders[-1]

    return press
