"""Small multi-coil scans of a head that is bright, round and off its centre."""

from pathlib import Path

import numpy as np

from napari_mritransfer.io import Scan, save
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.centred import transform

SHAPE = (1, 5, 3, 32, 28)  # frame, slice, coil, ky, kx


def raw_samples(shape: tuple[int, ...] = SHAPE, *, seed: int = 0) -> np.ndarray:
    """K-space of an ellipse as smooth coils see it, with a smooth phase and some noise."""
    frames, slices, coils, rows, columns = shape
    y, x = (np.linspace(-1, 1, n) for n in (rows, columns))
    brightness = np.arange(1, frames * slices + 1).reshape(frames, slices, 1, 1, 1)
    head = ((y[:, None] - 0.1) ** 2 + (x / 0.8) ** 2 < 0.5) * (1 + 0.3 * np.cos(9 * y[:, None]) * np.cos(7 * x))
    angles = 2 * np.pi * np.arange(coils)[:, None, None] / coils
    maps = np.exp(-((y[:, None] - np.sin(angles)) ** 2 + (x - np.cos(angles)) ** 2) / 3 + 1j * angles)
    kspace = transform(brightness * (maps * head * np.exp(0.5j * x)))
    noise = np.random.default_rng(seed).normal(0, 0.01, (2, *shape)).astype(np.float32)
    return kspace + noise[0] + 1j * noise[1]


def raw_scan(samples: np.ndarray | None = None, *, name: str = "raw") -> Scan:
    return Scan.from_kspace(KSpace.from_array(raw_samples() if samples is None else samples), name=name)


def write_raw(path: Path, samples: np.ndarray | None = None) -> Path:
    """A .cfl, .h5 or .mrd file, or a bare .npy of (slice, coil, ky, kx)."""
    samples = raw_samples() if samples is None else samples
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, samples[0])
    else:
        save(raw_scan(samples), path)
    return path


def scattered(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same with a third of the plane measured, its centre whole; and ``(ky, kx)`` what that is."""
    rows, columns = samples.shape[-2:]
    sampled = np.random.default_rng(1).random((rows, columns)) < 0.3
    sampled[rows // 2 - 5 : rows // 2 + 5, columns // 2 - 5 : columns // 2 + 5] = True
    sampled[[0, 0, -1, -1], [0, -1, 0, -1]] = True  # as far as it goes
    return samples * sampled, sampled
