"""Networks of one layer of every kind that can be scaled, and the cascades, each with an input that fits."""

import torch
from torch import nn

from napari_mritransfer.networks.dccnn import DCCNN
from napari_mritransfer.networks.multiscale import MultiscaleCascade

LAYERS = {
    "conv1d": (lambda bias: nn.Conv1d(3, 4, 3, bias=bias), (2, 3, 9), 12),
    "conv2d": (lambda bias: nn.Conv2d(3, 4, 3, bias=bias), (2, 3, 9, 8), 12),
    "conv3d": (lambda bias: nn.Conv3d(3, 4, 3, bias=bias), (2, 3, 5, 6, 4), 12),
    "transposed 1d": (lambda bias: nn.ConvTranspose1d(3, 4, 3, stride=2, bias=bias), (2, 3, 9), 12),
    "transposed 2d": (lambda bias: nn.ConvTranspose2d(3, 4, 2, stride=2, bias=bias), (2, 3, 5, 4), 12),
    "transposed 3d": (lambda bias: nn.ConvTranspose3d(3, 4, 2, bias=bias), (2, 3, 4, 3, 5), 12),
    "grouped": (lambda bias: nn.Conv2d(4, 6, 3, groups=2, bias=bias), (2, 4, 7, 8), 12),
    "grouped transposed": (lambda bias: nn.ConvTranspose2d(4, 6, 3, groups=2, bias=bias), (2, 4, 7, 8), 12),
    "depthwise": (lambda bias: nn.Conv2d(3, 6, 3, groups=3, bias=bias), (2, 3, 7, 8), 6),
    "depthwise transposed": (lambda bias: nn.ConvTranspose2d(3, 6, 3, groups=3, bias=bias), (2, 3, 7, 8), 6),
    "dilated": (lambda bias: nn.Conv2d(3, 4, 3, dilation=2, padding=2, bias=bias), (2, 3, 9, 8), 12),
    "circular": (lambda bias: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular", bias=bias), (2, 3, 9, 8), 12),
    "one by one": (lambda bias: nn.Conv2d(3, 4, 1, bias=bias), (2, 3, 9, 8), 12),
    "linear": (lambda bias: nn.Linear(3, 4, bias=bias), (2, 7, 3), 12),
    "unbatched": (lambda bias: nn.Conv2d(3, 4, 3, bias=bias), (3, 9, 8), 12),
}


def layer_and_input(kind, bias=True, dtype=torch.float64):
    """One layer in a network, its input, and its number of kernels."""
    make, shape, kernels = LAYERS[kind]
    torch.manual_seed(0)
    return nn.Sequential(make(bias)).to(dtype), torch.randn(shape, dtype=dtype), kernels


CASCADES = {
    "dccnn": lambda: DCCNN(2, 3, 4),
    "multiscale": lambda: MultiscaleCascade(2, (4, 6), 2),
}


def cascade_and_input(name, dtype=torch.float32):
    """A cascade, and measured k-space with its mask."""
    torch.manual_seed(0)
    network = CASCADES[name]().to(dtype)
    kspace = torch.randn(2, 9, 10, dtype=dtype.to_complex())
    mask = torch.rand(10) < 0.5
    return network, (torch.where(mask, kspace, 0), mask)


class WithBatchNorm(nn.Module):
    """Running statistics, dropout and a norm with parameters: everything that may drift behind a transfer's back."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, bias=False))
        self.norm = nn.GroupNorm(3, 3)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(3, 2))

    def forward(self, image):
        return self.head(self.norm(self.features(image)).mean((-2, -1)))


UNSUITED = {
    *(("norm", name) for name in ("dccnn", "multiscale", "unet", "varnet", "istanet", "max, no positions")),
    ("bias", "istanet"), ("conv-adapter", "istanet"),
}  # fmt: skip
"""Strategies that find nothing to learn in a network: no norm with parameters, no bias, no layer around the kernels."""


def disturb(model, spread=0.5, seed=1):
    """Give every learning parameter a value of its own, some scales negative."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(4 * spread * noise)
