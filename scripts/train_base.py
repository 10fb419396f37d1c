"""Train one of the shipped base networks from scratch on T1-weighted heads.

    python scripts/train_base.py DATA --network multiscale --sources contrast --steps 20000 --out base.safetensors

DATA is the folder that holds ``brain_ms/`` and ``brain_t1_studyforrest/``. ``--sources contrast`` trains on the T1W
volumes of patients 01 and 04 only (leak-free for contrast and slice-direction studies); ``--sources all`` adds
studyforrest, sliced three ways. Validation, and nothing else, is patient 03's study 2 T1W; patient 12 is never read.

k-space is simulated from magnitude images. One-dimensional masks leave the readout fully sampled, so a step trains on
strips of 64 rows, each its own problem with the same data consistency as the whole slice. ``--masks planes`` trains on
masks over the ky–kz plane instead, one whole slice a step.
"""

import argparse
import copy
import json
import math
import tarfile
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleCascade
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern, make, make_on_plane
from napari_mritransfer.physics.phase import quadratic_phase
from napari_mritransfer.physics.support import measured_support
from napari_mritransfer.recon.precision import autocast_for
from napari_mritransfer.recon.scaling import intensity_scale

CONVOLUTIONS = autocast_for(torch.device("cpu"))  # bfloat16 where the processor has it
STRIP_ROWS = 64
BATCH = 4
RATES = (0.10, 0.50)
ACS = (0.04, 0.10)
LINES = (MaskKind.RANDOM, MaskKind.RANDOM, MaskKind.RANDOM, MaskKind.GAUSSIAN, MaskKind.EQUISPACED, MaskKind.CENTRE)
PLANES = (MaskKind.RANDOM_PLANE, MaskKind.POISSON_DISC, MaskKind.RADIAL)


def build(network: str) -> torch.nn.Module:
    """The architectures of the shipped bases."""
    if network == "dccnn":
        return DCCNN(5, 5, 32)
    return MultiscaleCascade(6, (16, 24), 2) if network == "small" else MultiscaleCascade(8, (32, 48), 2)


def axial_stack(path: Path) -> Tensor:
    """A NIfTI volume as ``(slice, y, x)`` with its largest value at 1."""
    volume = np.asarray(nibabel.load(path).dataobj, dtype=np.float32).T
    return torch.from_numpy(np.ascontiguousarray(volume / volume.max()))


