"""Seconds that a simulated subject takes, and where they go.

    OMP_NUM_THREADS=2 python benchmarks/simulation.py

One process, heads in memory after the first subject; median of `SUBJECTS`. "whole cohort" is `simulate_cohort`, all
of it, divided by the number of subjects. Processor time tells more than the clock where other
programs run.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation import load_head, simulate_cohort
from napari_mritransfer.cohort.simulation.deformation import deform
from napari_mritransfer.cohort.simulation.draws import Stream, draw_anatomy, stream
from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.nifti_file import write_simulated
from napari_mritransfer.cohort.simulation.scanner import draw_scanner, scan
from napari_mritransfer.cohort.simulation.settings import USUAL
from napari_mritransfer.cohort.simulation.subject import interpolate

SUBJECTS = 9


def timed(work: Callable[[], object], spent: list[float]) -> object:
    began = time.perf_counter()
    result = work()
    spent.append(time.perf_counter() - began)
    return result


def parts(spacing_mm: float, folder: Path) -> dict[str, float]:
    grid, head = Geometry.of(Grid(spacing_mm)), load_head("patient01")
    interpolate(head, grid.positions())  # the spline's coefficients are kept
    spent: dict[str, list[float]] = {part: [] for part in ("deform", "interpolate", "scan", "write")}
    for number in range(SUBJECTS):
        anatomy = draw_anatomy(head, age=70, diseased=bool(number % 2), seed=0, number=number, effects=USUAL)
        scanner = draw_scanner("ABC"[number % 3], stream(Stream.SCANNER, 0, number))
        rng = stream(Stream.NOISE, 0, number)
        deformation = timed(lambda anatomy=anatomy: deform(anatomy, grid), spent["deform"])
        image = timed(lambda where=deformation.positions: interpolate(head, where), spent["interpolate"])
        seen = timed(
            lambda image=image, scanner=scanner, rng=rng: scan(image, scanner, grid.spacing_mm, rng), spent["scan"]
        )
        timed(lambda seen=seen: write_simulated(seen, grid.affine, folder / "one.nii.gz"), spent["write"])
    return {part: float(np.median(seconds)) for part, seconds in spent.items()}


def main() -> None:
    print("| spacing | deform | interpolate | scan | write | whole cohort, a subject | of it processor time | MB |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for spacing in (2.0, 3.0):
            seconds = parts(spacing, folder)
            wall, processor = time.perf_counter(), time.process_time()
            table = simulate_cohort(folder / f"cohort-{spacing:g}", subjects=2 * SUBJECTS, seed=0, spacing_mm=spacing)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            size = sum(path.stat().st_size for path in table.parent.rglob("*.nii.gz")) / 1e6
            columns = [f"{value:.2f} s" for value in seconds.values()]
            columns += [f"{total / (2 * SUBJECTS):.2f} s" for total in (wall, processor)]
            print(f"| {spacing:g} mm | {' | '.join(columns)} | {size / (2 * SUBJECTS):.2f} |")


if __name__ == "__main__":
    main()
