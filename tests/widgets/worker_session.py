"""Sessions in temporary run folders, and a worker that several tests share: starting one takes seconds."""

import os
import time

import pytest

from napari_mritransfer.training.client import WorkerClient
from napari_mritransfer.widgets import session as session_module
from napari_mritransfer.widgets.settings import Preferences

USERS = ("session", "load_dock", "finetune_dock", "compare_dock", "attention_dock", "reuse_dock", "sampling_form")


def prefer(monkeypatch, run_folder, **changes):
    """Let every dock see these preferences."""
    usual = {"device": "cpu", "default_rate": 0.35, "view": "radiological"}
    wanted = Preferences(**(usual | changes), run_folder=run_folder)
    for name in USERS:
        module = f"napari_mritransfer.widgets.{name}.preferences"
        monkeypatch.setattr(module, lambda: wanted, raising=False)
    return wanted


class LentClient(WorkerClient):
    """Outlives the viewers that use it."""

    def close(self, timeout=1.0):
        pass

    def really_close(self):
        super().close(5)


@pytest.fixture(scope="module")
def lent_client():
    client = LentClient()
    yield client
    client.really_close()


@pytest.fixture
def warm_worker(lent_client, monkeypatch):
    """Sessions made in this test talk to the module's worker."""
    lent_client.start()
    monkeypatch.setattr(session_module, "WorkerClient", lambda: lent_client)
    return lent_client


def is_gone(pid, within_s=5.0):
    """Whether a process has ended, zombies included."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False
