"""The same cascade with blocks that look further: aliasing from skipped lines spreads over the whole field of view.

What a convolution returns is overwritten where its backward pass does not ask for it: memory is what ReLUs cost.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.networks.consistency import DataConsistency
from napari_mritransfer.networks.dccnn import unroll, unrolled


class MultiscaleCascade(nn.Module):
    """Unrolled reconstruction whose CNN blocks work at several resolutions.

    Each block folds ``fold × fold`` neighbours into channels and runs a small U-Net on them, so that its widest
    convolutions work on few pixels; data consistency stays at full resolution. There are no normalisation layers:
    nothing cancels the scales and shifts that linear fine-tuning learns. Any image size is taken.

    Parameters
    ----------
    cascades
        Number of block + data-consistency pairs, at least 1.
    widths
        Channels at the folded resolution, half of it, a quarter, …; one entry per resolution.
    fold
        Side of the neighbourhood folded into channels; 1 folds nothing.
    noise_weighted
        Learned (True) or hard (False) data consistency.

    References
    ----------
    Schlemper et al., IEEE Trans Med Imaging 2018 (the cascade); Ronneberger et al., MICCAI 2015 (the block);
    Shi et al., CVPR 2016 (folding, there called pixel shuffle).
    """

    def __init__(
        self, cascades: int = 8, widths: Sequence[int] = (32, 48), fold: int = 2, *, noise_weighted: bool = True
    ) -> None:
        super().__init__()
        if cascades < 1 or fold < 1 or len(widths) < 1 or min(widths) < 1:
            raise ValueError("A multiscale cascade needs at least 1 cascade, a fold of 1 and 1 channel per resolution.")
        self.blocks = nn.ModuleList(MultiscaleBlock(widths, fold) for _ in range(cascades))
        self.consistency = nn.ModuleList(DataConsistency(noise_weighted=noise_weighted) for _ in range(cascades))

    def in_order(self) -> Iterator[nn.Module]:
        """Submodules as `forward` calls them, see `transfer.order`."""
        return unrolled(self.blocks, self.consistency)

    def forward(
        self, kspace: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), maps: Tensor | None = None
    ) -> Tensor:
        """Image from measured k-space; shapes as in `DCCNN.forward`."""
        return unroll(self.blocks, self.consistency, kspace, mask, axes, maps)


class MultiscaleBlock(nn.Module):
    """Two channels in, two out: down by strided, up by transposed 2×2 convolutions, skips added."""

    def __init__(self, widths: Sequence[int], fold: int) -> None:
        super().__init__()
        self.fold = fold
        folded = 2 * fold**2
        first = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.enter = nn.Sequential(first, nn.ReLU(inplace=True), ResidualPair(widths[0]))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(ResidualPair(width) for width in widths[1:])
        self.up = nn.ModuleList(UpConvolution(b, a, 2, stride=2) for a, b in pairwise(widths))
        self.decode = nn.ModuleList(ResidualPair(width) for width in widths[:-1])
        self.leave = nn.Conv2d(widths[0], folded, 3, padding=1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin near the identity: a deep cascade of large random corrections learns slowly at first."""
        self.leave.reset_parameters()
        with torch.no_grad():
            for parameter in self.leave.parameters():
                parameter.mul_(0.1)

    def in_order(self) -> Iterator[nn.Module]:
        """Submodules as `forward` calls them, see `transfer.order`."""
        yield self.enter
        for down, encode in zip(self.down, self.encode, strict=True):
            yield from (down, encode)
        for up, decode in zip(reversed(self.up), reversed(self.decode), strict=True):
            yield from (up, decode)
        yield self.leave

    def forward(self, channels: Tensor) -> Tensor:
        """``(batch, 2, y, x)`` to ``(batch, 2, y, x)``; sizes that do not divide evenly are padded and cut again."""
        height, width = channels.shape[-2:]
        step = self.fold * 2 ** len(self.down)
        padded = functional.pad(channels, (0, -width % step, 0, -height % step))
        features = self.enter(functional.pixel_unshuffle(padded, self.fold))
        skips: list[Tensor] = []
        for down, encode in zip(self.down, self.encode, strict=True):
            skips.append(features)
            features = encode(down(features).relu_())
        for up, decode, skip in zip(reversed(self.up), reversed(self.decode), reversed(skips), strict=True):
            features = decode(up(features).add_(skip).relu_())
        return functional.pixel_shuffle(self.leave(features), self.fold)[..., :height, :width]


class UpConvolution(nn.ConvTranspose2d):
    """A transposed convolution whose bias learns beside it.

    In bfloat16 on a CPU the gradient of a transposed convolution's own bias takes longer than all its others together.
    """

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As any transposed convolution, to the bit."""
        if self.bias is None or output_size or not (self.bias.requires_grad and torch.is_grad_enabled()):
            return super().forward(features, output_size)
        assert isinstance(self.padding, tuple)
        larger = functional.conv_transpose2d(
            features, self.weight, self.bias.detach(), self.stride, self.padding, self.output_padding, self.groups,
            self.dilation,
        )  # fmt: skip
        teach: Callable[..., Tensor] = _TeachBias.apply
        return teach(larger, self.bias)


class _TeachBias(torch.autograd.Function):
    """The identity; what comes back is also summed for a bias that is in the output already."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, bias: Tensor) -> Tensor:
        """`output` is handed on as it is; ``(channel,)`` bias."""
        ctx.mark_dirty(output)  # so that whoever comes next may overwrite it
        ctx.precision = bias.dtype
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Of both."""
        all_but_channels = [axis for axis in range(gradient.ndim) if axis != gradient.ndim - 3]
        return gradient, gradient.sum(all_but_channels).to(ctx.precision)


class ResidualPair(nn.Module):
    """Two 3×3 convolutions that correct their input: without normalisation layers, this is what keeps gradients alive.

    References
    ----------
    He et al., CVPR 2016; without normalisation as in Lim et al., CVPR workshops 2017.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, width, y, x)`` to the same."""
        correction: Tensor = self.second(self.first(features).relu_())
        return correction.add_(features)
