"""Small files for tests of whole jobs: head-like volumes and a network that takes milliseconds."""

import json
from pathlib import Path

import nibabel
import numpy as np
import torch
from safetensors.torch import save_file

from napari_mritransfer.networks.dccnn import DCCNN

TINY = {"cascades": 1, "depth": 2, "width": 4}


def write_head(path: Path, *, seed: int = 0, slices: int = 8, size: tuple[int, int] = (40, 48)) -> Path:
    """An axial NIfTI volume (i towards left, j towards posterior): ellipses of several intensities, air exactly 0."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    volume = np.zeros((*size, slices), dtype=np.float32)
    for k in range(slices):
        head = (x / 0.75) ** 2 + (y / 0.9) ** 2 < 1
        volume[..., k][head] = 400
        for _ in range(6):
            cx, cy, rx, ry = rng.uniform(-0.4, 0.4), rng.uniform(-0.5, 0.5), *rng.uniform(0.1, 0.3, 2)
            volume[..., k][(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1) & head] += rng.uniform(-200, 400)
        volume[..., k][head] += rng.normal(0, 10, head.sum())
    volume = np.abs(volume).round()
    affine = np.diag([-2.0, -2.0, 4.0, 1.0])
    affine[:3, 3] = (40, 48, -16)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.uint16), affine), path)
    return path


def write_tiny_base(path: Path, *, seed: int = 0) -> Path:
    """A self-describing weights file of a one-cascade DCCNN."""
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"architecture": "dccnn", "settings": json.dumps(TINY)}
    save_file(DCCNN(**TINY).state_dict(), path, metadata)
    return path
