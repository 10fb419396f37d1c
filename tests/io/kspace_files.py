"""Small k-space that looks like k-space, and files that hold it."""

from io import BytesIO

import h5py
import numpy as np
import scipy.io

from napari_mritransfer.io import KSpace, Scan, save
from napari_mritransfer.physics.centred import transform


def head(rows=32, columns=24, coils=4, slices=1, frames=1, seed=0):
    """K-space ``(frame, slice, coil, ky, kx)`` of an ellipse seen by coils with different phases, and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    image = ((y / 0.8) ** 2 + (x / 0.6) ** 2 < 1) * (1 + 0.3 * np.cos(5 * x))
    weights = np.exp(1j * rng.uniform(0, 6, (frames, slices, coils, 1, 1))) * rng.uniform(
        0.5, 1, (frames, slices, coils, 1, 1)
    )
    kspace = transform(weights * image)
    noise = rng.standard_normal((*kspace.shape, 2)) @ [1, 1j]
    return (kspace + 1e-3 * noise).astype(np.complex64)


def brain(rows=48, columns=40, seed=0):
    """A complex image ``(y, x)`` without a peak in the middle."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    image = ((y / 0.8) ** 2 + (x / 0.7) ** 2 < 1) * np.exp(1j * (x + y))
    return (image + 0.01 * np.random.default_rng(seed).standard_normal(image.shape)).astype(np.complex64)


def scan(**sizes):
    """A raw scan with every second line above the centre left out."""
    kspace = head(**sizes)
    kspace[..., 1 : kspace.shape[-2] // 3 : 2, :] = 0
    return Scan.from_kspace(KSpace.from_array(kspace), spacing_mm=(4, 0.7, 0.9), phase_encode="y", name="head")


def small_files(folder):
    """A sound file of each format, by its name."""
    kspace = head(slices=2)[0]
    for name in ("fastmri.h5", "ismrmrd.mrd", "bart.cfl"):
        save(scan(slices=2), folder / name)
    np.save(folder / "array.npy", kspace[0])
    np.savez_compressed(folder / "arrays.npz", kspace=kspace[0])
    scipy.io.savemat(folder / "compressed.mat", {"kspace": kspace[0]}, do_compression=True)
    scipy.io.savemat(folder / "plain.mat", {"data": {"kspace": kspace[0], "te": [1.0, 2.0]}})
    with h5py.File(folder / "matlab73.mat", "w", userblock_size=512) as file:
        pair = np.zeros(kspace[0].shape, [("real", "<f4"), ("imag", "<f4")])
        pair["real"], pair["imag"] = kspace[0].real, kspace[0].imag
        file["kspace"] = pair
    mark_as_matlab73(folder / "matlab73.mat")
    return sorted(path.name for path in folder.iterdir())


def mark_as_matlab73(path):
    """The text that MATLAB puts before the HDF5 it writes."""
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def npy_bytes(header, body=b""):
    """A .npy of any header."""
    text = header.encode().ljust(117) + b"\n"
    stream = BytesIO()
    stream.write(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + body)
    return stream.getvalue()
