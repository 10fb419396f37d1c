"""What processed data buy: the same network, the same lines, and how many dB come from the data alone.

    python scripts/data_crime.py DATA --out docs/images/honesty-data-crime.png

DATA is the folder that holds ``brain_ms/``, ``complex_body/`` and ``multicoil_kspace/``. Nothing is trained: the
shipped ``multiscale-t1`` reconstructs random lines at a rate of 25 % (8 % of all lines ACS) with three seeds. Prints
the Markdown table of docs/honesty.md, left as it should be and right as it is often done. PSNR is over the foreground,
mean over slices, peak the volume's maximum but where it says otherwise; ± is the SD over the three seeds.
"""

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.evaluation.canvas import QUIET, TEXT, add_axes, add_text, dark_figure, save_png
from napari_mritransfer.evaluation.metrics import Peak, evaluate
from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.undersampling import as_shown, support_of, undersample, zero_filled
from napari_mritransfer.recon.network import reconstruct
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.checkpoint import open_model

MODEL, RATE, ACS, SEEDS, JPEG_QUALITY = "multiscale-t1", 0.25, 0.08, (0, 1, 2), 75
HEADS = {"T1w": "study1_T1W.nii.gz", "FLAIR": "study1_FLAIR.nii.gz"}
SLICES = 5


