"""What this processor allows: the convolutions of the shipped network and nothing else, as two loops would call them.

    OMP_NUM_THREADS=2 python benchmarks/convolutions.py

Each convolution by itself and warm: in float32 with channels first, as a plain loop does, and in bfloat16 with channels
last, as the package does where the processor has such instructions. Their times are added up to those of a training
step (four strips of 64 × 384, all gradients) and of reconstructing one slice of 252 × 384. Arithmetic is counted too,
two operations for each multiplication.
"""

import statistics
import time

import torch
from torch import Tensor, nn

from napari_mritransfer.training.checkpoint import open_model

MODEL = "multiscale-contrast"
REPEATS = 12
WAYS = {
    "float32, channels first": (torch.float32, torch.contiguous_format),
    "bfloat16, channels last": (torch.bfloat16, torch.channels_last),
}
WORK = {"training step": ((4, 64, 384), True), "slice": ((1, 252, 384), False)}
Convolution = nn.Conv2d | nn.ConvTranspose2d


def calls(network: nn.Module, shape: tuple[int, int, int]) -> list[tuple[Convolution, torch.Size, int]]:
    """Every convolution that k-space of that shape passes through, the shape it gets, and its operations."""
    called: list[tuple[Convolution, torch.Size, int]] = []

    def note(layer: Convolution, inputs: tuple[Tensor], output: Tensor) -> None:
        pixels = (inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output)[:, 0].numel()
        called.append((layer, inputs[0].shape, 2 * pixels * layer.weight.numel()))

    hooks = [layer.register_forward_hook(note) for layer in network.modules() if isinstance(layer, Convolution)]
    with torch.no_grad():
        network(torch.randn(shape, dtype=torch.complex64), torch.ones(1, 1, shape[-1], dtype=torch.bool), (-1,), None)
    for hook in hooks:
        hook.remove()
    return called


class Case:
    """One convolution in one precision and layout, with something to work on."""

    def __init__(
        self, layer: Convolution, shape: torch.Size, dtype: torch.dtype, layout: torch.memory_format, *, learns: bool
    ) -> None:
        alike = type(layer)(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
        self.layer, self.learns = alike.to(dtype=dtype, memory_format=layout), learns
        self.entered = torch.rand(shape).to(dtype, memory_format=layout).requires_grad_(learns)
        with torch.no_grad():
            self.gradient = torch.rand_like(self.layer(self.entered))

    def seconds(self) -> float:
        """Of one call, with all gradients where it learns."""
        began = time.perf_counter()
        with torch.set_grad_enabled(self.learns):
            output = self.layer(self.entered)
        if self.learns:
            torch.autograd.grad(output, (self.entered, *self.layer.parameters()), self.gradient)
        return time.perf_counter() - began


def main() -> None:
    network = open_model(MODEL).network
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print(f"| convolutions alone | {' | '.join(f'{way} (ms)' for way in WAYS)} | ratio | GFLOP/s, each |")
    print("|---|---|---|---|---|")
    for title, (shape, learns) in WORK.items():
        total, operations = dict.fromkeys(WAYS, 0.0), 0
        for layer, entered, own in calls(network, shape):
            cases = {way: Case(layer, entered, *how, learns=learns) for way, how in WAYS.items()}
            taken = {way: [case.seconds() for _ in range(REPEATS)] for way, case in cases.items()}
            total = {way: total[way] + statistics.median(taken[way][2:]) for way in WAYS}
            operations += own * (3 if learns else 1)  # by the input and by the weights as much again
        first, second = total.values()
        print(f"| {title} | {1000 * first:.0f} | {1000 * second:.0f} | {first / second:.2f} ", end="")
        print(f"| {operations / first / 1e9:.0f}, {operations / second / 1e9:.0f} |")


if __name__ == "__main__":
    main()
