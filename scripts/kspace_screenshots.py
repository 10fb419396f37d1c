"""Walk through docs/tutorial-kspace.md in real viewers and save the pictures that it shows.

    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/kspace_screenshots.py sigpy_cartesian_ksp.npy
    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/kspace_screenshots.py --check FOLDER \\
        sigpy_cartesian_ksp.npy other.cfl other.mat

The first is an 8-coil brain from github.com/mikgroup/sigpy-mri-tutorial (BSD-3-Clause), the only one that the pictures
show: as the array it is, as BART's pair, and zero-padded. The scans to learn from are shipped ones, seen through
simulated coils. Nothing is staged: the worker process measures, learns and compares.

With ``--check``, the same into a folder, and the other files in every view: for people who look whether
their own data come out right; not for the docs.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from make_screenshots import PLUGIN, ROOT, SAMPLES, Tour, a_home_for_now, pixels

WIDE, TALL = 380, (1280, 960)  # pixels
LEARN_FROM, JUDGE = "patient03_study1_T2W", "patient12_study1_T2W"
N_COILS, N_SLICES = 6, 3
EPOCHS, STEPS_PER_EPOCH = 4, 10  # enough to see a curve
NETWORK = {"chans": 8, "pools": 3}  # of the usual 32 and 4, to be quick


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sigpy", type=Path)
    parser.add_argument("others", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--check", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.others and not arguments.check:
        parser.error("other files are for --check alone")
    sigpy, others = arguments.sigpy.resolve(), [path.resolve() for path in arguments.others]
    out = (arguments.check or arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with a_home_for_now():
        for steps in (dropped, bare_array, zero_padded):
            with KSpaceTour(out) as tour:
                steps(tour, sigpy)
        with KSpaceTour(out) as tour:
            learned(tour)
        for path in others:
            with KSpaceTour(out) as tour:
                looked_at(tour, path)


def dropped(tour: "KSpaceTour", sigpy: Path) -> None:
    """BART's pair: opened as by drag and drop, seen in every way, taken as it was measured, and reconstructed."""
    from napari_mritransfer.io import load, save

    save(load(sigpy), "brain.cfl")
    (scan,) = tour.viewer.open(["brain.cfl"], plugin=PLUGIN)
    dock = tour.examined()
    tour.save("01-dropped")
    tour.look(dock, "kspace")
    tour.save("02-samples")
    tour.look(dock, "coils")
    tour.viewer.dims.set_current_step(0, 3)
    tour.save("03-coil")
    tour.look(dock, "combined")
    tour.in_grid("magnitude", "phase", scan)
    tour.save("04-combined")
    tour.look(dock)
    tour.alone(scan)
    dock.findings.fold.click()
    tour.save("05-findings")
    dock.findings.fold.click()
    dock.undersample.click()
    tour.wait_for(lambda: any("zero-filled" in layer.name for layer in tour.viewer.layers), 120)
    tour.scroll_to(dock, dock.undersample)
    tour.save("06-as-measured")
    tour.compare("zero-filled", "sense", "l1-wavelet", "total-variation")
    tour.save("07-classical")


def bare_array(tour: "KSpaceTour", sigpy: Path) -> None:
    """What was guessed is told, and can be corrected."""
    dock = tour.opened(sigpy)
    tour.save("08-bare-array")
    dock.axes.click()
    tour.wait_for(lambda: dock.opening.dialog is not None, 60)
    tour.settle()
    tour.write(pixels(dock.opening.dialog.grab()), "09-axes")
    dock.opening.dialog.reject()


def zero_padded(tour: "KSpaceTour", sigpy: Path) -> None:
    """Lines are counted inside what was measured alone."""
    kspace = np.load(sigpy)
    np.save("padded.npy", np.pad(kspace, ((0, 0), (25, 25), (38, 38))))
    dock = tour.opened(Path("padded.npy"))
    tour.look(dock, "kspace")
    tour.save("10-zero-padded")


def learned(tour: "KSpaceTour") -> None:
    """A U-Net that starts from nothing learns from raw scans, and stands beside SENSE."""
    from napari_mritransfer.cli.app import app

    for name in (LEARN_FROM, JUDGE):
        through_coils(name)
    new = ["models", "new", "unet", "--out", "unet.safetensors", "--settings", json.dumps(NETWORK)]
    app(new, standalone_mode=False)
    tour.viewer.open([f"{LEARN_FROM}.h5", f"{JUDGE}.h5"], plugin=PLUGIN)
    layers = tour.viewer.layers
    dock = tour.dock("Fine-tune", WIDE)
    dock.model.add(Path("unet.safetensors").resolve())
    dock.model.fold.click()
    dock.strategies.tick("ft", "lft")
    dock.choose_scans([layers[LEARN_FROM]], layers[JUDGE])
    dock.advanced.epochs.value, dock.advanced.steps_per_epoch.value = EPOCHS, STEPS_PER_EPOCH
    tour.wait_for(lambda: "about" in dock.estimate.text(), 120)
    tour.save("11-fine-tune")
    dock.start.click()
    tour.wait_for(lambda: not dock.tuning.is_busy, 600)
    if str(dock.tuning.state) != "done":
        raise SystemExit(dock.tuning.message)
    dock = tour.dock("Load scan", WIDE)
    dock.choose_layer(layers[JUDGE])
    tour.wait_for(dock.undersample.isEnabled, 60)
    dock.undersample.click()
    tour.wait_for(lambda: any("zero-filled" in layer.name for layer in layers), 120)
    tour.compare()
    tour.save("12-compare")


