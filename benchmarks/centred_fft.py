"""A centred Fourier transform against a plain one, in turns in one process.

    OMP_NUM_THREADS=2 python benchmarks/centred_fft.py

64 slices of 320 × 320, complex64: what torch does with DC in the corner, what `physics.fourier` does with DC in the
centre, and the same by shifting as one would write it.
"""

import statistics
import time
from collections.abc import Callable

import torch

from napari_mritransfer.physics.fourier import fourier

AXES = (-2, -1)


def shifted(image: torch.Tensor) -> torch.Tensor:
    """DC in the centre by two shifts."""
    return torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(image, dim=AXES), dim=AXES, norm="ortho"), dim=AXES)


def main() -> None:
    image = torch.randn(64, 320, 320, dtype=torch.complex64)
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "plain": lambda: torch.fft.fftn(image, dim=AXES, norm="ortho"),
        "`physics.fourier`": lambda: fourier(image),
        "with shifts": lambda: shifted(image),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(22):
        for way, work in ways.items():
            began = time.perf_counter()
            work()
            if repeat >= 2:
                seconds[way].append(time.perf_counter() - began)
    took = {way: statistics.median(taken) for way, taken in seconds.items()}
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| FFT of 64 × 320² | ms | to plain |\n|---|---|---|")
    for way, median in took.items():
        print(f"| {way} | {1000 * median:.1f} | {median / took['plain']:.2f} |")


if __name__ == "__main__":
    main()
