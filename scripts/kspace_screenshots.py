"""Open real k-space in a real viewer, look at it in every way there is, and save the pictures.

    xvfb-run -a -s "-screen 0 1920x1080x24" python scripts/kspace_screenshots.py DATA [--out docs/images]

DATA holds ``multicoil_kspace/`` with ``bart_pics_brain_ksp.cfl`` (and its .hdr), ``sigpy_cartesian_ksp.npy`` and
``brain_alias_8ch.mat``: 8-coil brain data from the examples of BART, sigpy and Lustig's SPIRiT. Nothing is staged; the
measurement at the end is made by the worker process.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from make_screenshots import PLUGIN, ROOT, Tour, a_home_for_now, pixels

WIDE, TALL = 380, (1280, 960)  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    data = arguments.data.resolve() / "multicoil_kspace"
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with a_home_for_now():
        for steps in (dropped, asked_for, zero_padded):
            with KSpaceTour(out) as tour:
                steps(tour, data)


def dropped(tour: "KSpaceTour", data: Path) -> None:
    """BART's pair: opened as by drag and drop, seen in every way, and taken as it was measured."""
    (scan,) = tour.viewer.open([str(data / "bart_pics_brain_ksp.cfl")], plugin=PLUGIN)
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
    tour.alone(scan)
    dock.undersample.click()
    tour.wait_for(lambda: any("zero-filled" in layer.name for layer in tour.viewer.layers), 120)
    tour.scroll_to(dock, dock.undersample)
    tour.save("05-as-measured")
    tour.compare_classical()
    tour.save("10-classical")


def asked_for(tour: "KSpaceTour", data: Path) -> None:
    """A bare array: what was guessed is told; where nothing can be guessed, the dock asks."""
    dock = tour.dock("Load scan", WIDE)
    dock.opening.open(data / "sigpy_cartesian_ksp.npy")
    tour.wait_for(lambda: len(tour.viewer.layers) == 1, 60)
    tour.examined()
    tour.save("06-bare-array")
    stack = Path("stack.npy")  # two slices of the same array: is it (slice, coil) or (coil, slice)?
    np.save(stack, np.repeat(np.load(data / "sigpy_cartesian_ksp.npy")[None], 2, axis=0))
    dock.opening.open(stack)
    tour.wait_for(lambda: dock.opening.dialog is not None, 60)
    tour.settle()
    tour.write(pixels(dock.opening.dialog.grab()), "07-dialog")
    dock.opening.dialog.reject()


def zero_padded(tour: "KSpaceTour", data: Path) -> None:
    """168 of 256 lines were measured: lines are left out of those alone."""
    dock = tour.dock("Load scan", WIDE)
    dock.opening.open(data / "brain_alias_8ch.mat")
    tour.wait_for(lambda: len(tour.viewer.layers) == 1, 60)
    tour.examined()
    tour.scroll_to(dock, dock.kspace)
    tour.look(dock, "kspace")
    tour.save("08-zero-padded")
    tour.look(dock, "phases")
    tour.scroll_to(dock, dock.undersample)
    tour.save("09-phases")


class KSpaceTour(Tour):
    """A viewer for one file."""

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self.resize(TALL)

    def examined(self) -> Any:
        """The dock, when it has looked through the scan and judged it."""
        dock = self.dock("Load scan", WIDE)
        self.wait_for(lambda: dock.kspace.isVisible() and not dock.findings.pending.isVisible(), 60)
        self.settle()
        return dock

    def compare_classical(self) -> None:
        """All reconstructions that need no network, side by side."""
        dock = self.dock("Compare reconstructions", WIDE)
        dock.methods.tick("zero-filled", "sense", "l1-wavelet", "total-variation")
        dock.build.click()
        self.wait_for(lambda: dock.session.board is not None or not dock.comparing.is_busy, 600)
        self.wait_for(lambda: not dock.comparing.is_busy, 60)
        if dock.session.board is None:
            raise SystemExit(dock.comparing.message)
        self.settle()

    def look(self, dock: Any, kind: str) -> None:
        """One view alone."""
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
