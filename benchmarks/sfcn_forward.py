"""Seconds and memory for one whole brain of 160 x 192 x 160 voxels through an SFCN of the published size.

    OMP_NUM_THREADS=2 python benchmarks/sfcn_forward.py [--repeats 5]

"forward" is the network alone, without gradients; "as built plainly" the same with weights in the usual order of
memory; "features of a scan" is all that re-use does with one scan that lies in memory: onto the MNI grid from another
one of 1 mm, divided by its mean, cut, through the network. Every row has a process of its own. Seconds are the minimum
of `repeats`, the first call, which also chooses algorithms, stands beside it; the peak is that of the whole process,
with Python, PyTorch and the volume (Linux). On a busy machine the seconds say little: CPU seconds ÷ cores are what an
idle one would need at least.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_mritransfer.networks.sfcn import SFCN

FORWARD, PLAIN, SEX, SCAN = "forward, age", "forward, age, as built plainly", "forward, sex", "features of a scan, age"
MODES = (FORWARD, PLAIN, SEX, SCAN)
LIMIT_S, LIMIT_MIB = 3.0, 2e9 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mode", choices=MODES, help="run this one alone and print JSON")
    arguments = parser.parse_args()
    if arguments.mode:
        print(json.dumps(measure(arguments.mode, arguments.repeats)))
        return
    print(f"160 x 192 x 160 voxels, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| what | first, s | s | CPU s | of which system | peak MiB |\n|---|---|---|---|---|---|")
    rows = {}
    for mode in MODES:
        command = [sys.executable, __file__, "--mode", mode, "--repeats", str(arguments.repeats)]
        row = rows[mode] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"| {mode} | {row['first']:.2f} | {row['seconds']:.2f} | {row['cpu']:.2f} | {row['system']:.2f} | "
            f"{row['peak_mib']:.0f} |"
        )
    apart = max(abs(one - other) for one, other in zip(rows[FORWARD]["outputs"], rows[PLAIN]["outputs"], strict=True))
    own = rows[FORWARD]
    print(
        f"\nLog-probabilities of both orders of memory differ by {apart:.1e}. "
        f"One forward: {own['seconds']:.2f} s (limit {LIMIT_S}), {own['peak_mib']:.0f} MiB (limit {LIMIT_MIB:.0f})."
    )


def measure(mode: str, repeats: int) -> dict[str, Any]:
    import torch

    from napari_mritransfer.networks.sfcn import SFCN

    torch.manual_seed(0)
    network = SFCN((28, 58, 128, 256, 256, 64), 2) if mode == SEX else SFCN()
    if mode == PLAIN:
        network.to(memory_format=torch.contiguous_format)
    network.eval()
    volume = None if mode == SCAN else torch.rand(1, 1, *network.grid)

    @torch.no_grad()
    def forward() -> list[float]:
        return list(network(volume)[0].tolist())

    way: Callable[[], list[float]] = features_of_a_scan(network) if mode == SCAN else forward
    seconds, cpu, system, outputs = [], [], [], []
    for _ in range(repeats + 1):
        began, worked = time.perf_counter(), os.times()
        outputs = way()
        seconds.append(time.perf_counter() - began)
        ended = os.times()
        system.append(ended.system - worked.system)
        cpu.append(ended.user - worked.user + system[-1])
    first, *others = seconds
    best = 1 + others.index(min(others))
    return {
        "first": first, "seconds": min(others), "cpu": cpu[best], "system": system[best], "peak_mib": peak_mib(),
        "outputs": outputs,
    }  # fmt: skip


def features_of_a_scan(network: "SFCN") -> Callable[[], list[float]]:
    import numpy as np
    import torch

    from napari_mritransfer.cohort.crop import cropped
    from napari_mritransfer.cohort.grid import Grid
    from napari_mritransfer.cohort.label import Label
    from napari_mritransfer.cohort.preparation import Preparation, prepare
    from napari_mritransfer.cohort.reuse.bins import Bins
    from napari_mritransfer.cohort.reuse.features import features_of
    from napari_mritransfer.cohort.reuse.model import SfcnFacts, SfcnModel
    from napari_mritransfer.io import Scan

    grid = Grid(1.0)
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size, dtype=np.float32) for size in grid.shape), indexing="ij")
    brain = np.where(i**2 + j**2 + k**2 < 0.5, 100 + 20 * np.sin(9 * i + 6 * k) * np.cos(11 * j), 0)
    shifted = grid.affine.copy()
    shifted[:3, 3] += 0.4  # so that nothing can be copied
    scan = Scan.from_file_order(brain.astype(np.float32), shifted, name="brain")
    how = Preparation(spacing_mm=1.0, normalisation="mean")
    facts = SfcnFacts(Label("age", unit="years"), Bins(), how, brain_only=True)
    model = SfcnModel(network, "age", "age", {}, facts, "")

    def features() -> list[float]:
        volume = cropped(prepare(scan, how).array, model.network.grid)
        return list(features_of(model, volume, torch.device("cpu")).tolist())

    return features


def peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
