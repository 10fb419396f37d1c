"""Small cohorts on disk: tables, and images that only a header reader looks into."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np

MNI = np.diag([-8.0, 8.0, 8.0, 1.0])
MNI[:3, 3] = (90, -126, -72)
SHAPE = (23, 28, 23)  # the common grid at 8 mm


def write_image(path: Path, *, seed: int = 0, shape: tuple[int, ...] = SHAPE, affine: np.ndarray = MNI) -> Path:
    """A bright block of noise in dark air, unlike any of another seed."""
    voxels = np.zeros(shape, dtype=np.float32)
    inside = tuple(slice(size // 4, size - size // 4) for size in shape)
    voxels[inside] = np.random.default_rng(seed).uniform(50, 100, voxels[inside].shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A TSV, its columns those of the first row."""
    columns = list(rows[0])
    lines = [columns, *([str(row[name]) for name in columns] for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_cohort(folder: Path, rows: Sequence[Mapping[str, object]], *, images: bool = True) -> Path:
    """A table with a column of paths, and an image for each row that does not bring its own path."""
    complete = []
    for number, row in enumerate(rows):
        own = {"participant_id": f"sub-{number:02d}", "path": f"{number:02d}.nii", **row}
        if images and "path" not in row:
            write_image(folder / own["path"], seed=number)
        complete.append(own)
    return write_table(folder / "cohort.tsv", complete)
