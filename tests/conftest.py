"""What every test stands on: the same draws each time, two threads, nothing written outside the test's own folders."""

import os
import random
import shutil
import sys
import tempfile

import pytest
from hypothesis import settings

# Environment variables rather than calls: they also reach the subprocesses, and importing torch or matplotlib here
# would cost every test session seconds.
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["MPLBACKEND"] = "Agg"
SETTINGS = tempfile.mkdtemp(prefix="mritransfer-tests-settings-")
os.environ["MPLCONFIGDIR"] = SETTINGS
os.environ["NAPARI_CONFIG"] = os.path.join(SETTINGS, "napari.yaml")
os.environ["NAPARI_STRICT_QT"] = "1"  # a test that leaves a window behind warns, and warnings are errors

# no deadline: the first draw of a property pays for imports and for torch's warm-up
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_unconfigure():
    shutil.rmtree(SETTINGS, ignore_errors=True)


@pytest.fixture
def one_thread():
    """For tiny tensors: a second thread gains nothing there, and on a busy machine every layer waits for it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_seeds():
    """The package draws from generators that it seeds itself; this is for what libraries draw behind its back."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
