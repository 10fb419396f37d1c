"""What a user gets: the wheel is built, installed away from the checkout, looked into and run. Needs no network."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import napari_mritransfer

ROOT = Path(__file__).parent.parent
MB = 1_000_000


def run(*command: object, **options: object) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A copy of what the build reads, so that no build/ folder appears in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    package = "napari_mritransfer"
    shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """A folder with the installed wheel; put on PYTHONPATH it comes before the checkout's editable install."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", folder, wheel)
    return folder


@pytest.fixture(scope="module")
def away(site, tmp_path_factory) -> dict[str, object]:
    """Options of a subprocess that sees the installed wheel and the dependencies, but not the checkout."""
    return {"cwd": tmp_path_factory.mktemp("elsewhere"), "env": {**os.environ, "PYTHONPATH": str(site)}}


@pytest.fixture(scope="module")
def distribution(site) -> PathDistribution:
    (found,) = distributions(path=[str(site)])
    return found


def test_metadata(distribution):
    metadata = distribution.metadata
    assert metadata["Name"] == "napari-mritransfer"
    assert metadata["Version"] == napari_mritransfer.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    classifiers = metadata.get_all("Classifier")
    assert {"Framework :: napari", "Topic :: Scientific/Engineering :: Medical Science Apps."} < set(classifiers)
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} < set(classifiers)


def test_dependencies(distribution):
    """No Qt and no napari without an extra, and nothing pinned from above: that is what constraints.txt is for."""
    requirements = [Requirement(text) for text in distribution.requires]
    assert {one.name for one in requirements if one.marker is None} == {
        *("h5py", "ismrmrd", "lightning-fabric", "matplotlib", "monai", "nibabel", "numpy", "openpyxl", "pooch"),
        *("pydicom", "rich", "safetensors", "scikit-image", "scikit-learn", "scipy"),
        *("threadpoolctl", "torch", "typer"),
    }
    assert {bound.operator for one in requirements for bound in one.specifier} == {">="}
    assert set(distribution.metadata.get_all("Provides-Extra")) == {"all", "classical", "dev"}
    napari = next(one for one in requirements if one.name == "napari")
    assert napari.marker.evaluate({"extra": "all"})
    assert napari.extras == {"pyqt6"}
    (pyqtgraph,) = [one for one in requirements if one.name == "pyqtgraph"]
    assert pyqtgraph.marker.evaluate({"extra": "all"})


def test_entry_points(distribution):
    assert {(one.group, one.name, one.value) for one in distribution.entry_points} == {
        ("console_scripts", "mritransfer", "napari_mritransfer.cli:main"),
        ("napari.manifest", "napari-mritransfer", "napari_mritransfer:napari.yaml"),
    }


def test_every_resource_is_inside(source, site):
    def files(base: Path) -> set[Path]:
        resources = base / "napari_mritransfer" / "resources"
        return {path.relative_to(base) for path in resources.rglob("*") if path.is_file()}

    assert files(source) != set()
    assert files(site) == files(source)
    assert (site / "napari_mritransfer" / "py.typed").is_file()
    assert (site / "napari_mritransfer" / "napari.yaml").is_file()


def test_the_download_stays_small(wheel, site):
    def size(pattern: str) -> int:
        return sum(path.stat().st_size for path in (site / "napari_mritransfer" / "resources").rglob(pattern))

    assert 0 < size("*.nii.gz") <= 12 * MB
    assert 0 < size("*.safetensors") <= 8 * MB
    assert wheel.stat().st_size <= 20 * MB


def test_the_installed_package_is_not_the_checkout(site, away):
    file = run(sys.executable, "-c", "import napari_mritransfer; print(napari_mritransfer.__file__)", **away)
    assert Path(file.strip()).is_relative_to(site)


def test_napari_finds_the_installed_plugin(site, away):
    code = (
        "import npe2; manager = npe2.PluginManager(); manager.discover();"
        "manifest = manager.get_manifest('napari-mritransfer');"
        "print(manifest.display_name, len(manifest.contributions.widgets), sep='|')"
    )
    assert run(sys.executable, "-c", code, **away).strip() == "MRI Transfer|5"


def test_the_installed_program_runs(site, away):
    scripts = "Scripts" if os.name == "nt" else "bin"
    assert napari_mritransfer.__version__ in run(site / scripts / "mritransfer", "--version", **away)
    assert run(site / scripts / "mritransfer", "--help", **away)
    assert napari_mritransfer.__version__ in run(sys.executable, "-m", "napari_mritransfer", "--version", **away)
