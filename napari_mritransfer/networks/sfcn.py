"""SFCN, a small 3D network for a whole brain: age as a distribution over bins, or classes. Published names."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEWEST = 2  # a block that pools, and the last one


class SFCN(nn.Module):
    """Convolutions, pooling over the whole brain, and one linear layer to log-probabilities.

    All blocks but the last are a 3 x 3 x 3 convolution, batch norm, maximum pooling by 2 and ReLU; the last is a
    1 x 1 x 1 convolution, batch norm and ReLU. Names of weights are those of the published files.

    Parameters
    ----------
    widths
        Channels of the blocks. Published: (32, 64, 128, 256, 256, 64) for age, (28, 58, 128, 256, 256, 64) for sex.
    outputs
        Bins or classes.
    grid
        Voxels that volumes have along i, j, k; what is left of it after the blocks is averaged, (5, 6, 5) as published.
    dropout
        Of the averaged features while training.

    Attributes
    ----------
    grid, outputs
        As given.
    feature_part
        Name of the submodule that holds all but the linear layer.

    Raises
    ------
    ValueError
        If nothing is left of the grid after the blocks.

    References
    ----------
    Peng et al., Medical Image Analysis 2021, doi 10.1016/j.media.2020.101871.
    """

    feature_part = "feature_extractor"

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 256, 256, 64),
        outputs: int = 40,
        grid: Sequence[int] = (160, 192, 160),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(widths) < _FEWEST or min(widths) < 1 or outputs < _FEWEST:
            raise ValueError(f"an SFCN of widths {list(widths)} with {outputs} outputs cannot be built")
        pooled = len(widths) - 1
        left = [length // 2**pooled for length in grid]
        if len(left) != 3 or min(left) < 1:
            raise ValueError(f"a grid of {list(grid)} voxels is too small for {pooled} poolings by 2")
        i, j, k = (int(length) for length in grid)
        self.grid: tuple[int, int, int] = (i, j, k)
        self.outputs = outputs
        self.features_out = int(widths[-1])
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        before = 1
        for number, width in enumerate(widths):
            blocks[f"conv_{number}"] = _block(before, width, pools=number < pooled)
            before = width
        self.feature_extractor = nn.Sequential(blocks)
        self.classifier = nn.Sequential(
            OrderedDict(
                average_pool=nn.AvgPool3d((left[0], left[1], left[2])),
                dropout=nn.Dropout(dropout),
                conv_6=nn.Conv3d(before, outputs, 1),  # called so whatever the number of blocks
            )
        )
        # channels last: convolutions and poolings of a full-size brain take 40 % less time; one channel of input
        # belongs to either order, so it is the weights that decide
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # its stubs lack that

    def features(self, volumes: Tensor) -> Tensor:
        """``(n, 1, i, j, k)`` volumes to ``(n, features)``: averaged over the brain, before dropout.

        Raises
        ------
        ValueError
            If the volumes are not of `grid`: poolings cut off what is left over, so that a few voxels more would pass.
        """
        if volumes.shape[2:] != self.grid:
            raise ValueError(f"Volumes of {tuple(volumes.shape[2:])} voxels are not of the network's grid {self.grid}.")
        averaged: Tensor = self.classifier[0](self.feature_extractor(volumes))
        return averaged.flatten(1)

    def head(self, features: Tensor) -> Tensor:
        """``(n, features)`` to ``(n, outputs)`` log-probabilities."""
        columns = self.classifier[2](self.classifier[1](features[:, :, None, None, None]))
        return functional.log_softmax(columns.flatten(1), dim=1)

    def forward(self, volumes: Tensor) -> Tensor:
        """``(n, 1, i, j, k)`` volumes to ``(n, outputs)`` log-probabilities."""
        return self.head(self.features(volumes))


def _block(before: int, width: int, *, pools: bool) -> nn.Sequential:
    convolution = nn.Conv3d(before, width, 3, padding=1) if pools else nn.Conv3d(before, width, 1)
    pooling = [nn.MaxPool3d(2)] if pools else []
    return nn.Sequential(convolution, nn.BatchNorm3d(width), *pooling, nn.ReLU(inplace=True))
