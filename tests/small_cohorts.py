"""A cohort of tiny volumes whose label is plain to see: a ball in a few known slices grows with it."""

import json
from pathlib import Path

import nibabel
import numpy as np

from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.preparation import Preparation

COARSE = Preparation(spacing_mm=13.0)
GRID = Grid(13.0)
NETWORK = {
    "encoder": "conv5", "pooling": "attention", "positions": "learned", "slicing": "sagittal", "widths": [6, 8],
    "features": 8, "code": 8, "dropout": 0.0,
}  # fmt: skip
BALL = (4, 8, 7)  # its centre's voxel


def volume_of(age: float, seed: int) -> np.ndarray:
    """A head of noise with a ball that grows with age, 45 to 85."""
    rng = np.random.default_rng(seed)
    axes = np.ogrid[tuple(slice(n) for n in GRID.shape)]
    middle = [(n - 1) / 2 for n in GRID.shape]
    head = sum(((a - m) / (0.45 * n)) ** 2 for a, m, n in zip(axes, middle, GRID.shape, strict=True)) < 1
    radius = 1.0 + 2.0 * (age - 45) / 40
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip(axes, BALL, strict=True)))
    ball = np.clip(radius + 0.5 - distance, 0, 1)
    return (head * (100 + 3 * rng.standard_normal(GRID.shape)) * (1 + 2 * ball)).astype(np.float32)


def write_cohort(folder: Path, *, subjects: int = 20, simulated: bool = True) -> Path:
    """A BIDS folder; ``disease`` is 'diseased' for those above 65, ``site`` alternates."""
    rows = ["participant_id\tage\tdisease\tsite"]
    rng = np.random.default_rng(5)
    for number, age in enumerate(rng.permutation(np.linspace(45, 85, subjects)), start=1):
        name = f"sub-{number:02d}"
        scan = folder / name / "anat" / f"{name}_T1w.nii.gz"
        scan.parent.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(volume_of(age, number), GRID.affine), scan)
        rows.append(f"{name}\t{age:.2f}\t{'diseased' if age > 65 else 'healthy'}\t{'ABC'[number % 3]}")
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    description = {"Name": "small", "BIDSVersion": "1.9.0", "simulated": simulated}
    (folder / "dataset_description.json").write_text(json.dumps(description))
    return folder / "participants.tsv"


def config_for(table: Path, label: str = "age", **changes: object) -> CohortConfig:
    """A training that takes a second."""
    usual = {
        "network": NETWORK, "preparation": COARSE, "epochs": 4, "batch": 4, "learning_rate": 0.005, "device": "cpu",
        "precision": "float32",
    }  # fmt: skip
    if changes.get("model"):
        usual["network"] = {}
    return CohortConfig(str(table), label, **(usual | changes))
