"""Scans of which everything is known: textured heads with and without a phase of their own, never zero in air."""

import numpy as np

from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.centred import inverse_transform, transform

SHAPE = (3, 128, 144)


def magnitude(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """``(slice, y, x)`` float32: an ellipse of random texture with noise everywhere."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[2]), indexing="ij")
    head = (y / 0.7) ** 2 + (x / 0.6) ** 2 < 1
    texture = 400 + 80 * rng.normal(size=shape)
    noise = rng.normal(0, 12, (2, *shape))
    return np.hypot(texture * head + noise[0], noise[1]).astype(np.float32)


def phase(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """A smooth one, some radians, as somebody would paint it onto a magnitude."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.linspace(-1, 1, shape[1]), np.linspace(-1, 1, shape[2]), indexing="ij")
    a, b, c = rng.uniform(0.5, 1.5, 3)
    return np.exp(1j * (a * x + b * y**2 + c * x * y))


def acquired(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Complex, with a phase that has detail, and complex noise."""
    rng = np.random.default_rng(seed + 1000)
    fine = np.exp(0.4j * rng.normal(size=shape))
    return (magnitude(seed, shape) * phase(seed, shape) * fine).astype(np.complex64)


def image_scan(planes: np.ndarray) -> Scan:
    origin = Origin.COIL_COMBINED if np.iscomplexobj(planes) else Origin.MAGNITUDE
    return Scan.from_image(planes[None], origin=origin)


def raw_scan(kspace: np.ndarray, *, origin: Origin = Origin.RAW) -> Scan:
    """From ``(slice, coil, ky, kx)``."""
    return Scan.from_kspace(KSpace.from_array(kspace[None].astype(np.complex64)), origin=origin)


def coils(planes: np.ndarray, count: int = 3) -> np.ndarray:
    """K-space ``(slice, coil, ky, kx)`` as seen by coils with smooth complex sensitivities."""
    maps = np.stack([(1 + 0.1 * coil) * phase(coil, planes.shape) for coil in range(count)])
    return transform(planes[:, None] * maps)


def padded(planes: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Zero-filled to a larger matrix by k-space, magnitude stays magnitude."""
    kspace = transform(planes)
    larger = np.zeros((len(planes), rows, columns), np.complex64)
    top, left = rows // 2 - kspace.shape[1] // 2, columns // 2 - kspace.shape[2] // 2
    larger[:, top : top + kspace.shape[1], left : left + kspace.shape[2]] = kspace
    image = inverse_transform(larger)
    return image if np.iscomplexobj(planes) else np.abs(image)
