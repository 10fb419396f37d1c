"""Milliseconds of the reconstruction networks: one slice forward, one training step, float32 and bfloat16.

    python benchmarks/designs.py

Ratios are against the DCCNN of Schlemper et al. (5 cascades × 5 convolutions × 32 channels) in the same run. Set the
allocator as `make bench` does, or page faults are measured instead. Quality at equal training time: docs/results.md.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleCascade
from napari_mritransfer.recon.precision import has_bfloat16

DESIGNS: dict[str, Callable[[], nn.Module]] = {
    "dccnn 5×5×32": lambda: DCCNN(5, 5, 32),
    "multiscale 8×(32, 48), fold 2": lambda: MultiscaleCascade(8, (32, 48), 2),
    "multiscale 6×(16, 32, 48), no fold": lambda: MultiscaleCascade(6, (16, 32, 48), 1),
}
ROWS, LINES, REPEATS = 256, 256, 9


def median_ms(work: Callable[[], object]) -> float:
    """Median of `REPEATS` after two runs that do not count."""
    seconds = []
    for repeat in range(REPEATS + 2):
        began = time.perf_counter()
        work()
        if repeat >= 2:
            seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


def main() -> None:
    torch.manual_seed(0)
    kspace = torch.randn(1, ROWS, LINES, dtype=torch.complex64)
    mask = torch.rand(1, 1, LINES) < 0.25
    target = torch.randn(1, ROWS, LINES, dtype=torch.complex64)
    precisions = ["float32", *(["bfloat16"] if has_bfloat16(torch.device("cpu")) else [])]
    print(f"{torch.get_num_threads()} threads, one {ROWS} × {LINES} slice, torch {torch.__version__}")
    print("| design | parameters | precision | forward (ms) | ratio | training step (ms) | ratio |")
    print("|---|---|---|---|---|---|---|")
    for precision in precisions:
        first: tuple[float, float] | None = None
        for name, build in DESIGNS.items():
            network = build().to(memory_format=torch.channels_last)
            optimiser = torch.optim.Adam(network.parameters())

            def forward(network: nn.Module = network, precision: str = precision) -> torch.Tensor:
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                    return network(kspace, mask, (-1,))

            def step(optimiser: torch.optim.Optimizer = optimiser, forward: Callable = forward) -> None:
                optimiser.zero_grad()
                torch.view_as_real(forward() - target).abs().mean().backward()
                optimiser.step()

            with torch.no_grad():
                times = median_ms(forward), 0.0
            times = times[0], median_ms(step)
            first = first or times
            parameters = sum(p.numel() for p in network.parameters())
            print(
                f"| {name} | {parameters:,} | {precision} | {times[0]:.0f} | {times[0] / first[0]:.2f} "
                f"| {times[1]:.0f} | {times[1] / first[1]:.2f} |"
            )


if __name__ == "__main__":
    main()
