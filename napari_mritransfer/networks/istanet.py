"""ISTA-Net+ for MR images, with the tensor names of its authors' weights."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.physics.fourier import inverse_fourier

_SYMMETRY_WEIGHT = 0.01  # of the symmetry loss against the image loss; Zhang & Ghanem, section 3.4


class ISTANetPlus(nn.Module):
    """Iterative shrinkage-thresholding, unrolled, with a learned sparsifying transform; real images only.

    Parameters
    ----------
    layers
        Number of iterations, at least 1; upstream calls it ``LayerNo``.
    width
        Channels of the transform; 32 in all published weights.

    Attributes
    ----------
    auxiliary_loss
        After a forward pass in training mode: 0.01 times the sum over layers of the mean squared symmetry residual,
        to be added to the loss of the image; None after any other.

    References
    ----------
    Zhang, Ghanem: ISTA-Net, CVPR 2018, arXiv:1706.07929, sections 3.3 (ISTA-Net+) and 3.4 (loss).
    """

    title: ClassVar[str] = "ISTA-Net+"
    """What people call it."""
    takes_complex: ClassVar[bool] = False
    """The real part is all it keeps, so complex images are to be refused."""
    works_on_strips: ClassVar[bool] = False
    """A few rows of a slice are not the same problem: images are scaled by the whole slice's maximum."""
    returns_magnitude: ClassVar[bool] = True
    """The result is real; it may dip slightly below 0."""
    needs_image_crop: ClassVar[bool] = False
    """Any size is taken."""

    def __init__(self, layers: int = 9, width: int = 32) -> None:
        super().__init__()
        if layers < 1 or width < 1:
            raise ValueError("An ISTA-Net+ needs at least 1 layer and 1 channel.")
        self.fcs = nn.ModuleList(ISTALayer(width) for _ in range(layers))
        self.auxiliary_loss: Tensor | None = None

    def forward(
        self, kspace: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), maps: Tensor | None = None
    ) -> Tensor:
        """Image from the measured k-space of a real, non-negative image.

        Upstream's images are in [0, 1]. The true maximum is unknown when reconstructing, so the real part of the
        zero-filled image is divided by its own maximum, slice by slice, and the result multiplied by it.

        Parameters
        ----------
        kspace
            ``(batch, y, x)`` complex, transformed along `axes`, zero where not measured, DC in the centre.
        mask
            Bool, broadcastable to ``(batch, y, x)``, DC in the centre.
        axes
            See `DataConsistency.forward`.
        maps
            Not used: combine coils first.

        Returns
        -------
        image
            ``(batch, y, x)`` float32, in the units of the zero-filled image.

        Raises
        ------
        ValueError
            If k-space has a coil axis.
        """
        if kspace.ndim != 3:
            raise ValueError(
                "ISTA-Net+ knows a single coil; combine the coils first, or choose a network such as VarNet."
            )
        image = inverse_fourier(kspace, axes).real
        peak = image.amax((-2, -1), keepdim=True)
        peak = torch.where(peak > 0, peak, 1)  # an empty slice stays empty
        centred = mask.reshape((1,) * (3 - mask.ndim) + mask.shape)
        unshifted = torch.fft.ifftshift(centred, dim=tuple(axes))[:, None]
        refined, residuals = self.unfold(image[:, None] / peak[:, None], unshifted, axes, with_residuals=self.training)
        self.auxiliary_loss = None
        if self.training:
            misfits = [residual.to(image.dtype).square().mean() for residual in residuals]
            self.auxiliary_loss = _SYMMETRY_WEIGHT * torch.stack(misfits).sum()
        return refined[:, 0] * peak

    def unfold(
        self, zero_filled: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), *, with_residuals: bool = True
    ) -> tuple[Tensor, list[Tensor]]:
        """The network itself, as upstream calls it.

        Parameters
        ----------
        zero_filled
            ``(batch, 1, y, x)`` real, see `real_part_measured`.
        mask
            Broadcastable to it, **DC at [0, 0]**.
        axes
            Those that the mask runs along.
        with_residuals
            Compute the symmetry residuals; they cost two of eight convolutions and matter in training only.

        Returns
        -------
        image
            ``(batch, 1, y, x)`` real.
        residuals
            One ``(batch, width, y, x)`` per layer, or none.
        """
        image, residuals = zero_filled, []
        for layer in self.fcs:
            image, residual = layer(image, zero_filled, mask, axes, with_residuals)
            if residual is not None:
                residuals.append(residual)
        return image, residuals


class ISTALayer(nn.Module):
    """One iteration: a gradient step towards the measurement, then soft thresholding in the learned transform."""

    bare_kernels: ClassVar[tuple[str, ...]] = (
        "conv_D", "conv1_forward", "conv2_forward", "conv1_backward", "conv2_backward", "conv_G",
    )  # fmt: skip
    """Names of the parameters that are kernels ``(out, in, y, x)`` without a layer around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lambda_step = nn.Parameter(torch.empty(1))
        self.soft_thr = nn.Parameter(torch.empty(1))
        self.conv_D = nn.Parameter(torch.empty(width, 1, 3, 3))
        self.conv1_forward = nn.Parameter(torch.empty(width, width, 3, 3))
        self.conv2_forward = nn.Parameter(torch.empty(width, width, 3, 3))
        self.conv1_backward = nn.Parameter(torch.empty(width, width, 3, 3))
        self.conv2_backward = nn.Parameter(torch.empty(width, width, 3, 3))
        self.conv_G = nn.Parameter(torch.empty(1, width, 3, 3))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin anew: the paper's step and threshold, kernels after Glorot & Bengio."""
        nn.init.constant_(self.lambda_step, 0.5)
        nn.init.constant_(self.soft_thr, 0.01)
        for name in self.bare_kernels:
            nn.init.xavier_normal_(getattr(self, name))

    def forward(
        self, image: Tensor, zero_filled: Tensor, mask: Tensor, axes: Sequence[int], with_residual: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Next image and, where wanted, how far the backward transform is from undoing the forward one."""
        stepped = image - self.lambda_step * real_part_measured(image, mask, axes) + self.lambda_step * zero_filled
        features = _convolve(stepped, self.conv_D)
        sparse = _convolve(torch.relu(_convolve(features, self.conv1_forward)), self.conv2_forward)
        kept = sparse.sign() * torch.relu(sparse.abs() - self.soft_thr)
        first, second = self.conv1_backward, self.conv2_backward
        correction = _convolve(_convolve(torch.relu(_convolve(kept, first)), second), self.conv_G)
        if not with_residual:
            return stepped + correction, None
        return stepped + correction, _convolve(torch.relu(_convolve(sparse, first)), second) - features


def real_part_measured(image: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1)) -> Tensor:
    """Real part of what the measurement keeps of a real image, and its own adjoint.

    Plain, unshifted FFTs: shifting image and k-space before and after would change nothing but the time it takes, as
    long as the mask is shifted with k-space.

    Parameters
    ----------
    image
        Real, any shape.
    mask
        Broadcastable to it, DC at index 0 of `axes`.
    axes
        Axes to transform.
    """
    kept: Tensor = torch.fft.ifftn(mask * torch.fft.fftn(image, dim=tuple(axes)), dim=tuple(axes))
    return kept.real


def _convolve(features: Tensor, kernels: Tensor) -> Tensor:
    return functional.conv2d(features, kernels, padding=1)
