"""A centred Fourier transform against a plain one, in turns in one process.

    OMP_NUM_THREADS=2 python benchmarks/centred_fft.py

64 slices of 320 × 320, complex64: what torch does with DC in the corner, what `physics.fourier` does with DC in the
centre, and the same by shifting as one would write it. Once in the worker's environment, where freed memory stays in
the process, and once with the allocator as it is, as a script or the command line would run.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.training.client import ENVIRONMENT

AXES = (-2, -1)


def shifted(image: torch.Tensor) -> torch.Tensor:
    """DC in the centre by two shifts."""
    return torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(image, dim=AXES), dim=AXES, norm="ortho"), dim=AXES)


def measure() -> dict[str, float]:
    """Median milliseconds of each way in this process."""
    image = torch.randn(64, 320, 320, dtype=torch.complex64)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "plain": lambda: torch.fft.fftn(image, dim=AXES, norm="ortho"),
        "`physics.fourier`": lambda: fourier(image),
        "with shifts": lambda: shifted(image),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(32):
        for way, work in ways.items():
            began = time.perf_counter()
            work()
            if repeat >= 2:
                seconds[way].append(time.perf_counter() - began)
    return {way: 1000 * statistics.median(taken) for way, taken in seconds.items()}


def measured_in(environment: dict[str, str]) -> dict[str, float]:
    """The same in a process of its own."""
    found = subprocess.run([sys.executable, __file__, "--once"], env=environment, capture_output=True, check=True)
    taken: dict[str, float] = json.loads(found.stdout)
    return taken


def main() -> None:
    as_it_is = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    worker, plain = measured_in({**as_it_is, **ENVIRONMENT}), measured_in(as_it_is)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| FFT of 64 × 320² | in the worker (ms) | to plain | allocator as it is (ms) | to plain |")
    print("|---|---|---|---|---|")
    for way in worker:
        columns = [f"{found[way]:.1f} | {found[way] / found['plain']:.2f}" for found in (worker, plain)]
        print(f"| {way} | {' | '.join(columns)} |")


if __name__ == "__main__":
    if "--once" in sys.argv:
        print(json.dumps(measure()))
    else:
        main()
