"""The dock, its run folder, and what it orders from the worker."""

import pytest
from docks import opened_dock
from fake_boards import write_scan
from fake_request import FakeRequest

from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.settings import Preferences


@pytest.fixture
def scan(tmp_path):
    return write_scan(tmp_path)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The run folder of the preferences."""
    folder = tmp_path / "mritransfer-runs"
    wanted = Preferences("cpu", folder, 0.25, "radiological")
    for module in ("session", "compare_dock", "view"):
        monkeypatch.setattr(f"napari_mritransfer.widgets.{module}.preferences", lambda: wanted)
    return folder


@pytest.fixture
def orders(monkeypatch):
    """What the session was asked for; no worker is started."""
    sent = []

    def request(_self, command, title):
        sent.append(FakeRequest(command, title))
        return sent[-1]

    monkeypatch.setattr(Session, "request", request)
    monkeypatch.setattr(Session, "dock_opened", lambda *_: None)
    return sent


@pytest.fixture
def dock(viewer, root, orders):
    return opened_dock(viewer)
