"""One slice of multi-coil k-space from each format ÷ a raw memory map of the same slice; memory while scrolling.

    OMP_NUM_THREADS=1 python benchmarks/formats.py

Everything is warm (in the page cache), uncompressed, and read in one process in turns; minimum of `REPEATS`. The raw
map is opened once, its slice copied, and the last two copies kept, as `KSpace` keeps them: fresh memory costs more than
memory that was just freed. Each format opens once, as a viewer does, and then reads slices nobody has
seen. The second table scrolls through 4 GiB that no memory holds: a sparse .cfl, each slice read and transformed.
"""

import os
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from napari_mritransfer.io import KSpace, Scan, load, save

SHAPE = (1, 6, 16, 320, 320)  # 13 MB a slice
REPEATS = 40


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def written(folder: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    kspace = (rng.standard_normal(SHAPE, np.float32) + 1j * rng.standard_normal(SHAPE, np.float32)).astype(np.complex64)
    window = np.hanning(320)[:, None] * np.hanning(320)
    kspace *= (window**8).astype(np.float32) + 1e-6
    scan = Scan.from_kspace(KSpace.from_array(kspace), phase_encode="y")
    paths = {
        name: folder / name
        for name in ("raw.npy", "fastmri.h5", "ismrmrd.mrd", "bart.cfl", "matlab-v6.mat", "matlab-v7.3.mat")
    }
    np.save(paths["raw.npy"], kspace[0])
    for name in ("fastmri.h5", "ismrmrd.mrd", "bart.cfl"):
        save(scan, paths[name])
    # as MATLAB keeps (kx, ky, coil, slice): kx varies fastest
    scipy.io.savemat(paths["matlab-v6.mat"], {"kspace": kspace[0].T})
    with h5py.File(paths["matlab-v7.3.mat"], "w") as file:
        file["kspace"] = kspace[0].view([("real", "<f4"), ("imag", "<f4")])
    return paths


def one_slice(folder: Path) -> None:
    paths = written(folder)
    raw = np.load(paths["raw.npy"], mmap_mode="r")
    axes = {".npy": "slice,coil,ky,kx", ".mat": "kx,ky,coil,slice"}
    opened = {name: load(path, axes=axes.get(path.suffix)).kspace for name, path in paths.items()}
    print(f"{SHAPE[2]} coils x {SHAPE[3]} x {SHAPE[4]}, {raw[0].nbytes / 1e6:.1f} MB a slice, minimum of {REPEATS}")
    print("| read from | ms | memory map (ms) | ratio |\n|---|---|---|---|")
    kept: deque[np.ndarray] = deque(maxlen=2)
    for name, kspace in opened.items():
        mapped, found = [], []
        for repeat in range(REPEATS):
            index = repeat % SHAPE[1]
            mapped.append(seconds(lambda index=index: kept.append(np.array(raw[index]))))
            found.append(seconds(lambda kspace=kspace, index=index: kspace.slice(0, index)))
        print(f"| {name} | {1000 * min(found):.2f} | {1000 * min(mapped):.2f} | {min(found) / min(mapped):.2f} |")


def scrolling(folder: Path) -> None:
    path = folder / "large.cfl"
    path.with_suffix(".hdr").write_text("# Dimensions\n320 320 1 16 1 1 1 1 1 1 1 1 1 328\n", "utf-8")
    path.touch()
    os.truncate(path, 320 * 320 * 16 * 328 * 8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scan = load(path, axes="kx,ky,frame,coil" + ",frame" * 9 + ",slice")
    took = seconds(lambda: [scan.image[0, index] for index in range(scan.image.shape[1])])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{path.stat().st_size / 2**30:.1f} GiB scrolled in {took:.0f} s: peak memory grew by {grown:.0f} MiB\n")


def main() -> None:
    for table in (scrolling, one_slice):  # first what looks at the process's peak
        with tempfile.TemporaryDirectory() as folder:
            table(Path(folder))


if __name__ == "__main__":
    main()
