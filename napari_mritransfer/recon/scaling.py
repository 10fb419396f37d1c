"""One intensity scale per slice, taken from what was measured, so that networks see every scanner's units alike."""

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_mritransfer.physics.coils import root_sum_of_squares
from napari_mritransfer.physics.fourier import inverse_fourier

_QUANTILE = 0.99  # the maximum belongs to a single bright vessel or artefact


def intensity_scale(kspace: Tensor, axes: Sequence[int] = (-1,)) -> Tensor:
    """99th percentile of the zero-filled magnitude of each slice; 1 for an empty slice.

    Parameters
    ----------
    kspace
        ``(slice, y, x)`` complex, measured k-space along `axes` and image along the others; or
        ``(slice, coil, y, x)``, whose magnitude is the root sum of squares of the coils.
    axes
        ``(-1,)`` in hybrid space.

    Returns
    -------
    scale
        ``(slice, 1, 1)`` float32, above 0, in the units of the image.
    """
    image = inverse_fourier(kspace, axes)
    magnitude = (root_sum_of_squares(image) if image.ndim == 4 else image.abs()).flatten(1)
    rank = max(1, round(_QUANTILE * magnitude.shape[1]))
    scale = magnitude.kthvalue(rank, dim=1).values
    # a slice that is almost all air still has its brightest voxel; its air is rounding noise rather than zero
    brightest = magnitude.amax(dim=1)
    scale = torch.where(scale > 1e-3 * brightest, scale, brightest)
    return torch.where(scale > 0, scale, torch.ones_like(scale))[:, None, None]
