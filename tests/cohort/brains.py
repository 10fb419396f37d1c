"""Real heads that ship with the project, and the brains in them as an extraction would leave them."""

from pathlib import Path

import nibabel
import numpy as np

from napari_mritransfer.cohort.brain_template import MNI_CENTRE_MM, template_at
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation, Prepared, prepare
from napari_mritransfer.cohort.resampling import resample, voxel_map
from napari_mritransfer.cohort.simulation.heads import head_names
from napari_mritransfer.io import Scan

HEADS = Path(__file__).parents[2] / "napari_mritransfer" / "resources" / "heads"
NAMES = head_names()
GRID = Grid(2.0)

# the heads were aligned to a brain in MNI152 space that was never scaled to the template
_UNSCALED = np.diag([1 / 1.18, 1 / 1.14, 1 / 1.27, 1.0])
_UNSCALED[:3, 3] = np.array([0.6, -20.0, 12.0]) - _UNSCALED[:3, :3] @ MNI_CENTRE_MM


def head(name: str) -> np.ndarray:
    """``(i, j, k)`` on the 2 mm grid, skull and all."""
    return np.asarray(nibabel.load(HEADS / f"{name}.nii.gz").dataobj, dtype=np.float32)


def brain(name: str) -> np.ndarray:
    """The same, with nothing but what lies where a brain of that size has to be."""
    share = resample(template_at(GRID), voxel_map(_UNSCALED @ GRID.affine, GRID.affine), GRID.shape)
    return head(name) * (share > 0.5)


def scaled_to_template() -> np.ndarray:
    """``(4, 4)`` affine by which these brains get the size that MNI152's has."""
    return np.linalg.inv(_UNSCALED) @ GRID.affine


def moved(*, right: float = 0, front: float = 0, top: float = 0) -> np.ndarray:
    """``(4, 4)`` affine of the 2 mm grid, moved by millimetres."""
    affine = GRID.affine
    affine[:3, 3] += (right, front, top)
    return affine


def about_centre(linear: np.ndarray) -> np.ndarray:
    """``(4, 4)`` affine of the 2 mm grid, with the brain turned or scaled about its centre."""
    centre = np.array([0.6, -20.0, 12.0])
    change = np.eye(4)
    change[:3, :3] = linear
    change[:3, 3] = centre - linear @ centre
    return change @ GRID.affine


def nodded(degrees: float) -> np.ndarray:
    """Matrix that lifts the front."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def turned(degrees: float) -> np.ndarray:
    """Matrix that turns the front to the right."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])


def prepared(volume: np.ndarray, affine: np.ndarray | None = None, *, spacing_mm: float = 3.0) -> Prepared:
    """A volume that a file says lies like that."""
    return prepare(scan_of(volume, affine), Preparation(spacing_mm, "mean"))


def scan_of(volume: np.ndarray, affine: np.ndarray | None = None) -> Scan:
    """As if it had been read from a file."""
    return Scan.from_file_order(volume, GRID.affine if affine is None else affine, name="sub-01")


def write(path: Path, volume: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """As NIfTI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(volume, GRID.affine if affine is None else affine), path)
    return path