@dataclass(frozen=True)
class Case:
    """The same image twice, honest and flattered, and whether empty k-space lines are left out of the count."""

    crime: str
    data: str
    honest: Tensor
    flattered: Tensor
    phase_encode: str = "x"
    crop_honest: bool = True
    crop_flattered: bool = True
    peak: Peak = Peak.VOLUME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    args = parser.parse_args()
    network = open_model(MODEL).network
    print(
        "| what was done | data | effective rate | zero-filled (dB) | network (dB) | effective rate, done so "
        "| zero-filled, done so (dB) | network, done so (dB) | network gains (dB) |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    gains: list[tuple[str, float, float]] = []
    for case in cases(args.data):
        honest = [measure(case.honest, case, network, seed, crop=case.crop_honest) for seed in SEEDS]
        flattered = [
            measure(case.flattered, case, network, seed, crop=case.crop_flattered, peak=case.peak) for seed in SEEDS
        ]
        gain = [b[2] - a[2] for a, b in zip(honest, flattered, strict=True)]
        gains.append((f"{case.crime}, {case.data}", float(np.mean(gain)), float(np.std(gain, ddof=1))))
        cells = [f"{np.mean([run[0] for run in honest]):.1%}", told(honest, 1), told(honest, 2)]
        cells += [f"{np.mean([run[0] for run in flattered]):.1%}", told(flattered, 1), told(flattered, 2)]
        cells += [f"{np.mean(gain):+.2f} ± {np.std(gain, ddof=1):.2f}"]
        print(f"| {case.crime} | {case.data} | {' | '.join(cells)} |", flush=True)
    draw(gains, args.out)


def measure(
    image: Tensor, case: Case, network: torch.nn.Module, seed: int, *, crop: bool, peak: Peak = Peak.VOLUME
) -> tuple[float, float, float]:
    """Effective rate, zero-filled and network PSNR in dB."""
    pattern = SamplingPattern(rate=RATE, acs=ACS, seed=seed)
    # rounding and JPEG add signal where nothing was measured, so the support is asked of the untouched image
    support = support_of(case.honest if case.honest.shape == image.shape else image)
    measurement = undersample(
        image, pattern, phase_encode=case.phase_encode, crop_to_support=crop, support=support  # type: ignore[arg-type]
    )  # fmt: skip
    assert measurement.reference is not None

    def psnr(reconstruction: Tensor) -> float:
        pair = (measurement.reference, reconstruction)
        truth, image = (as_shown(one, measurement).abs().flatten(0, 1).numpy() for one in pair)
        return evaluate(truth, image, peak=peak).foreground.psnr.mean

    return measurement.effective_rate, psnr(zero_filled(measurement)), psnr(reconstruct(measurement, network))


def cases(data: Path) -> Iterator[Case]:
    heads = {name: some_slices(load(data / "brain_ms" / "patient12" / file)) for name, file in HEADS.items()}
    complex_images = {**bodies(data), "8-coil brain, combined": combined_brain(data)}
    for name, head in heads.items():
        yield Case("zero-filled lines counted", f"patient 12 {name}", head, head, crop_flattered=False)
    brain = complex_images["8-coil brain, combined"]
    padded = inverse_fourier(centre_crop_or_pad(fourier(brain), (brain.shape[-2], 256)))
    yield Case(
        "zero-filled lines counted", "8-coil brain, combined, 168 of 256 lines", brain, padded, crop_flattered=False,
        crop_honest=False,
    )  # fmt: skip
    for name, image in complex_images.items():
        yield Case("magnitude instead of complex", name, image, image.abs(), crop_honest=False, crop_flattered=False)
    for name, head in heads.items():
        yield Case("8 bits", f"patient 12 {name}", head, as_jpeg(head, None))
        yield Case(f"JPEG, quality {JPEG_QUALITY}", f"patient 12 {name}", head, as_jpeg(head, JPEG_QUALITY))
        yield Case("peak of each slice", f"patient 12 {name}", head, head, peak=Peak.SLICE)
    everything = as_jpeg(heads["T1w"], JPEG_QUALITY)
    yield Case("JPEG and zero-filled lines", "patient 12 T1w", heads["T1w"], everything, crop_flattered=False)


def some_slices(scan: Scan) -> Tensor:
    """Five slices from the middle 60 % of a volume."""
    count = scan.image.shape[1]
    chosen = np.linspace(0.2 * count, 0.8 * count, SLICES).round().astype(int)
    return torch.from_numpy(np.asarray(scan.image)[:, chosen])


def bodies(data: Path) -> dict[str, Tensor]:
    from scipy.io import loadmat

    found = {}
    for name, what in (("PKdata9", "heart and liver"), ("PKdataset17", "four-chamber heart")):
        images = loadmat(data / "complex_body" / f"{name}.mat", squeeze_me=True, struct_as_record=False)["data"].images
        found[what] = torch.from_numpy(images.astype(np.complex64)).permute(2, 0, 1)[:, None].contiguous()
    return found


def combined_brain(data: Path) -> Tensor:
    """All coils as one complex image on the measured matrix."""
    from scipy.io import loadmat

    raw: NDArray[np.complex128] = loadmat(data / "multicoil_kspace" / "brain_alias_8ch.mat")["DATA"]
    scan = Scan.from_kspace(KSpace.from_array(raw.transpose(2, 0, 1)[None, None]), phase_encode="x")
    image = Sampling(SamplingPattern(rate=0.5), combine_coils=True).measure(scan).reference
    assert image is not None
    return image


def as_jpeg(images: Tensor, quality: int | None) -> Tensor:
    """All slices stretched to 8 bits by the same factor and, with a `quality`, once through JPEG."""
    from PIL import Image

    def once(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
        grey = (plane * (255 / peak)).round().astype(np.uint8)
        if quality is None:
            return grey
        buffer = io.BytesIO()
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))

    planes, peak = images.flatten(0, -3).numpy(), float(images.max())
    return torch.from_numpy(np.stack([once(plane) for plane in planes]).astype(np.float32)).reshape(images.shape)


def told(runs: list[tuple[float, float, float]], column: int) -> str:
    values = [run[column] for run in runs]
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def draw(gains: list[tuple[str, float, float]], out: Path) -> None:
    """A bar for every row of the table."""
    figure = dark_figure(1000, 130 + 32 * len(gains))
    add_text(figure, 24, 18, f"dB of PSNR that the data alone add: {MODEL}, 25 % random lines, 3 seeds", fontsize=12)
    axes = add_axes(figure, 420, 60, 540, 32 * len(gains))
    places = range(len(gains))
    colours = ["#f2a03d" if gain > 0 else "#5aa9e6" for _, gain, _ in gains]
    axes.barh(places, [gain for _, gain, _ in gains], xerr=[sd for *_, sd in gains], color=colours, ecolor=TEXT)
    axes.set_yticks(list(places), [name for name, *_ in gains])
    axes.invert_yaxis()
    axes.axvline(0, color=QUIET, linewidth=1)
    axes.set_xlabel("gain of the network's PSNR (dB), bar: SD over seeds", color=TEXT)
    save_png(figure, out)


if __name__ == "__main__":
    main()
