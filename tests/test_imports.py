"""The rules of the house that a reader relies on: what importing loads, how long files get, where metadata stands."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import napari_mritransfer

ROOT = Path(__file__).parent.parent
VIEWER = {"PyQt5", "PyQt6", "PySide6", "magicgui", "napari", "qtpy"}
LEARNING = {"lightning_fabric", "torch"}


def loaded_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_package_alone_loads_nothing_heavy():
    heavy = VIEWER | LEARNING | {"matplotlib", "nibabel", "numpy", "scipy", "skimage"}
    assert loaded_after("import napari_mritransfer; dir(napari_mritransfer)") & heavy == set()


@pytest.mark.parametrize(
    "module",
    [
        *("cli", "cohort.config", "cohort.splits", "cohort.statistics", "evaluation.metrics", "io", "physics.masks"),
        *("physics.support", "study.methods", "study.sampling", "transfer.catalogue"),
    ],
)
def test_the_viewers_process_can_import_it_without_torch(module):
    """import-linter sees what a module imports; only running it also shows what its package's __init__ imports."""
    assert loaded_after(f"import napari_mritransfer.{module}") & (VIEWER | LEARNING) == set()


def test_pydicom_is_imported_by_the_first_dicom_file_alone():
    """Most viewers never see such a file. (nibabel imports a part of it where it is installed, but does without.)"""
    without = "import sys; sys.modules['pydicom'] = None"
    loaded_after(f"{without}; import napari_mritransfer.io, napari_mritransfer.widgets.reader")


def test_no_widget_loads_torch():
    room = ROOT / "napari_mritransfer" / "widgets"
    modules = sorted(f"napari_mritransfer.widgets.{path.stem}" for path in room.glob("[!_]*.py"))
    assert "napari_mritransfer.widgets.reader" in modules
    loaded = loaded_after(f"import {', '.join(modules)}")
    assert loaded & LEARNING == set()
    assert {"napari", "qtpy"} <= loaded  # or this test looked at nothing


def test_the_headless_core_runs_without_napari_and_qt():
    names = [name for name in napari_mritransfer.__all__ if name != "__version__"]
    loaded = loaded_after(f"from napari_mritransfer import {', '.join(names)}")
    assert loaded & VIEWER == set()
    assert "torch" in loaded  # or this test looked at nothing


@pytest.mark.parametrize("name", napari_mritransfer.__all__)
def test_public_names_resolve(name):
    assert getattr(napari_mritransfer, name) is not None
    assert name in dir(napari_mritransfer)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'finetuned'"):
        _ = napari_mritransfer.finetuned


def test_files_stay_readable():
    rooms = ("napari_mritransfer", "tests", "scripts", "benchmarks")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert Path(__file__) in files
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert {str(path): length for path, length in lengths.items() if length > 350} == {}


def test_metadata_has_one_source():
    """With a [project] table setuptools ignores setup.cfg's classifiers and dependencies, and only logs it."""
    assert "project" not in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
