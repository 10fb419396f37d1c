"""The "Cohort" dock, its run folder, its networks, and what it orders from the worker."""

import pytest
from fake_request import FakeRequest
from fake_reuse import write_table

from napari_mritransfer.widgets.reuse_dock import CohortDock
from napari_mritransfer.widgets.reuse_models import ReuseModel
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.settings import Preferences

SOON = 10_000
KNOWN = [
    ReuseModel("sim-sfcn-age", "sim-sfcn-age", "Age of simulated brains."),
    ReuseModel("sfcn-age", "sfcn-age", "Age, as published."),
]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The run folder of the preferences."""
    folder = tmp_path / "mritransfer-runs"
    wanted = Preferences("cpu", folder, 0.25, "radiological")
    for module in ("session", "reuse_dock", "view"):
        monkeypatch.setattr(f"napari_mritransfer.widgets.{module}.preferences", lambda: wanted)
    monkeypatch.setattr("napari_mritransfer.widgets.reuse_networks.known_models", lambda: KNOWN)
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
    made = CohortDock(viewer)
    viewer.window.add_dock_widget(made, name="Cohort", area="right")
    return made


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "cohort")


@pytest.fixture
def filled(dock, table, qtbot):
    """The dock with the table read."""
    dock.open_table(table)
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    return dock


@pytest.fixture
def settled(qtbot):
    """Wait until a dock's errand is over."""

    def wait(dock):
        qtbot.waitUntil(lambda: not dock.reusing.is_busy and not dock.showing.is_busy, timeout=SOON)

    return wait
