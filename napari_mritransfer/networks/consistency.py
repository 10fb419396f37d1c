"""Data consistency: what was measured wins over what a network guessed."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_mritransfer.physics.coils import combine, expand
from napari_mritransfer.physics.fourier import fourier, inverse_fourier


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

    def forward(
        self, image: Tensor, kspace: Tensor, mask: Tensor, axes: Sequence[int], maps: Tensor | None = None
    ) -> Tensor:
        """Data-consistent image.

        With several coils the residual of each is brought back through its map: a step down the gradient of
        ``‖M F S x − k₀‖² / 2`` (Hammernik et al. 2018, eq. 6); with one coil the same thing is the formula above.

        Parameters
        ----------
        image
            ``(batch, y, x)`` complex.
        kspace
            Measured samples, transformed along `axes` only, zero where not measured: of the shape of `image`, or
            ``(batch, coil, y, x)``.
        mask
            Bool, broadcastable to `image`, True where measured.
        maps
            ``(batch, coil, y, x)`` complex, of unit norm over the coils; None for one coil.
        axes
            The axes that are in k-space: ``(-1,)`` for one-dimensional masks (the fully sampled readout
            decouples, so every row is a problem of its own), ``(-2, -1)`` in general.
        """
        weight = 1.0 if self.log_lambda is None else torch.sigmoid(self.log_lambda)  # λ / (1 + λ)
        if maps is None:
            residual = torch.where(mask, kspace - fourier(image, axes), 0)
            return image + weight * inverse_fourier(residual, axes)
        residual = torch.where(mask[:, None], kspace - fourier(expand(image, maps), axes), 0)
        return image + weight * combine(inverse_fourier(residual, axes), maps)


def as_channels(image: Tensor) -> Tensor:
    """``(batch, y, x)`` complex to ``(batch, 2, y, x)`` real and imaginary, already in channels-last memory."""
    return torch.view_as_real(image).permute(0, 3, 1, 2)


def as_complex(channels: Tensor) -> Tensor:
    """The inverse of `as_channels`, in float32 at least, whatever the precision of the convolutions was."""
    real = channels.to(torch.promote_types(channels.dtype, torch.float32))
    return torch.view_as_complex(real.permute(0, 2, 3, 1).contiguous())
