"""fastMRI's U-Net, with the tensor names of its published weights."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.networks.consistency import as_channels, as_complex
from napari_mritransfer.physics.fourier import inverse_fourier

_CLAMP = 6.0  # standard deviations: what the published weights saw of an image
_MOST_POOLS = 8  # each doubles the channels; an image of 512 is down to 2 pixels then
_STEP = 16  # sizes that `NormUNet` pads to; fixed upstream, whatever the number of pools


class UNet(nn.Module):
    """Magnitude image in, magnitude image out: removes aliasing without looking at k-space again.

    Parameters
    ----------
    chans
        Channels at full resolution; they double with every pool.
    pools
        Number of 2×2 average poolings, 1 to 8; upstream calls it ``num_pool_layers``.
    in_chans, out_chans
        Channels of `refine`; `forward` needs 1 and 1.
    drop_prob
        Share of the channels dropped in training mode.

    References
    ----------
    Ronneberger, Fischer, Brox: U-Net, MICCAI 2015; Zbontar et al.: fastMRI, arXiv:1811.08839, section 5.
    """

    title: ClassVar[str] = "U-Net"
    """What people call it."""
    takes_complex: ClassVar[bool] = True
    """Complex images are taken, as their magnitude: the phase is lost, as it is upstream."""
    works_on_strips: ClassVar[bool] = False
    """A few rows of a slice are not the same problem: mean and deviation are the whole slice's."""
    returns_magnitude: ClassVar[bool] = True
    """The result is real; it may dip slightly below 0."""
    needs_image_crop: ClassVar[bool] = True
    """Published weights know zero-filled images cut to the reconstruction size; cutting is up to the caller."""

    finds_own_maps: ClassVar[bool] = True
    """It needs none: coils are combined by root-sum-of-squares."""

    def __init__(
        self, chans: int = 32, pools: int = 4, *, in_chans: int = 1, out_chans: int = 1, drop_prob: float = 0.0
    ) -> None:
        super().__init__()
        if min(chans, pools, in_chans, out_chans) < 1 or pools > _MOST_POOLS or not 0 <= drop_prob < 1:
            raise ValueError(f"A U-Net needs at least 1 channel, 1 to {_MOST_POOLS} pools and a dropout in [0, 1).")
        self.in_chans, self.out_chans = in_chans, out_chans
        widths = [chans * 2**level for level in range(pools)]
        self.down_sample_layers = nn.ModuleList(
            DoubleBlock(before, after, drop_prob)
            for before, after in zip([in_chans, *widths[:-1]], widths, strict=True)
        )
        self.conv = DoubleBlock(widths[-1], 2 * widths[-1], drop_prob)
        self.up_transpose_conv = nn.ModuleList(UpBlock(2 * width, width) for width in reversed(widths))
        blocks: list[nn.Module] = [DoubleBlock(2 * width, width, drop_prob) for width in reversed(widths)]
        blocks[-1] = nn.Sequential(blocks[-1], nn.Conv2d(chans, out_chans, 1))
        self.up_conv = nn.ModuleList(blocks)

    def in_order(self) -> Iterator[nn.Module]:
        """Submodules as `refine` calls them, see `transfer.order`."""
        yield from (self.down_sample_layers, self.conv)
        for up, decode in zip(self.up_transpose_conv, self.up_conv, strict=True):
            yield from (up, decode)

    def forward(
        self, kspace: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), maps: Tensor | None = None
    ) -> Tensor:
        """Magnitude image from measured k-space.

        Upstream's convention: inverse FFT, root-sum-of-squares over coils, then per slice
        ``(x − mean) / (std + 1e-11)`` with the sample standard deviation, clamped to ±6; undone after the network.

        Parameters
        ----------
        kspace
            ``(batch, y, x)`` or ``(batch, coil, y, x)`` complex, transformed along `axes`, zero where not measured.
        mask, maps
            Not used: this network knows neither what was measured nor the coils.
        axes
            See `DataConsistency.forward`.

        Returns
        -------
        image
            ``(batch, y, x)`` float32, in the units of the zero-filled image.

        Raises
        ------
        ValueError
            If the network does not map one channel to one, or the image is too small for it.
        """
        if (self.in_chans, self.out_chans) != (1, 1):
            raise ValueError(
                f"This U-Net maps {self.in_chans} channels to {self.out_chans}, so it is part of another network; "
                "choose a U-Net from one channel to one."
            )
        coil_images = inverse_fourier(kspace, axes)
        image = coil_images.abs() if kspace.ndim == 3 else torch.linalg.vector_norm(coil_images, dim=1)
        mean = image.mean((-2, -1), keepdim=True)
        std = image.std((-2, -1), keepdim=True)
        normalised = ((image - mean) / (std + 1e-11)).clamp(-_CLAMP, _CLAMP)
        return self.refine(normalised[:, None])[:, 0] * std + mean

    def refine(self, image: Tensor) -> Tensor:
        """The network itself: ``(batch, in_chans, y, x)`` real to ``(batch, out_chans, y, x)``, any y and x.

        Raises
        ------
        ValueError
            If nothing would be left to normalise at the lowest resolution.
        """
        height, width = (size >> len(self.down_sample_layers) for size in image.shape[-2:])
        if height * width < 2:
            raise ValueError(
                f"Images of {image.shape[-2]} × {image.shape[-1]} are too small for a U-Net with "
                f"{len(self.down_sample_layers)} pools; use one with fewer."
            )
        features: Tensor = image
        skips: list[Tensor] = []
        for encode in self.down_sample_layers:
            skips.append(encode(features))
            features = functional.avg_pool2d(skips[-1], 2)
        features = self.conv(features)
        for up, decode, skip in zip(self.up_transpose_conv, self.up_conv, reversed(skips), strict=True):
            features = decode(torch.cat([_grown_to(up(features), skip), skip], dim=1))
        return features