def looked_at(tour: "KSpaceTour", path: Path) -> None:
    """Any file, in every view."""
    dock = tour.opened(path)
    tour.save(f"{path.stem}-opened")
    for kind in dock.kspace.boxes:
        tour.look(dock, kind)
        tour.save(f"{path.stem}-{kind}")


def through_coils(name: str) -> None:
    """Slices of a shipped scan, at half the resolution, as raw data with a phase and noise, marked as simulated."""
    from napari_mritransfer.io import Origin, Scan, load, save
    from napari_mritransfer.io.kspace import KSpace
    from napari_mritransfer.physics.centred import centre_crop, inverse_transform, transform
    from napari_mritransfer.physics.simulated_coils import simulated_maps

    image = load(SAMPLES / f"{name}.nii.gz").image[0]
    first, (rows, columns) = (len(image) - N_SLICES) // 2, (length // 2 for length in image.shape[1:])
    coarse = inverse_transform(centre_crop(transform(image[first : first + N_SLICES]), (rows, columns))).real
    slices = coarse / coarse.max()
    maps = np.asarray(simulated_maps(N_COILS, (rows, columns)))
    kspace = transform(slices[:, None] * maps * np.exp(0.8j * np.linspace(-1, 1, columns)))
    noise = np.random.default_rng(0).normal(0, 0.005, (2, *kspace.shape))
    samples = (kspace + noise[0] + 1j * noise[1]).astype(np.complex64)[None]
    save(Scan.from_kspace(KSpace.from_array(samples), origin=Origin.SIMULATED, name=name), f"{name}.h5")


class KSpaceTour(Tour):
    """A viewer for one file."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.resize(TALL)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.settle()  # threads that wait for the worker process notice that it is gone

    def opened(self, path: Path) -> Any:
        """The dock, when it has opened a file and looked through it."""
        dock = self.dock("Load scan", WIDE)
        dock.opening.open(path)
        self.wait_for(lambda: not dock.opening.is_busy, 60)
        return self.examined()

    def examined(self) -> Any:
        """The dock, when it has looked through the scan and judged it."""
        dock = self.dock("Load scan", WIDE)
        self.wait_for(lambda: dock.kspace.isVisible() and not dock.findings.pending.isVisible(), 60)
        self.settle()
        return dock

    def compare(self, *methods: str) -> None:
        """Reconstructions side by side; where none are named, what is ticked already and SENSE."""
        dock = self.dock("Compare reconstructions", WIDE)
        dock.methods.tick(*methods or (*dock.methods.ticked, "sense"))
        dock.build.click()
        self.wait_for(lambda: dock.session.board is not None or not dock.comparing.is_busy, 600)
        self.wait_for(lambda: not dock.comparing.is_busy, 60)
        if dock.session.board is None:
            raise SystemExit(dock.comparing.message)
        self.settle()

    def look(self, dock: Any, kind: str = "") -> None:
        """One view alone, or none."""
        for other, box in dock.kspace.boxes.items():
            if box.isChecked() != (other == kind):
                box.click()
        self.settle()

    def alone(self, layer: Any) -> None:
        self.viewer.canvas.grid.enabled = False
        for other in self.viewer.layers:
            other.visible = other is layer
        self.viewer.reset_view()
        self.settle()

    def in_grid(self, *wanted: Any) -> None:
        """Layers, or those whose names end so, side by side."""
        names = tuple(one for one in wanted if isinstance(one, str))
        for layer in self.viewer.layers:
            layer.visible = layer in wanted or layer.name.endswith(names)
        self.viewer.canvas.grid.shape = (1, -1)
        self.viewer.canvas.grid.enabled = True
        self.viewer.reset_view()
        self.settle()

    def write(self, picture: "np.ndarray[Any, Any]", name: str) -> None:
        super().write(picture, name)
        assert self.out is not None
        (self.out / f"napari-{name}.png").replace(self.out / f"kspace-{name}.png")


if __name__ == "__main__":
    main()
