"""Three real 8-coil brains through every format, every classical method and a shipped network.

    OMP_NUM_THREADS=1 python scripts/real_kspace.py DATA_FOLDER --out FOLDER

DATA_FOLDER holds sigpy_cartesian_ksp.npy, bart_pics_brain_ksp.cfl, bart_pics_brain_img.cfl (each .cfl with its .hdr)
and brain_alias_8ch.mat. Prints the Markdown tables of docs/results.md and docs/coils.md, and writes a PNG a scan.

Nobody knows the truth behind the two scans that come undersampled: their numbers say how far two reconstructions agree,
not how right either is. The third was measured completely and is undersampled here.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from napari_mritransfer.evaluation.canvas import QUIET, add_axes, add_text, dark_figure, save_png
from napari_mritransfer.io import Scan, load, save
from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.espirit import espirit, wrapped_share
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.physics.sensitivity import calibration_region
from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.recon.regularisation import array_noise
from napari_mritransfer.study.comparison import Comparison, compare
from napari_mritransfer.study.methods import ZERO_FILLED, resolve_methods
from napari_mritransfer.study.sampling import Sampling

NETWORK = "multiscale-t1"
METHODS = (ZERO_FILLED, *(row.name for row in CLASSICAL), NETWORK)
LABELS = {ZERO_FILLED: "zero-filled RSS", **{row.name: row.label for row in CLASSICAL}, NETWORK: NETWORK}
BART_IMAGE = "bart_pics_brain_img.cfl"
AS_MEASURED = Sampling(as_measured=True)

Magnitude = NDArray[np.float32]


@dataclass(frozen=True)
class Raw:
    """A file, how to read it and how it is measured; `flipped` where it stores BART's head with ky the other way."""

    name: str
    file: str
    options: ArrayOptions = ArrayOptions()
    sampling: Sampling = AS_MEASURED
    flipped: bool = False

    def load(self, folder: Path) -> tuple[Scan, KSpace]:
        scan = load(folder / self.file, variable=self.options.variable, axes=self.options.axes)
        assert scan.kspace is not None
        return scan, scan.kspace


