"""A viewer that knows the plugin."""

import gc
from pathlib import Path

import pytest
from worker_session import lent_client, warm_worker  # noqa: F401 - fixtures

PLUGIN = "napari-mritransfer"


@pytest.fixture(autouse=True, scope="session")
def _quick_collections():
    """Leak checks collect garbage many times a test; what libraries hold since their import is not looked at again."""
    import napari.viewer  # noqa: F401 - what a viewer needs
    import torch  # noqa: F401 - other tests need it anyway

    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    return make_napari_viewer_proxy()


@pytest.fixture
def opened(viewer):
    """Open files with the plugin; the layers they became."""

    def open_files(*paths: Path) -> list:
        return viewer.open([*paths], plugin=PLUGIN)

    return open_files
