"""A viewer that knows the plugin."""

from pathlib import Path

import pytest
from worker_session import lent_client, warm_worker  # noqa: F401 - fixtures

PLUGIN = "napari-mritransfer"


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def opened(viewer):
    """Open files with the plugin; the layers they became."""

    def open_files(*paths: Path) -> list:
        return viewer.open([*paths], plugin=PLUGIN)

    return open_files
