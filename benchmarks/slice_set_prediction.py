"""Seconds and memory for one 2 mm volume: a slice-set network's prediction, its map, and two plainer ways.

    OMP_NUM_THREADS=2 python benchmarks/slice_set_prediction.py [--encoder conv5] [--repeats 5]

"prediction" is everything but reading the file: onto the common grid (from a 1 mm scan, interpolated), through the
network, 30 dropout draws; "with map" adds relevance on both grids. The other rows are the network alone: as the package
calls it (groups of 16 slices), slice by slice, and all slices at once, whose numbers are compared. Every row has a
process of its own; minimum of `repeats`, and how much the process grew at most (Linux). On a busy machine the seconds
say little: CPU seconds ÷ cores are what an idle one would need at least.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_mritransfer.io import Scan

PREDICTION, MAP = "prediction", "prediction with map"
GROUPS, SINGLY, AT_ONCE = "network, groups of 16", "network, slice by slice", "network, all at once"
MODES = (PREDICTION, MAP, GROUPS, SINGLY, AT_ONCE)
LIMIT_S = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="conv5", choices=("conv5", "resnet18", "resnet34", "resnet50"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mode", choices=MODES, help="run this one alone and print JSON")
    arguments = parser.parse_args()
    if arguments.mode:
        print(json.dumps(measure(arguments.mode, arguments.encoder, arguments.repeats)))
        return
    print(f"{arguments.encoder}, 91 x 109 x 91 voxels, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    rows = {}
    for mode in MODES:
        command = [sys.executable, __file__, "--mode", mode, "--encoder", arguments.encoder]
        command += ["--repeats", str(arguments.repeats)]
        rows[mode] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    own = rows[GROUPS]
    print("| what | s | CPU s | peak MiB | time ÷ groups of 16 |\n|---|---|---|---|---|")
    for mode, row in rows.items():
        ratio = row["seconds"] / own["seconds"]
        print(f"| {mode} | {row['seconds']:.2f} | {row['cpu_seconds']:.2f} | {row['peak_mib']:.0f} | {ratio:.2f} |")
    apart = max(abs(rows[mode]["value"] - own["value"]) for mode in (SINGLY, AT_ONCE))
    took = rows[PREDICTION]["seconds"]
    print(f"\nLargest difference of the three ways: {apart:.1e}. One prediction: {took:.2f} s (limit {LIMIT_S} s).")


def measure(mode: str, encoder: str, repeats: int) -> dict[str, float]:
    import torch

    from napari_mritransfer.cohort.label import Label
    from napari_mritransfer.cohort.model import CohortModel, Facts
    from napari_mritransfer.cohort.prediction import predict
    from napari_mritransfer.cohort.preparation import prepare, to_scan_grid
    from napari_mritransfer.cohort.relevance import default_depth, relevance_of
    from napari_mritransfer.networks.sliceset import SliceSet

    torch.manual_seed(0)
    network = SliceSet(encoder, "attention", "learned").eval()
    model = CohortModel(network, encoder, encoder, {}, Facts(Label("age", unit="years")), "")
    scan = fine_scan()
    volume = torch.from_numpy(prepare(scan).array)[None, None]

    def predicted() -> float:
        return predict(model, prepare(scan)).number

    def mapped() -> float:
        prepared = prepare(scan)
        found = predict(model, prepared, depth=default_depth(network))
        to_scan_grid(relevance_of(network, found).map, prepared)
        return found.number

    def in_groups(at_once: int) -> float:
        slices = network.slices_of(volume)[0][:, None]
        with torch.no_grad():
            parts = [network.encode(group.transpose(0, 1)) for group in slices.split(at_once)]
            codes = network.encoder_2d.place(torch.cat(parts, dim=1), None)
            return network.head(network.pool(codes).embedding).item()

    def at_once() -> float:
        encoder_2d, slices = network.encoder_2d, network.slices_of(volume)[0][:, None].contiguous()
        with torch.no_grad():
            features = encoder_2d.features(encoder_2d.maps(slices, encoder_2d.depths), encoder_2d.depths)
            return network.head(network.pool(encoder_2d.place(features[None], None)).embedding).item()

    def whole() -> float:
        with torch.no_grad():
            return network(volume).prediction.item()

    ways: dict[str, Callable[[], float]] = {
        PREDICTION: predicted, MAP: mapped, GROUPS: whole, SINGLY: lambda: in_groups(1), AT_ONCE: at_once,
    }  # fmt: skip
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = kib("VmRSS")
    seconds, cpu, value = [], [], 0.0
    for _ in range(repeats):
        began, worked = time.perf_counter(), time.process_time()
        value = ways[mode]()
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - worked)
    peak = (kib("VmHWM") - before) / 1024
    return {"seconds": min(seconds), "cpu_seconds": min(cpu), "peak_mib": peak, "value": value}


def kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def fine_scan() -> "Scan":
    """A head of 1 mm, as scanners give it: ellipsoid, texture, noise."""
    from napari_mritransfer.cohort.grid import Grid
    from napari_mritransfer.io import Scan

    grid = Grid(1.0)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32) for size in grid.shape), indexing="ij")
    texture = 100 + 20 * np.sin(9 * i + 6 * k) * np.cos(11 * j)
    noise = np.random.default_rng(0).normal(0, 5, grid.shape)
    head = np.where(i**2 + j**2 + k**2 < 0.7, texture + noise, 0).astype(np.float32)
    shifted = grid.affine.copy()
    shifted[:3, 3] += 0.4  # so that nothing can be copied
    return Scan.from_file_order(head, shifted, name="head")


if __name__ == "__main__":
    main()
