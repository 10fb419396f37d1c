"""Seconds for a cohort's features: computed, found again, and after being killed half-way.

    OMP_NUM_THREADS=2 python benchmarks/cohort_features.py [--subjects 40] [--spacing 1]

Brains with textures of their own in the shape of MNI152's are written to disk and re-used by `reuse` with ridge
regression, an SFCN of the published widths with drawn weights in the middle. Seconds depend on sizes alone, so nothing
here says anything about brains. Every row has a process of its own; "features" is from the first scan that is looked at
to the first fit: reading, MNI grid, brain check, network. The killed one gets SIGKILL when half of the scans are done
(Linux, macOS). On a busy machine the seconds say little.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

LOOKING = "Looking at "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=40)
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--child", nargs=4, metavar=("TABLE", "MODEL", "CACHE", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), arguments.subjects, arguments.spacing)


def compare(folder: Path, subjects: int, spacing: float) -> None:
    table = write_cohort(folder / "cohort", subjects, spacing)
    model = write_network(folder / "network.safetensors", spacing)

    def run(cache: str, out: str, stop_at: int = 0) -> "Row":
        return watched([table, model, folder / cache, folder / out], stop_at)

    entries = (folder / "other-cache").rglob
    rows = {"first call": run("cache", "first"), "another folder of results, same scans": run("cache", "second")}
    rows["killed half-way"] = run("other-cache", "killed", subjects // 2)
    kept = len(list(entries("[!.]*.npz")))
    rows["the same call again"] = run("other-cache", "killed")
    print(f"{subjects} scans at {spacing:g} mm, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| what | features, s | s a scan | everything, s |\n|---|---|---|---|")
    for what, row in rows.items():
        computed = {"killed half-way": kept, "the same call again": subjects - kept}.get(what, subjects)
        print(f"| {what} | {row.features:.1f} | {row.features / computed:.2f} | {row.everything:.1f} |")
    predictions = [(folder / out / "predictions.csv").read_bytes() for out in ("first", "second", "killed")]
    alike = "the same" if len(set(predictions)) == 1 else "DIFFERENT"
    print(f"\nKept when killed: {kept} of {subjects} scans. Predictions of all three: {alike}.")


@dataclass(frozen=True)
class Row:
    features: float
    everything: float


def watched(arguments: list[Path], stop_at: int) -> Row:
    """Start a process, read its progress, and kill it when it comes to a scan (0: never)."""
    began = time.perf_counter()
    command = [sys.executable, "-u", __file__, "--child", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = last = None
        for line in process.stdout:
            text, done = line.rstrip("\n").split("\t")
            if text.startswith(LOOKING):
                first = first or time.perf_counter()
                if stop_at and int(done) == stop_at:
                    last = time.perf_counter()
                    process.kill()
            elif first and not last:
                last = time.perf_counter()
    if process.returncode and not stop_at:
        sys.exit("The re-use failed; its own words are above.")
    assert first is not None
    assert last is not None
    return Row(last - first, time.perf_counter() - began)


def child(table: str, model: str, cache: str, out: str) -> None:
    from napari_mritransfer.cohort.reuse.config import ReuseConfig
    from napari_mritransfer.cohort.reuse.run import reuse

    config = ReuseConfig(table, "age", model, ("features-ridge",), device="cpu")
    reuse(config, Path(out), cache=Path(cache), on_progress=lambda text, done, total: print(text, done, sep="\t"))


def write_cohort(folder: Path, subjects: int, spacing: float) -> Path:
    import nibabel
    import numpy as np
    from scipy import ndimage

    from napari_mritransfer.cohort.brain_template import template_at
    from napari_mritransfer.cohort.grid import Grid

    folder.mkdir()
    grid = Grid(spacing)
    inside = template_at(grid) > 0.5
    lines = ["participant_id\tpath\tage"]
    for number in range(subjects):
        rng = np.random.default_rng((1, number))
        coarse = rng.normal(size=tuple(size // 12 + 1 for size in grid.shape))
        texture = ndimage.zoom(coarse, np.divide(grid.shape, coarse.shape), order=1)
        brain = np.where(inside, 1000 + 200 * texture + rng.normal(scale=20, size=grid.shape), 0)
        image = nibabel.Nifti1Image(brain.astype(np.int16), grid.affine)
        nibabel.save(image, folder / f"{number:02d}.nii.gz")
        lines.append(f"sub-{number:02d}\t{number:02d}.nii.gz\t{rng.uniform(42, 82):.1f}")
    table = folder / "table.tsv"
    table.write_text("\n".join(lines) + "\n")
    return table


def write_network(path: Path, spacing: float) -> Path:
    import torch

    from napari_mritransfer.cohort.crop import cropped_shape
    from napari_mritransfer.cohort.label import Label
    from napari_mritransfer.cohort.preparation import Preparation
    from napari_mritransfer.cohort.reuse.bins import Bins
    from napari_mritransfer.cohort.reuse.model import SfcnFacts, save_sfcn
    from napari_mritransfer.networks.sfcn import SFCN

    torch.manual_seed(0)
    settings = {"widths": [32, 64, 128, 256, 256, 64], "outputs": 40, "grid": list(cropped_shape(spacing))}
    facts = SfcnFacts(Label("age", unit="years"), Bins(), Preparation(spacing, "mean"), brain_only=True)
    save_sfcn(path, SFCN(**settings).eval(), settings, facts)
    return path


if __name__ == "__main__":
    main()