def studyforrest(archive: Path) -> Tensor:
    """The 3-D head as ``(sagittal slice, superior-inferior, anterior-posterior)``, largest value at 1."""
    import pydicom

    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
        files = [pydicom.dcmread(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    files.sort(key=lambda f: float(f.ImagePositionPatient[0]))
    volume = np.stack([f.pixel_array for f in files]).astype(np.float32)
    return torch.from_numpy(volume / volume.max())


def sources(data: Path, which: str) -> list[tuple[Tensor, int]]:
    """Stacks of slices, each with the number of columns its k-space was really measured with."""
    folder = data / "brain_ms"
    stacks = [
        axial_stack(folder / p)
        for p in ("patient01/study1_T1W.nii.gz", "patient01/study2_T1W.nii.gz", "patient04/study1_T1W.nii.gz")
    ]
    if which == "all":
        head = studyforrest(data / "brain_t1_studyforrest" / "dicoms.tar.xz")
        stacks += [head, head.transpose(0, 1).contiguous(), head.permute(2, 1, 0).contiguous()]
    with_tissue = [stack[stack.flatten(1).gt(0.1).float().mean(1) > 0.02] for stack in stacks]
    return [(stack, measured_support(stack.numpy(), 2)) for stack in with_tissue]


def smooth_phase(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """A random quadratic phase over the field of view; weaker slopes than `physics.phase` simulates for users."""
    coefficients = torch.randn(6, generator=generator) * torch.tensor([3.0, 1.0, 1.0, 0.7, 0.7, 0.7])
    return quadratic_phase((rows, columns), coefficients)


def draw_images(
    stacks: list[tuple[Tensor, int]], batch: int, generator: torch.Generator, rng: np.random.Generator
) -> Tensor:
    """Slices of one volume in one orientation, on one matrix: ``(batch, rows, lines)`` complex64."""
    weights = np.array([len(stack) for stack, _ in stacks], dtype=float) ** 0.5
    stack, support = stacks[rng.choice(len(stacks), p=weights / weights.sum())]
    images = stack[torch.from_numpy(rng.integers(len(stack), size=batch))]
    images = images ** float(rng.uniform(0.7, 1.4)) if rng.random() < 0.5 else images
    for axis in (-2, -1):
        if rng.random() < 0.5:
            images = images.flip(axis)
    if rng.random() < 0.5:  # the other half stays real, as k-space simulated from magnitude images is
        images = images * smooth_phase(*images.shape[-2:], generator)
    kspace = fourier(images)
    rows, columns = images.shape[-2:]
    if rng.random() < 0.6:
        columns = support if support < columns else round(columns * rng.uniform(0.7, 1.0))
    if rng.random() < 0.3:
        rows = round(rows * rng.uniform(0.7, 1.0))
    images = inverse_fourier(centre_crop_or_pad(kspace, (rows, columns)))
    return images.transpose(-2, -1) if rng.random() < 0.35 else images


def draw_pattern(kinds: tuple[MaskKind, ...], rng: np.random.Generator) -> SamplingPattern:
    acs = rng.uniform(*ACS)
    return SamplingPattern(
        kinds[rng.integers(len(kinds))],
        max(acs, rng.uniform(*RATES)),
        acs,
        seed=int(rng.integers(2**31)),
        offset=int(rng.integers(64)),
    )


def noisy(kspace: Tensor, images: Tensor, generator: torch.Generator, rng: np.random.Generator) -> Tensor:
    """Noise of 25 to 45 dB on three batches of ten."""
    if rng.random() >= 0.3:
        return kspace
    sigma = images.abs().mean() * 2 * 10 ** (-rng.uniform(25, 45) / 20)
    return kspace + sigma * torch.randn(kspace.shape, dtype=torch.complex64, generator=generator) * math.sqrt(2)


def draw_strips(
    stacks: list[tuple[Tensor, int]], generator: torch.Generator, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """`BATCH` strips: measured hybrid k-space, mask, target."""
    images = draw_images(stacks, BATCH, generator, rng)
    rows, columns = images.shape[-2:]
    hybrid = noisy(fourier(images, (-1,)), images, generator, rng)
    masks = [torch.from_numpy(make(draw_pattern(LINES, rng), columns).lines) for _ in range(BATCH)]
    mask = torch.stack(masks)[:, None, :]
    hybrid = torch.where(mask, hybrid, 0)
    scale = intensity_scale(hybrid) / float(np.exp(rng.normal(0, 0.15)))
    starts = rng.integers(max(1, rows - STRIP_ROWS + 1), size=BATCH)
    strips = [slice(int(s), int(s) + STRIP_ROWS) for s in starts]
    hybrid, images = (torch.stack([a[i, s] for i, s in enumerate(strips)]) for a in (hybrid / scale, images / scale))
    return hybrid, mask, images


def draw_plane(
    stacks: list[tuple[Tensor, int]], generator: torch.Generator, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """One whole slice: measured k-space, mask over its plane, target."""
    images = draw_images(stacks, 1, generator, rng)
    kspace = noisy(fourier(images), images, generator, rng)
    mask = torch.from_numpy(make_on_plane(draw_pattern(PLANES, rng), tuple(images.shape[-2:]), "y").lines)[None]
    kspace = torch.where(mask, kspace, 0)
    scale = intensity_scale(kspace, (-2, -1)) / float(np.exp(rng.normal(0, 0.15)))
    return kspace / scale, mask, images / scale


@torch.no_grad()
def psnr_slice_peak(net: torch.nn.Module, stack: Tensor, kinds: tuple[MaskKind, ...], rate: float = 0.25) -> float:
    """Mean over slices of PSNR, peak = slice maximum, whole image, no support cropping, masks seeded by slice."""
    values = []
    axes = (-2, -1) if kinds[0].is_plane else (-1,)
    for i, image in enumerate(stack):
        pattern = SamplingPattern(kinds[i % len(kinds)], rate, 0.08, seed=i)
        mask = torch.from_numpy(make_on_plane(pattern, tuple(image.shape), "x").on_plane("x").copy())[None]
        measured = torch.where(mask, fourier(image[None].to(torch.complex64), axes), 0)
        scale = intensity_scale(measured, axes)
        with CONVOLUTIONS():
            error = (net(measured / scale, mask, axes) * scale).abs()[0] - image
        values.append(20 * math.log10(float(image.max())) - 10 * math.log10(float(error.square().mean())))
    return float(np.mean(values))


def train(args: argparse.Namespace) -> None:
    """Adam, cosine decay, averaged weights; the average is what is kept."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng, generator = np.random.default_rng(args.seed), torch.Generator().manual_seed(args.seed)
    stacks = sources(args.data, args.sources)
    held_out = axial_stack(args.data / "brain_ms/patient03/study2_T1W.nii.gz")[6:44:4]
    draw, axes, kinds = draw_strips, (-1,), (MaskKind.RANDOM,)
    if args.masks == "planes":
        draw, axes, kinds = draw_plane, (-2, -1), PLANES
    net = build(args.network).to(memory_format=torch.channels_last)
    if args.start:
        net.load_state_dict(load_file(args.start))
    average = copy.deepcopy(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=args.rate, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1, (s + 1) / 300) * (0.5 + 0.5 * math.cos(math.pi * s / args.steps)) + 0.005
    )
    print(json.dumps({"parameters": sum(p.numel() for p in net.parameters()), **vars(args)}, default=str), flush=True)
    began, losses = time.perf_counter(), []
    for step in range(1, args.steps + 1):
        kspace, mask, target = draw(stacks, generator, rng)
        optimiser.zero_grad()
        with CONVOLUTIONS():
            image = net(kspace, mask, axes)
        loss = torch.view_as_real(image - target).abs().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():  # the horizon grows with the run, so that the first steps are forgotten
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), max(0.001, 9 / (step + 9)))
        losses.append(float(loss.detach()))
        if step % args.validate == 0 or step == args.steps:
            quality = psnr_slice_peak(average, held_out, kinds)
            loss_now, seconds = round(float(np.mean(losses[-500:])), 5), round(time.perf_counter() - began)
            record = {"step": step, "loss": loss_now, "psnr": round(quality, 3), "seconds": seconds}
            print(json.dumps(record), flush=True)
            state = {k: v.contiguous() for k, v in average.state_dict().items()}
            save_file(state, args.out.with_suffix(".part"))
            args.out.with_suffix(".part").replace(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", choices=("dccnn", "multiscale", "small"), default="multiscale")
    parser.add_argument("--sources", choices=("contrast", "all"), default="contrast")
    parser.add_argument("--masks", choices=("lines", "planes"), default="lines")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--validate", type=int, default=1000, help="steps between validations")
    parser.add_argument("--out", type=Path, required=True)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
