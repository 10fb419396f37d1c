"""2-D encoders that turn one slice into a handful of features: five convolutions, or a ResNet."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

RESNETS = {"resnet18": 512, "resnet34": 512, "resnet50": 2048}
"""Names and numbers of features before the classifier."""

# of photographs in [0, 1], channel by channel, as torchvision's weights were trained with
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_FEWEST_PIXELS = 4  # of the last map: over fewer, instance normalisation leaves nothing of it
_STAGES = ("layer1", "layer2", "layer3", "layer4")


class LargestOfFour(nn.MaxPool2d):
    """Torch's maximum over 2×2 pixels; on a CPU ten times faster where no gradient asks which pixel it was."""

    def forward(self, maps: Tensor) -> Tensor:
        """``(n, channel, y, x)`` halved; a last odd row or column is left out."""
        if torch.is_grad_enabled() or maps.device.type != "cpu":
            pooled: Tensor = super().forward(maps)
            return pooled
        rows, columns = maps.shape[-2] // 2 * 2, maps.shape[-1] // 2 * 2
        of_rows = torch.maximum(maps[..., 0:rows:2, :columns], maps[..., 1:rows:2, :columns])
        return torch.maximum(of_rows[..., 0::2], of_rows[..., 1::2])


class ConvEncoder(nn.Module):
    """Blocks of convolution, instance norm, pooling and ReLU, then a 1×1 convolution and the mean over the slice.

    Parameters
    ----------
    widths
        Channels after each block; each block halves the slice.
    features
        Of a slice before its position is added.
    code
        Of a slice in the end.
    positions
        What is done in between, see `slice_positions`; None for nothing.
    dropout
        Share of features left out in training after that.
    slice_shape
        ``(y, x)`` of a slice.

    Raises
    ------
    ValueError
        If the blocks leave too little of a slice.

    References
    ----------
    Gupta et al., ISBI 2021, arXiv 2102.04438.
    """

    def __init__(
        self,
        widths: Sequence[int],
        features: int,
        code: int,
        positions: nn.Module | None,
        dropout: float,
        slice_shape: Sequence[int],
    ) -> None:
        super().__init__()
        rows, columns = (length >> len(widths) for length in slice_shape)
        if rows * columns < _FEWEST_PIXELS:
            raise ValueError(
                f"{len(widths)} blocks leave {rows} × {columns} pixels of a slice, too few to be normalised; use fewer "
                "blocks (widths) or a finer grid"
            )
        self.encoder_2d = nn.Sequential()
        for n_in, n_out in zip((1, *widths), widths, strict=False):
            convolution = nn.Conv2d(n_in, n_out, 3, padding=1)
            self.encoder_2d.append(nn.Sequential(convolution, nn.InstanceNorm2d(n_out), LargestOfFour(2), nn.ReLU()))
        self.post_proc_conv = nn.Sequential(nn.Conv2d(widths[-1], features, 1), nn.InstanceNorm2d(features), nn.ReLU())
        self.position_encoder = positions
        self.post_position_encoding = nn.Sequential(
            nn.Dropout(dropout) if dropout else nn.Identity(), nn.Conv2d(features, code, 1)
        )

    @property
    def depths(self) -> int:
        """How many places `maps` can stop at."""
        return len(self.encoder_2d)

    def maps(self, slices: Tensor, depth: int) -> Tensor:
        """Feature maps ``(n, channel, y, x)`` after `depth` blocks, from slices ``(n, 1, y, x)``."""
        maps: Tensor = self.encoder_2d[:depth](slices)
        return maps

    def features(self, maps: Tensor, depth: int) -> Tensor:
        """``(n, features)`` from the maps after `depth` blocks."""
        means: Tensor = self.post_proc_conv(self.encoder_2d[depth:](maps)).mean(dim=(-2, -1))
        return means

    def place(self, features: Tensor, present: Tensor | None) -> Tensor:
        """Codes ``(batch, slices, code)`` from features ``(batch, slices, features)`` and their positions."""
        if self.position_encoder is not None:
            features = self.position_encoder(features, present)
        as_image = features.transpose(1, 2)[..., None]  # the published layer is a convolution
        codes: Tensor = self.post_position_encoding(as_image)
        return codes[..., 0].transpose(1, 2)


class ResNetEncoder(nn.Module):
    """A ResNet without its classifier, whose names and outputs are torchvision's, and a linear layer.

    Parameters
    ----------
    name
        One of `RESNETS`.
    code
        Of a slice.
    positions
        What is added to that, see `slice_positions`; None for nothing.
    channels
        3 repeats the slice as the colours of a photograph; 1 has a first layer of its own.
    imagenet_statistics
        Take the mean of photographs away and divide by their standard deviation, as ImageNet weights were trained
        (the slice must then lie in [0, 1]); the published slice-set networks do not.

    References
    ----------
    He et al., CVPR 2016; Gupta et al., ISBI 2023, arXiv 2303.01491.
    """

    def __init__(
        self, name: str, code: int, positions: nn.Module | None, *, channels: int = 3, imagenet_statistics: bool = False
    ) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ValueError(f"A slice is given to a ResNet as 3 channels or as 1, not as {channels}.")
        if imagenet_statistics and channels == 1:
            raise ValueError("The statistics of ImageNet are those of three channels; use channels=3 with them.")
        import monai.networks.nets as nets  # takes seconds: only for those who use it

        self.encoder_2d = getattr(nets, name)(
            # torchvision's strides and shortcuts, which are not MONAI's defaults
            spatial_dims=2, n_input_channels=channels, conv1_t_stride=2, bias_downsample=False, feed_forward=False,
        )  # fmt: skip
        self.post_proc = nn.Sequential(nn.Linear(RESNETS[name], code))
        self.position_encoder = positions
        self.channels = channels
        self.imagenet_statistics = imagenet_statistics

    @property
    def depths(self) -> int:
        """How many places `maps` can stop at: the four stages."""
        return len(_STAGES)

    def maps(self, slices: Tensor, depth: int) -> Tensor:
        """Feature maps ``(n, channel, y, x)`` after `depth` stages, from slices ``(n, 1, y, x)``."""
        net = self.encoder_2d
        colours = slices.expand(-1, self.channels, -1, -1)
        if self.imagenet_statistics:
            mean, std = (slices.new_tensor(numbers)[:, None, None] for numbers in (_IMAGENET_MEAN, _IMAGENET_STD))
            colours = (colours - mean) / std
        maps: Tensor = net.maxpool(net.act(net.bn1(net.conv1(colours))))
        for stage in _STAGES[:depth]:
            maps = getattr(net, stage)(maps)
        return maps

    def features(self, maps: Tensor, depth: int) -> Tensor:
        """``(n, code)`` from the maps after `depth` stages."""
        for stage in _STAGES[depth:]:
            maps = getattr(self.encoder_2d, stage)(maps)
        codes: Tensor = self.post_proc(maps.mean(dim=(-2, -1)))
        return codes

    def place(self, features: Tensor, present: Tensor | None) -> Tensor:
        """Codes ``(batch, slices, code)`` with their positions."""
        if self.position_encoder is None:
            return features
        placed: Tensor = self.position_encoder(features, present)
        return placed
