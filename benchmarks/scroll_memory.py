"""Memory that a viewer takes while somebody scrolls through raw k-space of 4 GiB.

    xvfb-run -a python benchmarks/scroll_memory.py [--folder FOLDER]

Writes a BART file (512 x 512, 16 coils, 128 slices) whose first, middle and last slices hold numbers and whose others
are holes in the file, so that it takes 100 MB of the disk; opens it as drag and drop does, scrolls through all slices
of the image and then of every view of k-space, and prints how much the process grew over the viewer with its dock and
a small scan. The folder has to be on a file system with sparse files.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

COLUMNS, ROWS, COILS, SLICES = 512, 512, 16, 128
LIMIT_MB = 500
PLUGIN = "napari-mritransfer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
        os.environ["HOME"] = folder
        large = sparse_kspace(Path(folder) / "large.cfl", SLICES)
        small = sparse_kspace(Path(folder) / "small.cfl", 1, rows=64, columns=64, coils=2)
        grown = scroll(large, small)
    print(f"largest growth: {grown:.0f} MB (limit {LIMIT_MB} MB)")
    raise SystemExit(grown >= LIMIT_MB)


def sparse_kspace(path: Path, slices: int, *, rows: int = ROWS, columns: int = COLUMNS, coils: int = COILS) -> Path:
    """A .cfl whose slices are holes but for the first, the middle and the last."""
    shape = [columns, rows, 1, coils, *[1] * 9, slices, 1, 1]
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, shape))}\n")
    n_bytes = rows * columns * coils * 8
    y, x = (np.abs(np.arange(n) - n // 2) for n in (rows, columns))
    decay = (1 + y[:, None] + x) ** -1.5
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.truncate(n_bytes * slices)
        for index in {0, slices // 2, slices - 1}:
            file.seek(n_bytes * index)
            for _ in range(coils):
                samples = decay * (random.normal(size=(rows, columns)) + 1j * random.normal(size=(rows, columns)))
                file.write(samples.astype("<c8").tobytes())
    return path


def scroll(large: Path, small: Path) -> float:
    """The largest growth in MB over all that is looked at."""
    import napari

    from napari_mritransfer.widgets.commands import opened
    from napari_mritransfer.widgets.session import session_of

    viewer: Any = napari.Viewer()
    viewer.open([str(small)], plugin=PLUGIN)
    dock = opened(viewer, "Load scan")
    wait_for(lambda: dock.kspace.isVisible() and not dock.findings.pending.isVisible())
    for box in dock.kspace.boxes.values():
        box.click()
        box.click()
    viewer.layers.clear()
    settle()
    own = resident_mb()
    print(f"the viewer itself: {own:.0f} MB; the file: {large.stat().st_size / 2**30:.1f} GiB")
    viewer.open([str(large)], plugin=PLUGIN)
    wait_for(lambda: dock.kspace.isVisible() and not dock.findings.pending.isVisible())
    grown = [told("opened, examined and judged", resident_mb() - own)]
    grown.append(told("image of all coils", scrolled(viewer, own)))
    for kind, box in dock.kspace.boxes.items():
        box.click()
        grown.append(told(kind, scrolled(viewer, own)))
        box.click()
    session_of(viewer).close()
    viewer.close()
    return max(grown)


def scrolled(viewer: Any, own: float) -> float:
    """The peak in MB over the viewer's own, while every slice is shown once."""
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak counts from here
    for index in range(SLICES):
        viewer.dims.set_current_step(viewer.dims.ndim - 3, index)
        settle(0.0)
    return peak_mb() - own


def told(what: str, megabytes: float) -> float:
    print(f"{what}: {megabytes:+.0f} MB", flush=True)
    return megabytes


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def peak_mb() -> float:
    """What `resident_mb` was at most, also in the middle of a transform."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def settle(seconds: float = 0.5) -> None:
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() >= end)


def wait_for(is_so: Callable[[], bool], seconds: float = 120) -> None:
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while True:
        QApplication.processEvents()
        if is_so():
            return
        if time.monotonic() > end:
            raise TimeoutError(f"Nothing came of it within {seconds:g} s.")
        time.sleep(0.005)


if __name__ == "__main__":
    main()
