"""Finished attention maps on disk, as the worker leaves them, without the worker."""

import json
from pathlib import Path

import nibabel
import numpy as np

from napari_mritransfer.cohort.grid import Grid, axis_of

GRID = Grid(14)  # 13 x 16 x 13 voxels: every axis has its own place, and a viewer draws it at once


def relative_weights(n_slices: int, *, seed: int = 0) -> np.ndarray:
    """``(slice,)``, mean 1, no two alike."""
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, n_slices)
    return weights / weights.mean()


def fake_view(
    folder: Path, number: int, *, name="", scan="head", model="sim-age", slicing="sagittal", seed=0, **changes
) -> dict:
    """One view and its files. The volume of slice n is n + 1 everywhere, so is the map a hundredth of that."""
    grid, axis, shape = GRID, axis_of(slicing), GRID.shape
    n_slices = shape[axis]
    numbers = np.arange(1, n_slices + 1, dtype=np.float32).reshape([-1 if one == axis else 1 for one in range(3)])
    volume = np.broadcast_to(numbers, shape).astype(np.float32)
    np.save(folder / f"{number:02d}-volume.npy", volume)
    np.save(folder / f"{number:02d}-map.npy", volume / 100)
    nibabel.save(nibabel.Nifti1Image(volume / 100, grid.affine), folder / f"{number:02d}-map.nii.gz")
    relative = relative_weights(n_slices, seed=seed)
    mean = relative_weights(n_slices, seed=99)
    return {
        "name": name or scan, "input": scan, "source_path": str(folder / f"{scan}.nii.gz"), "model": model,
        "title": f"{model}, a network", "label": "age", "unit": "years", "task": "regression", "classes": None,
        "prediction": 63.2 + number, "prediction_text": f"{63.2 + number:.1f} years", "spread": 1.1,
        "spread_text": "sd 1.1 over 30 dropout draws", "expected_error": "MAE 3.2 years in validation",
        "difference": number if number else None, "difference_text": f"{number:+.1f} years" if number else "",
        "slicing": slicing, "kind": "attention", "weights": (relative / n_slices).tolist(),
        "relative": relative.tolist(), "effective_slices": 9.4, "mean_relative": mean.tolist(),
        "relative_minus_mean": (relative - mean).tolist(), "present": [True] * n_slices,
        "positions_mm": grid.positions_mm(slicing).tolist(), "changed": None,
        "volume": f"{number:02d}-volume.npy", "map": f"{number:02d}-map.npy",
        "sentence": "Dropping the 5 most attended slices moves the prediction by 3.1 years; random ones by 0.4.",
        **changes,
    }  # fmt: skip


def write_record(folder: Path, views: list[dict], *, simulated=True, **changes) -> Path:
    """The file that is written last, and what people read."""
    record = {
        "out": str(folder), "simulated": simulated,
        "grid": {"spacing_mm": GRID.spacing_mm, "shape": list(GRID.shape), "affine": GRID.affine.tolist()},
        "said": ["Resampled to 14 mm."], "warnings": ["The head was not registered."], "sentences": [], "views": views,
        **changes,
    }  # fmt: skip
    (folder / "slices.csv").write_text("slice,weight\n")
    (folder / "attention.png").write_bytes(b"a picture")
    (folder / "attention.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def write_maps(folder: Path, *views: dict, **changes) -> Path:
    """A folder of maps: of one view for each dictionary of changes, of one if none is given."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [fake_view(folder, number, **{"seed": number, **view}) for number, view in enumerate(views or ({},))]
    return write_record(folder, made, **changes)
