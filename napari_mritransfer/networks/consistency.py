"""Data consistency: what was measured wins over what a network guessed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.fourier import inverse_fourier


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What was measured, laid out for many passes through `DataConsistency` in which no transform has to be centred.

    To go to k-space, leave out samples and come back is a circular convolution of the image, and a convolution does not
    know where an image has its centre. So it is enough to turn the mask and the samples once, DC to index 0.

    Attributes
    ----------
    image
        Zero-filled: ``(batch, y, x)`` complex, or ``(batch, coil, y, x)`` with `maps`.
    kspace
        Its plain orthonormal transform along `axes`.
    mask
        Bool, broadcastable to `kspace`, True where measured, DC at index 0.
    axes, maps
        See `Samples.of`.
    """

    image: Tensor
    kspace: Tensor
    mask: Tensor
    axes: tuple[int, ...]
    maps: Tensor | None

    @classmethod
    def of(cls, kspace: Tensor, mask: Tensor, axes: Sequence[int], maps: Tensor | None = None) -> "Samples":
        """From the measurement as it lies everywhere else, DC in the centre.

        Parameters
        ----------
        kspace
            ``(batch, y, x)`` complex, or ``(batch, coil, y, x)`` with `maps`; transformed along `axes` only, zero where
            not measured.
        mask
            Bool with a batch axis, broadcastable to ``(batch, y, x)``, True where measured.
        axes
            The axes that are in k-space, counted from the end: ``(-1,)`` for one-dimensional masks (the fully sampled
            readout decouples, so every row is a problem of its own), ``(-2, -1)`` in general.
        maps
            ``(batch, coil, y, x)`` complex, of unit norm over the coils; None for one coil.
        """
        image = inverse_fourier(kspace, axes)
        turned = torch.fft.ifftshift(mask, dim=[axis for axis in axes if mask.ndim >= -axis])
        plain = torch.fft.fftn(image, dim=tuple(axes), norm="ortho")
        return cls(image, plain, turned if maps is None else turned[:, None], tuple(axes), maps)

    def missed_by(self, image: Tensor) -> Tensor:
        """What has to be added to an image of one or of many coils for it to agree with the samples."""
        kspace = torch.fft.fftn(image, dim=self.axes, norm="ortho")
        residual = torch.where(self.mask, self.kspace - kspace, 0)
        missing: Tensor = torch.fft.ifftn(residual, dim=self.axes, norm="ortho")
        return missing


class DataConsistency(nn.Module):
    """Pull the measured k-space samples of an image back to their measured values.

    With ``noise_weighted`` each measured sample becomes ``(k + λ k₀) / (1 + λ)`` with one learned λ > 0
    (Schlemper et al. 2018, eq. 6); otherwise it becomes ``k₀`` (λ → ∞).

    Parameters
    ----------
    noise_weighted
        Learn λ, starting at ``initial_lambda``; stored as its logarithm so that it stays positive.
    initial_lambda
        Weight of the measurement relative to the network's guess.
    """

    log_lambda: Tensor | None

    def __init__(self, *, noise_weighted: bool = True, initial_lambda: float = 20.0) -> None:
        super().__init__()
        if not initial_lambda > 0:
            raise ValueError(f"λ weighs the measurement and is above 0, not {initial_lambda:g}.")
        self.initial_lambda = initial_lambda
        self.register_parameter("log_lambda", nn.Parameter(torch.empty(())) if noise_weighted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget what was learned about the noise."""
        if self.log_lambda is not None:
            nn.init.constant_(self.log_lambda, math.log(self.initial_lambda))

    def forward(self, image: Tensor, samples: Samples) -> Tensor:
        """Data-consistent image: ``(batch, y, x)`` complex to the same.

        With several coils the residual of each is brought back through its map: a step down the gradient of
        ``‖M F S x − k₀‖² / 2`` (Hammernik et al. 2018, eq. 6); with one coil the same thing is the formula above.
        """
        weight = 1.0 if self.log_lambda is None else torch.sigmoid(self.log_lambda)  # λ / (1 + λ)
        if samples.maps is None:
            return image + weight * samples.missed_by(image)
        return image + weight * combine(samples.missed_by(expand(image, samples.maps)), samples.maps)


def as_channels(image: Tensor) -> Tensor:
    """``(batch, y, x)`` complex to ``(batch, 2, y, x)`` real and imaginary, already in channels-last memory."""
    return torch.view_as_real(image).permute(0, 3, 1, 2)


def as_complex(channels: Tensor) -> Tensor:
    """The inverse of `as_channels`, in float32 at least, whatever the precision of the convolutions was."""
    real = channels.to(torch.promote_types(channels.dtype, torch.float32))
    return torch.view_as_complex(real.permute(0, 2, 3, 1).contiguous())
