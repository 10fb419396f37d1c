"""Find how each template head lies in MNI152 space: 9 degrees of freedom, by correlation with a skull-stripped brain.

    python scripts/align_heads.py DATA [--look FOLDER]

DATA is the folder that holds ``brain_ms/`` and ``brain_t1_studyforrest/``. Prints the numbers that stand in
``make_heads.py`` as `ALIGNMENTS`; started from the guesses below, which were read off three slices of each head. The
target is ``brain_ms/paired_mni/T1W.nii.gz``, which is on that grid already. Being skull-stripped it is dark outside the
brain, as cerebrospinal fluid and bone are in a T1-weighted head; so the correlation is taken over the brain and 6 mm
about it. ``--look`` writes slices with the target's outline, to be looked at. About two minutes.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from make_heads import ALIGNMENTS, Original, read_original, to_common, to_original
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.simulation.geometry import Geometry

TARGET = "brain_ms/paired_mni/T1W.nii.gz"
# mm, hundredths of a radian, hundredths of a natural logarithm: in these units all nine need steps of one size
START = {
    "patient01": (0, 5, -15, 30, 0, 0, 0, 0, 0),
    "patient03": (10, 5, -35, 40, 0, -10, 0, 0, 0),
    "patient04": (-7, 15, 10, 30, 0, 0, 0, 0, 0),
    "patient12": (0, 5, 25, 25, 0, 0, 0, 0, 0),
    "studyforrest": (0, 25, 0, 30, 0, 0, 0, 0, 0),
}
ROUNDS = ((8, 8.0), (4, 6.0), (3, 4.0))  # spacing of the samples in mm, smoothing (FWHM) in mm
MARGIN_MM = 6.0


@dataclass(frozen=True)
class Target:
    """The brain that everything is aligned to, its mask and its voxel-to-world affine (1 mm)."""

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    affine: NDArray[np.float64]

    @classmethod
    def read(cls, data: Path) -> "Target":
        file = nibabel.load(data / TARGET)
        image = np.asarray(file.dataobj, dtype=np.float32)
        mask = ndimage.binary_fill_holes(ndimage.binary_closing(image > 0, iterations=2))
        return cls(np.where(mask, np.minimum(image, 400), 0), mask, file.affine)

    def samples(self, step: int, fwhm: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """World positions ``(n, 3)`` in the brain and about it, and the smoothed image there."""
        smooth = smoothed(self.image, self.affine, fwhm)
        near = ndimage.distance_transform_edt(~self.mask) <= MARGIN_MM
        every = np.zeros(self.mask.shape, dtype=bool)
        every[::step, ::step, ::step] = True
        places = np.argwhere(near & every)
        return places @ self.affine[:3, :3].T + self.affine[:3, 3], smooth[tuple(places.T)]


def smoothed(image: NDArray[np.float32], affine: NDArray[np.float64], fwhm: float) -> NDArray[np.float32]:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return ndimage.gaussian_filter(image, fwhm / 2.355 / spacing)


def align(original: Original, target: Target, start: tuple[float, ...]) -> NDArray[np.float64]:
    image = original.voxels
    tissue = image[image > np.percentile(image[image > 0], 20)]
    image = np.minimum(image, 1.6 * np.percentile(tissue, 60))  # or fat would outweigh the brain
    to_voxels = np.linalg.inv(original.affine)
    found = np.array(start, dtype=float)
    for step, fwhm in ROUNDS:
        smooth = smoothed(image, original.affine, fwhm)
        world, wanted = target.samples(step, fwhm)

        def cost(numbers: NDArray[np.float64], image=smooth, world=world, wanted=wanted) -> float:
            matrix = to_voxels @ to_original(numbers)
            places = world @ matrix[:3, :3].T + matrix[:3, 3]
            seen = np.all((places >= -1) & (places <= image.shape), axis=1)  # outside, nothing is known
            values = ndimage.map_coordinates(image, places[seen].T, order=1)
            return -float(np.corrcoef(values, wanted[seen])[0, 1])

        for _ in range(2):  # Powell's method forgets its directions, which helps here
            outcome = minimize(cost, found, method="Powell", options={"xtol": 0.02, "ftol": 1e-6})
            found = outcome.x
        print(f"  {step} mm: correlation {-outcome.fun:.3f}")
    return found


def look(original: Original, numbers: NDArray[np.float64], target: Target, out: Path) -> None:
    """Slices on the common grid with the target's outline."""
    head = to_common(original, numbers, geometry=Geometry.of(Grid(2.0)))
    brain = target.mask[::2, ::2, ::2]
    figure = Figure(figsize=(18, 10))
    axes = figure.subplots(3, 6)
    shown = {2: (14, 22, 30, 36, 44, 56), 1: (20, 30, 45, 55, 65, 80), 0: (18, 28, 38, 45, 55, 70)}
    for row, (axis, indices) in zip(axes, shown.items(), strict=True):
        for panel, index in zip(row, indices, strict=True):
            panel.imshow(head.take(index, axis).T, cmap="gray", vmax=1.4, origin="lower")
            panel.contour(brain.take(index, axis).T, [0.5], colors="red", linewidths=0.7)
            panel.set_axis_off()
    figure.savefig(out, dpi=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--look", type=Path)
    arguments = parser.parse_args()
    target = Target.read(arguments.data)
    for name, start in START.items():
        original = read_original(arguments.data, name)
        print(name)
        numbers = align(original, target, start)
        print(f'    "{name}": ({", ".join(f"{number:.1f}" for number in numbers)}),')
        print(f"    (shipped: {ALIGNMENTS[name]})")
        if arguments.look:
            arguments.look.mkdir(parents=True, exist_ok=True)
            look(original, numbers, target, arguments.look / f"{name}.png")


if __name__ == "__main__":
    main()
