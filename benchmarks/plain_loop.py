"""Training and reconstruction against a plain PyTorch loop, and LFT against FT, in one run.

    OMP_NUM_THREADS=2 python benchmarks/plain_loop.py [--rounds 3] [--steps 6] [--precision bfloat16]

The plain loop is the shipped network as most people would write it: float32, channels first, FFTs with their shifts,
one slice at a time, the allocator as it is. It is written out below and begins with the same weights. The package side
is `training.loop.finetune` and `recon.network.reconstruct` in a process with the worker's environment. Both learn from
the same examples (four strips of 64 rows a step, made by the same code, which is timed too) at the same rates, and both
reconstruct the same eight slices. Every contender lives in a process of its own; they take turns, `--rounds` times
`--steps` steps, and medians are compared. Peak memory is above what the process had once everything was imported.

`--precision bfloat16` insists on it where the processor has no such instructions: good for the dB, not for the times.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.physics.undersampling import Measurement
from napari_mritransfer.recon.network import reconstruct
from napari_mritransfer.recon.precision import autocast_for, use_bfloat16
from napari_mritransfer.recon.scaling import intensity_scale
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.client import ENVIRONMENT
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.data import load_target
from napari_mritransfer.training.events import Event, StepDone
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.training.optimiser import set_learning_rate
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.training.score import validation_psnr

Turn = Callable[[int, Callable[[], Tensor]], None]
SAMPLES = files("napari_mritransfer") / "resources" / "samples"
MODEL = "multiscale-contrast"
CONTENDERS = {
    "plain": ("ft", {}),
    "ft": ("ft", {}),
    "lft-kernel": ("lft", {"granularity": "kernel"}),
    "lft-filter": ("lft", {"granularity": "filter"}),
}


def plain_fft(image: Tensor, transform: Callable[..., Tensor] = torch.fft.fft) -> Tensor:
    """Along the last axis, DC in the centre."""
    return torch.fft.fftshift(transform(torch.fft.ifftshift(image, dim=-1), norm="ortho"), dim=-1)


class PlainPair(nn.Module):
    """Two convolutions around a ReLU, added to what goes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))


class PlainBlock(nn.Module):
    """As `MultiscaleBlock` of widths 32 and 48."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(8, 32, 3, padding=1), nn.ReLU(), PlainPair(32))
        self.down, self.up = nn.ModuleList([nn.Conv2d(32, 48, 2, 2)]), nn.ModuleList([nn.ConvTranspose2d(48, 32, 2, 2)])
        self.encode, self.decode = nn.ModuleList([PlainPair(48)]), nn.ModuleList([PlainPair(32)])
        self.leave = nn.Conv2d(32, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        x = functional.pixel_unshuffle(functional.pad(x, (0, -width % 4, 0, -height % 4)), 2)
        skip = self.enter(x)
        x = self.encode[0](torch.relu(self.down[0](skip)))
        x = self.decode[0](torch.relu(self.up[0](x) + skip))
        return functional.pixel_shuffle(self.leave(x), 2)[..., :height, :width]


class PlainConsistency(nn.Module):
    """As `DataConsistency`."""

    def __init__(self) -> None:
        super().__init__()
        self.log_lambda = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, kspace: Tensor, mask: Tensor) -> Tensor:
        found = plain_fft(image)
        pulled = found + torch.sigmoid(self.log_lambda) * (kspace - found)
        return plain_fft(torch.where(mask, pulled, found), torch.fft.ifft)


class PlainCascade(nn.Module):
    """As `MultiscaleCascade` of eight blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(PlainBlock() for _ in range(8))
        self.consistency = nn.ModuleList(PlainConsistency() for _ in range(8))

    def forward(self, kspace: Tensor, mask: Tensor) -> Tensor:
        image = plain_fft(kspace, torch.fft.ifft)
        for block, consistency in zip(self.blocks, self.consistency, strict=True):
            channels = torch.stack([image.real, image.imag], dim=1)
            channels = channels + block(channels)
            image = consistency(torch.complex(channels[:, 0], channels[:, 1]), kspace, mask)
        return image


@torch.no_grad()
def reconstruct_plainly(measurement: Measurement, network: nn.Module) -> Tensor:
    """One slice after the other, in float32."""
    network.eval()
    mask, images = torch.from_numpy(measurement.mask.lines)[None, None], []
    turned = measurement.phase_encode == "y"  # the network wants the phase encode last
    for kspace in measurement.kspace[0]:
        readout_last = kspace if turned else kspace.T
        hybrid = plain_fft(readout_last, torch.fft.ifft).T.contiguous()[None]
        scale = intensity_scale(hybrid)
        image = network(hybrid / scale, mask) * scale
        images.append(image.transpose(1, 2) if turned else image)
    return torch.cat(images)[None]


def train_plainly(config: FinetuneConfig, turn: Turn) -> float:
    """PSNR at the end."""
    data, network = load_target(config), PlainCascade()
    network.load_state_dict({name: t.contiguous() for name, t in open_model(MODEL).network.state_dict().items()})
    optimiser = torch.optim.Adam(network.parameters(), lr=config.rate_of_learning)
    measurement = data.validation[0]
    turn(0, lambda: reconstruct_plainly(measurement, network))
    for step in range(config.steps):
        network.train()
        set_learning_rate(optimiser, config, step)
        examples = data.draw(config, step)
        optimiser.zero_grad()
        image = network(examples.kspace, examples.mask)
        loss = torch.view_as_real(image - examples.target).abs().mean()
        loss.item()
        loss.backward()
        optimiser.step()
        turn(step + 1, lambda: reconstruct_plainly(measurement, network))
    return validation_psnr(measurement, reconstruct_plainly(measurement, network))


