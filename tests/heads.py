"""Small files for tests of whole jobs: head-like volumes and a network that takes milliseconds."""

import json
from pathlib import Path

import nibabel
import numpy as np
import torch
from safetensors.torch import save_file

from napari_mritransfer.io import Scan, save
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.physics.coils import expand
from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.simulated_coils import simulated_maps

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


def write_raw_head(
    path: Path, *, seed: int = 0, slices: int = 6, coils: int = 4, size: tuple[int, int] = (40, 48), lines: int = 48
) -> Path:
    """Multi-coil k-space of a head as fastMRI's files hold it: rows are the readout, columns the phase encode.

    Parameters
    ----------
    lines
        Measured columns about the centre; the others are zero-padded.
    """
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]), indexing="ij")
    head = (x / 0.75) ** 2 + (y / 0.9) ** 2 < 1
    image = np.zeros((1, slices, *size))
    for k in range(slices):
        image[0, k][head] = 400
        for _ in range(6):
            cx, cy, rx, ry = rng.uniform(-0.4, 0.4), rng.uniform(-0.5, 0.5), *rng.uniform(0.1, 0.3, 2)
            image[0, k][(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1) & head] += rng.uniform(-200, 400)
    object_ = torch.from_numpy(image * np.exp(0.7j * x - 0.4j * y * x)).to(torch.complex64)
    maps = simulated_maps(coils, size, seed).to(torch.complex64)
    noise = torch.from_numpy(rng.normal(0, 4, (1, slices, coils, *size, 2))).to(torch.float32)
    kspace = fourier(expand(object_, maps)) + torch.view_as_complex(noise)
    start = size[1] // 2 - lines // 2
    kspace[..., :start] = kspace[..., start + lines :] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    scan = Scan.from_kspace(KSpace.from_array(kspace.numpy()), spacing_mm=(4, 2, 2), phase_encode="x", name=path.stem)
    save(scan, path)
    return path