@dataclass
class Reconstructed:
    """What came of one scan: images ``(y, x)``, table cells per method, and refusals in words."""

    reference: Magnitude
    reference_name: str
    images: dict[str, Magnitude] = field(default_factory=dict)
    cells: dict[str, list[str]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    computed: Mapping[str, str] = field(default_factory=dict)


SCANS = (
    Raw("sigpy", "sigpy_cartesian_ksp.npy", ArrayOptions(axes="coil,ky,kx"), flipped=True),
    Raw("bart", "bart_pics_brain_ksp.cfl"),
    Raw(
        "alias", "brain_alias_8ch.mat", ArrayOptions(variable="DATA", axes="ky,kx,coil"),
        Sampling(SamplingPattern(rate=0.4, acs=0.15)),
    ),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    print("| scan | k-space | measured | ACS | noise σ : brightest voxel | lies on itself |")
    print("|---|---|---|---|---|---|")
    for raw in SCANS:
        print(described(raw, arguments.folder), flush=True)

    print("\n| scan | written as | MB | k-space | measured samples | image matrix |")
    print("|---|---|---|---|---|---|")
    for raw in SCANS:
        for ending in (".h5", ".mrd", ".cfl"):
            print(round_trip(raw, arguments.folder, arguments.out / f"{raw.name}{ending}"), flush=True)

    print("\n| scan | method | compared with | NRMSE | correlation | PSNR (dB) | SSIM | s |")
    print("|---|---|---|---|---|---|---|---|")
    found = {raw.name: reconstructed(raw, arguments.folder) for raw in SCANS}
    print()
    for name, one in found.items():
        for method, sentence in one.refusals.items():
            print(f"{name}, {LABELS[method]}: {sentence}")
        draw(one, arguments.out / f"raw-{name}.png")
    for key, value in one.computed.items():
        print(f"{key}: {value}")


def described(raw: Raw, folder: Path) -> str:
    """A row on what the file holds, as it is before anything is left out."""
    _, kspace = raw.load(folder)
    coils, measured = torch.from_numpy(kspace.array()[0, 0]), kspace.measured()
    sigma = array_noise(noise_sigma(coils.numpy(), measured))
    region = calibration_region(measured, measured.shape)
    share = wrapped_share(espirit(coils, region, n_sets=2, sigma=sigma))
    brightest = float(kspace.root_sum_of_squares(0, 0).max())
    shape = " × ".join(str(n) for n in kspace.shape[2:])
    return (
        f"| {raw.name} | {shape} | {measured.mean():.1%} | {region[0]} × {region[1]} | 1 : {brightest / sigma:.0f} "
        f"| {share:.2%} |"
    )


def round_trip(raw: Raw, folder: Path, path: Path) -> str:
    """Write, read back without saying anything about the file, and insist on the same numbers.

    Raises
    ------
    AssertionError
        If a sample that was measured comes back with another bit, one that was not measured with another value, or the
        mask or the image matrix are others.
    """
    scan, before = raw.load(folder)
    save(scan, path)
    after = load(path).kspace
    assert after is not None, f"{path.name} came back without k-space"
    ours, theirs, measured = before.array(), after.array(), before.measured()
    assert np.array_equal(theirs, ours), f"{path.name}: samples changed"
    assert theirs[..., measured].tobytes() == ours[..., measured].tobytes(), f"{path.name}: bits changed"
    assert np.array_equal(after.measured(), measured), f"{path.name}: the measured samples changed"
    assert after.image_matrix == before.image_matrix, f"{path.name}: the image matrix changed"
    # lines without any measured sample are not stored by ISMRMRD, and zero has two signs
    signs = int(np.sum(theirs.view(np.uint32) != ours.view(np.uint32)))
    told = f"same to the bit, but for the sign of {signs} zeros that were not measured" if signs else "same to the bit"
    size = sum(one.stat().st_size for one in {path, path.with_suffix(".hdr")} if one.exists()) / 1e6
    matrix = " × ".join(str(n) for n in after.image_matrix)
    return f"| {raw.name} | `{path.suffix}` | {size:.1f} | {told} | same {measured.sum():,} | same {matrix} |"


def reconstructed(raw: Raw, folder: Path) -> Reconstructed:
    """Every method on one scan, a row printed for each."""
    found: Reconstructed | None = None
    for name in METHODS:
        method = resolve_methods([name], NETWORK)
        started = time.perf_counter()
        try:
            outcome = compare(str(folder / raw.file), method, raw.sampling, array=raw.options, device="cpu")
        except BadInput as refusal:
            assert found is not None, "the zero-filled image refuses nothing"
            found.refusals[name] = str(refusal)
            print(f"| {raw.name} | {LABELS[name]} | refused | | | | | |", flush=True)
            continue
        seconds = time.perf_counter() - started
        if found is None:
            found = Reconstructed(*reference(raw, outcome, folder))
        image = outcome.images[name][0, 0]
        nrmse, correlation = agreement(image, found.reference)
        scores = outcome.scores[0].evaluation.foreground if outcome.scores else None
        judged = [f"{scores.psnr.mean:.2f}", f"{scores.ssim.mean:.3f}"] if scores else ["–", "–"]
        found.images[name] = image
        found.cells[name] = [f"{nrmse:.3f}", f"{correlation:.3f}", *judged, f"{seconds:.1f}"]
        found.computed = outcome.computed
        print(f"| {raw.name} | {LABELS[name]} | {found.reference_name} | {' | '.join(found.cells[name])} |", flush=True)
    assert found is not None
    return found


def reference(raw: Raw, outcome: Comparison, folder: Path) -> tuple[Magnitude, str]:
    """What images are compared with: everything that was measured, or else BART's reconstruction of that head."""
    if outcome.reference is not None:
        return outcome.reference[0, 0], "RSS of all lines"
    sets = np.asarray(load(folder / BART_IMAGE).image)[:, 0]
    magnitude: Magnitude = np.linalg.norm(sets, axis=0).astype(np.float32)
    # ky the other way round: row n // 2 has to stay in its place
    return np.roll(magnitude, -1, axis=0)[::-1] if raw.flipped else magnitude, "BART"


def agreement(image: Magnitude, other: Magnitude) -> tuple[float, float]:
    """NRMSE after the best common scale, and correlation, of two magnitude images."""
    scale = np.vdot(image, other) / np.vdot(image, image)
    nrmse = np.linalg.norm(scale * image - other) / np.linalg.norm(other)
    return float(nrmse), float(np.corrcoef(image.ravel(), other.ravel())[0, 1])


def draw(found: Reconstructed, path: Path) -> None:
    """All images in a row, voxel for pixel, each windowed to its own 99.5th percentile.

    BART's image is not among them: its licence is unknown.
    """
    gap, head = 8, 48
    rows, columns = found.reference.shape
    panels = [(LABELS[name], f"NRMSE {found.cells[name][0]}", image) for name, image in found.images.items()]
    if "BART" not in found.reference_name:
        panels.append((found.reference_name, "compared with", found.reference))
    figure = dark_figure(len(panels) * (columns + gap) + gap, head + rows + gap)
    for place, (label, number, image) in enumerate(panels):
        left = gap + place * (columns + gap)
        add_text(figure, left, 4, label)
        add_text(figure, left, 24, number, color=QUIET)
        axes = add_axes(figure, left, head, columns, rows)
        axes.imshow(image, cmap="gray", vmin=0, vmax=float(np.quantile(image, 0.995)), interpolation="nearest")
        axes.axis("off")
    save_png(figure, path)
    with Image.open(path) as coloured:
        grey = coloured.convert("L")  # a third of the bytes
    grey.save(path, optimize=True)


if __name__ == "__main__":
    main()