class NormUNet(nn.Module):
    """A U-Net from complex image to complex image, each normalised by its own mean and deviation.

    Parameters
    ----------
    chans, pools
        Of the U-Net.
    """

    def __init__(self, chans: int, pools: int) -> None:
        super().__init__()
        self.unet = UNet(chans, pools, in_chans=2, out_chans=2)

    def forward(self, image: Tensor) -> Tensor:
        """``(batch, y, x)`` complex to the same; real and imaginary part have a mean and a deviation each.

        Where a part is constant, upstream divides by 0 and the whole slice becomes NaN; here it is divided by 1.
        """
        channels = as_channels(image)
        mean = channels.mean((-2, -1), keepdim=True)
        std = channels.std((-2, -1), keepdim=True)
        std = torch.where(std == 0, 1, std)
        height, width = image.shape[-2:]
        top, left = (-height % _STEP) // 2, (-width % _STEP) // 2
        padding = (left, -width % _STEP - left, top, -height % _STEP - top)
        refined = self.unet.refine(functional.pad((channels - mean) / std, padding))
        return as_complex(refined[..., top : top + height, left : left + width] * std + mean)


class DoubleBlock(nn.Module):
    """Twice: 3×3 convolution without bias, instance norm, leaky ReLU, dropout of channels."""

    def __init__(self, before: int, after: int, drop_prob: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False), *_settle(after), nn.Dropout2d(drop_prob),
            nn.Conv2d(after, after, 3, padding=1, bias=False), *_settle(after), nn.Dropout2d(drop_prob),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, before, y, x)`` to ``(batch, after, y, x)``."""
        result: Tensor = self.layers(features)
        return result


class UpBlock(nn.Module):
    """2×2 transposed convolution without bias, instance norm, leaky ReLU: twice the size."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.ConvTranspose2d(before, after, 2, stride=2, bias=False), *_settle(after))

    def forward(self, features: Tensor) -> Tensor:
        """``(batch, before, y, x)`` to ``(batch, after, 2y, 2x)``."""
        result: Tensor = self.layers(features)
        return result


def _settle(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels), nn.LeakyReLU(0.2)


def _grown_to(features: Tensor, skip: Tensor) -> Tensor:
    """One more column or row, mirrored, where pooling had dropped an odd one."""
    below, right = skip.shape[-2] - features.shape[-2], skip.shape[-1] - features.shape[-1]
    return functional.pad(features, (0, right, 0, below), mode="reflect") if below or right else features