def train_as_the_package_does(config: FinetuneConfig, turn: Turn, folder: Path) -> float:
    """PSNR at the end."""
    base = open_model(MODEL).network  # beside the one that learns
    measurement = load_target(config).validation[0]
    autocast = autocast_for(torch.device("cpu"), config.precision)

    def look() -> torch.Tensor:
        return reconstruct(measurement, base, autocast=autocast)

    def on_event(event: Event) -> None:
        if isinstance(event, StepDone):
            turn(event.step, look)

    turn(0, look)
    return finetune(config, on_event, run=folder / "run").last_psnr


def contend(name: str, rounds: int, steps: int, precision: str) -> None:
    """Wait for a line, take a turn, tell; until all steps are taken."""
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    strategy, options = CONTENDERS[name]
    config = FinetuneConfig(
        MODEL, (str(SAMPLES / "patient03_study1_T2W.nii.gz"),), (str(SAMPLES / "patient03_study2_T2W.nii.gz"),),
        strategy=strategy, strategy_options=options, epochs=1, steps_per_epoch=rounds * steps, device="cpu",
        precision=precision,
    )  # fmt: skip
    seconds, began = [], 0.0

    def turn(step: int, look: Callable[[], torch.Tensor]) -> None:
        nonlocal began
        now = time.perf_counter()
        if step:
            seconds.append(now - began)
        if step % steps == 0:
            told = {"steps": seconds[-steps:]} if step else {}
            if name in ("plain", "ft"):
                began = time.perf_counter()
                image = look()
                told["slices"] = image.shape[0] * image.shape[1] / (time.perf_counter() - began)
                if not step:
                    told["psnr"] = validation_psnr(load_target(config).validation[0], image)
            print(json.dumps(told), flush=True)
            if step < rounds * steps:
                sys.stdin.readline()
        began = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        if name == "plain":
            psnr, size = train_plainly(config, turn), 0
        else:
            psnr = train_as_the_package_does(config, turn, Path(folder))
            size = (Path(folder) / "run" / BEST).stat().st_size
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - imported
        print(json.dumps({"psnr": psnr, "bytes": size, "peak": peak / 1024}), flush=True)


def start(*arguments: str, tuned: bool) -> subprocess.Popen[str]:
    plain = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    return subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**plain, **(ENVIRONMENT if tuned else {})},
    )  # fmt: skip


def heard(process: subprocess.Popen[str]) -> dict[str, float | list[float]]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.contender:
        contend(chosen.contender, chosen.rounds, chosen.steps, chosen.precision)
    else:
        compare(chosen.rounds, chosen.steps, chosen.precision)


def compare(rounds: int, steps: int, precision: str) -> None:
    """Let them take turns, then print the tables."""
    settings = [f"--rounds={rounds}", f"--steps={steps}", f"--precision={precision}"]
    running, before, end = {}, {}, {}
    step_s: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    slices: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for name in CONTENDERS:  # one after the other: none may load while another is timed
        running[name] = start("--contender", name, *settings, tuned=name != "plain")
        before[name] = heard(running[name]).get("psnr")
    for number in range(rounds):
        for name, process in running.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            told = heard(process)
            step_s[name] += told["steps"][number == 0 :]  # the very first step warms up
            slices[name] += [told["slices"]] if "slices" in told else []
            if number == rounds - 1:
                end[name] = heard(process)
    step = {name: statistics.median(taken) for name, taken in step_s.items()}
    rate = {name: statistics.median(slices[name]) for name in ("plain", "ft")}
    psnr, peak, size = ({n: told[key] for n, told in end.items()} for key in ("psnr", "peak", "bytes"))

    kind = "bfloat16" if use_bfloat16(torch.device("cpu"), precision) else "float32"
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, the package in {kind}\n")
    print("| | plain loop | package (FT) | ratio or difference | aim |\n|---|---|---|---|---|")
    print(f"| training (steps/s) | {1 / step['plain']:.2f} | {1 / step['ft']:.2f} ", end="")
    print(f"| {step['plain'] / step['ft']:.2f} | ≥ 2.5 |")
    print(f"| inference (slices/s) | {rate['plain']:.2f} | {rate['ft']:.2f} | {rate['ft'] / rate['plain']:.2f} | ≥ 3 |")
    for when, found in {"pretrained": before, f"after {rounds * steps} steps": psnr}.items():
        print(f"| T2w sample, {when} (dB) | {found['plain']:.3f} | {found['ft']:.3f} ", end="")
        print(f"| {found['ft'] - found['plain']:+.3f} | ± 0.02 |")
    print(f"| peak memory (MB) | {peak['plain']:.0f} | {peak['ft']:.0f} | {peak['ft'] / peak['plain']:.2f} | |")

    print("\n| | FT | LFT per kernel | ratio | LFT per filter | ratio |\n|---|---|---|---|---|---|")
    in_ms = {name: 1000 * seconds for name, seconds in step.items()}
    for title, of, form in (
        ("step (ms)", in_ms, ".0f"), ("checkpoint (bytes)", size, ",.0f"), ("peak memory (MB)", peak, ".0f")
    ):  # fmt: skip
        columns = [f"{of['ft']:{form}}"]
        for name in ("lft-kernel", "lft-filter"):
            columns += [f"{of[name]:{form}}", f"{of[name] / of['ft']:.3f}"]
        print(f"| {title} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
