"""Scan files of every orientation, written by nibabel."""

from pathlib import Path

import nibabel
import numpy as np

# (i, j, k) of the files run to these directions; voxels of 2 x 2.5 x 4 mm
AXES = {
    "axial": [[-2, 0, 0], [0, -2.5, 0], [0, 0, 4]],
    "sagittal": [[0, 0, -4], [-2, 0, 0], [0, 2.5, 0]],
    "coronal": [[2, 0, 0], [0, 0, -4], [0, 2.5, 0]],
}


def affine_of(orientation: str, *, tilt_deg: float = 0.0) -> np.ndarray:
    """An affine with an offset, turned about the patient's left-right axis by `tilt_deg`."""
    angle = np.radians(tilt_deg)
    turn = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    affine = np.eye(4)
    affine[:3, :3] = np.array(turn) @ np.array(AXES[orientation], dtype=float)
    affine[:3, 3] = (11, -7, 3)
    return affine.astype(np.float32).astype(float)


def write_scan(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """A NIfTI or MGH file with `voxels` in the file's order and something in its header to lose."""
    affine = affine_of("axial") if affine is None else affine
    if path.name.endswith(".mgz"):
        nibabel.save(nibabel.freesurfer.MGHImage(voxels, affine), path)
        return path
    image = nibabel.Nifti1Image(voxels, affine)
    image.header["descrip"] = b"TE=92"
    nibabel.save(image, path)
    return path


def some_voxels(*shape: int, seed: int = 0) -> np.ndarray:
    """Float32 voxels in [1, 100), none like another."""
    return np.random.default_rng(seed).uniform(1, 100, shape).astype(np.float32)
