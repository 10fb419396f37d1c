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
os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="mritransfer-tests-matplotlib-")

# no deadline: the first draw of a property pays for imports and for torch's warm-up
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_unconfigure():
    shutil.rmtree(os.environ["MPLCONFIGDIR"], ignore_errors=True)


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
