"""fastMRI's end-to-end variational network, with the tensor names of its published weights."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_mritransfer.networks.unet import NormUNet
from napari_mritransfer.physics.fourier import fourier, inverse_fourier

_MOST_CASCADES = 32  # a stranger's file may ask for more than can be built in a reasonable time


class VarNet(nn.Module):
    """Unrolled reconstruction in k-space of all coils, with sensitivity maps that it estimates itself.

    Parameters
    ----------
    cascades
        Number of refinements, 1 to 32; upstream calls it ``num_cascades``.
    chans, pools
        Of the U-Net in each of them, see `UNet`.
    sens_chans, sens_pools
        Of the U-Net that cleans the sensitivity maps.
    mask_center
        Estimate the maps from the fully sampled centre alone; upstream's spelling, as in its settings.

    References
    ----------
    Sriram et al.: End-to-end variational networks, MICCAI 2020, arXiv:2004.06688; Hammernik et al., MRM 2018.
    """

    title: ClassVar[str] = "VarNet"
    """What people call it."""
    takes_complex: ClassVar[bool] = True
    """Complex images are what it computes with."""
    works_on_strips: ClassVar[bool] = False
    """A few rows of a slice are not the same problem: its norms and its maps look at the whole slice."""
    returns_magnitude: ClassVar[bool] = True
    """The result is the root-sum-of-squares over coils, real and never below 0."""
    needs_image_crop: ClassVar[bool] = False
    """The network takes the whole field of view; its result is cut to the reconstruction size, if at all."""
    takes_planes: ClassVar[bool] = False
    """Masks are of whole lines: the centre that maps are found in is a band of columns."""
    finds_own_maps: ClassVar[bool] = True
    """Sensitivity maps are its own."""

    def __init__(
        self,
        cascades: int = 12,
        chans: int = 18,
        pools: int = 4,
        sens_chans: int = 8,
        sens_pools: int = 4,
        *,
        mask_center: bool = True,
    ) -> None:
        super().__init__()
        if not 1 <= cascades <= _MOST_CASCADES:
            raise ValueError(f"A VarNet needs at least 1 cascade, and at most {_MOST_CASCADES}.")
        self.sens_net = SensitivityNet(sens_chans, sens_pools, mask_center=mask_center)
        self.cascades = nn.ModuleList(VarNetCascade(chans, pools) for _ in range(cascades))

    def forward(
        self, kspace: Tensor, mask: Tensor, axes: Sequence[int] = (-2, -1), maps: Tensor | None = None
    ) -> Tensor:
        """Magnitude image from measured k-space.

        Upstream's convention: k-space as it comes, unscaled (`NormUNet` finds the scale); no cropping.

        Parameters
        ----------
        kspace
            ``(batch, y, x)`` or ``(batch, coil, y, x)`` complex, transformed along `axes`, zero where not measured.
        mask
            Bool, broadcastable to ``(batch, y, x)``; the same for every row.
        axes
            See `DataConsistency.forward`; what is not in k-space yet is transformed here.
        maps
            Not used: this network estimates its own.

        Returns
        -------
        image
            ``(batch, y, x)`` float32.

        Raises
        ------
        ValueError
            If the mask differs from row to row.
        """
        missing = [axis for axis in (-2, -1) if axis not in axes]
        coils = kspace[:, None] if kspace.ndim == 3 else kspace
        return self.from_kspace(fourier(coils, missing) if missing else coils, _columns(mask))

    def from_kspace(self, kspace: Tensor, mask: Tensor, n_low_frequencies: int | None = None) -> Tensor:
        """The network itself, as upstream calls it.

        Parameters
        ----------
        kspace
            ``(batch, coil, y, x)`` complex, zero where not measured.
        mask
            ``(batch or 1, 1, 1, x)`` bool.
        n_low_frequencies
            Columns of the fully sampled centre; counted in the mask if None or 0.

        Returns
        -------
        image
            ``(batch, y, x)`` real.
        """
        maps = self.sens_net(kspace, mask, n_low_frequencies)
        refined = kspace
        for cascade in self.cascades:
            refined = cascade(refined, kspace, mask, maps)
        image: Tensor = torch.linalg.vector_norm(inverse_fourier(refined), dim=1)
        return image


class VarNetCascade(nn.Module):
    """One step: pull towards what was measured, and subtract what a U-Net sees on the combined image."""

    def __init__(self, chans: int, pools: int) -> None:
        super().__init__()
        self.model = NormUNet(chans, pools)
        self.dc_weight = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget how far to trust the measurement; the U-Net resets itself."""
        nn.init.ones_(self.dc_weight)

    def forward(self, kspace: Tensor, measured: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        """K-space after the step; every term uses the k-space that entered it.

        Parameters
        ----------
        kspace, measured, maps
            ``(batch, coil, y, x)`` complex.
        mask
            ``(batch or 1, 1, 1, x)`` bool.
        """
        consistency = self.dc_weight * torch.where(mask, kspace - measured, 0)
        combined = (maps.conj() * inverse_fourier(kspace)).sum(1)
        return kspace - consistency - fourier(maps * self.model(combined)[:, None])


class SensitivityNet(nn.Module):
    """Sensitivity maps from the fully sampled centre of k-space."""

    def __init__(self, chans: int, pools: int, *, mask_center: bool = True) -> None:
        super().__init__()
        self.mask_center = mask_center
        self.norm_unet = NormUNet(chans, pools)

    def forward(self, kspace: Tensor, mask: Tensor, n_low_frequencies: int | None = None) -> Tensor:
        """``(batch, coil, y, x)`` complex maps of unit root-sum-of-squares; parameters as in `VarNet.from_kspace`.

        Where no coil sees anything, upstream divides 0 by 0; here the maps are 0.
        """
        if self.mask_center:
            kspace = torch.where(_centre(mask, n_low_frequencies), kspace, 0)
        # every coil is an example of its own, with a normalisation of its own
        maps: Tensor = self.norm_unet(inverse_fourier(kspace).flatten(0, 1)).unflatten(0, kspace.shape[:2])
        strength = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
        return maps / torch.where(strength == 0, 1, strength)


def low_frequencies(mask: Tensor) -> Tensor:
    """Width of the fully sampled centre, as upstream counts it.

    Twice the shorter of the runs of measured columns left of ``x // 2`` and from there to the right, at least 1. A run
    that reaches the edge of k-space counts as 0, so that a fully sampled mask has a centre of 1; that is upstream's
    rule, and published weights were trained with it.

    Parameters
    ----------
    mask
        ``(…, x)`` bool.

    Returns
    -------
    columns
        ``(…)`` int64, even or 1.
    """
    middle = mask.shape[-1] // 2
    sides = mask[..., :middle].flip(-1), mask[..., middle:]
    left, right = (torch.where(side.all(-1), 0, side.int().cumprod(-1).sum(-1)) for side in sides)
    return (2 * torch.minimum(left, right)).clamp(min=1)


def _centre(mask: Tensor, n_low_frequencies: int | None) -> Tensor:
    """The columns to estimate maps from, in the mask's shape."""
    columns = mask.shape[-1]
    width = torch.full(mask.shape[:-1], n_low_frequencies) if n_low_frequencies else low_frequencies(mask)
    width = width.to(mask.device)[..., None]
    start = (columns - width + 1).div(2, rounding_mode="floor")
    position = torch.arange(columns, device=mask.device)
    return (position >= start) & (position < start + width)


def _columns(mask: Tensor) -> Tensor:
    """``(batch or 1, 1, 1, x)`` from a mask that broadcasts to ``(batch, y, x)``."""
    rows = mask[(None,) * (3 - mask.ndim)] if mask.ndim < 3 else mask
    if not torch.equal(rows, rows[:, :1].expand_as(rows)):
        raise ValueError(
            "VarNet takes masks of whole phase-encode lines, and this one differs from row to row; choose another mask "
            "or a network for two-dimensional ones, such as dccnn."
        )
    return rows[:, :1, None]
