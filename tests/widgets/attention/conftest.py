"""The dock, its run folder, its networks, and what it orders from the worker."""

import pytest
from fake_request import FakeRequest
from heads import write_head

from napari_mritransfer.widgets.attention_dock import AttentionDock
from napari_mritransfer.widgets.cohort_models import CohortModel
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.settings import Preferences

SHIPPED = [
    CohortModel("sim-age", "sim-age", "Age of simulated heads.", "sagittal", False),
    CohortModel("sim-disease", "sim-disease", "Disease of simulated heads.", "coronal", True),
]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The run folder of the preferences."""
    folder = tmp_path / "mritransfer-runs"
    wanted = Preferences("cpu", folder, 0.25, "radiological")
    for module in ("session", "attention_dock", "view"):
        monkeypatch.setattr(f"napari_mritransfer.widgets.{module}.preferences", lambda: wanted)
    monkeypatch.setattr("napari_mritransfer.widgets.cohort_choice.shipped_models", lambda: SHIPPED)
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
    made = AttentionDock(viewer)
    viewer.window.add_dock_widget(made, name="Slice attention", area="right")
    return made


@pytest.fixture
def head(tmp_path):
    return write_head(tmp_path / "head.nii.gz")


@pytest.fixture
def layer(opened, head):
    (made,) = opened(head)
    return made
