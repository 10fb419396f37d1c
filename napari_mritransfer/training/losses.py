"""What training minimises, on complex images scaled to about 1."""

import torch
from torch import Tensor
from torch.nn import functional

from napari_mritransfer.training.config import SSIM_WINDOW, Loss


def loss_value(kind: Loss, image: Tensor, target: Tensor) -> Tensor:
    """Mean loss of a batch.

    Parameters
    ----------
    kind
        ``L1`` and ``MSE`` act on real and imaginary parts; ``L1_SSIM`` adds one minus the SSIM of the magnitudes.
    image
        ``(batch, y, x)`` complex64, or the float32 magnitude, which is then judged by magnitude alone.
    target
        ``(batch, y, x)`` complex64.
    """
    difference = torch.view_as_real(image - target) if image.is_complex() else image - target.abs()
    if kind is Loss.MSE:
        return difference.square().mean()
    l1 = difference.abs().mean()
    return l1 if kind is Loss.L1 else l1 + 1 - ssim(image.abs(), target.abs())


def ssim(image: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity with a 7×7 uniform window; the data range is each target's maximum.

    Parameters
    ----------
    image, target
        ``(batch, y, x)`` magnitudes, at least 7×7.

    References
    ----------
    Wang et al., IEEE Trans Image Process 2004, 13:600; window and constants as in scikit-image's default.
    """
    peak = target.amax(dim=(-2, -1), keepdim=True).clamp_min(1e-6)[:, None]
    x, y = image[:, None], target[:, None]
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (
        functional.avg_pool2d(a, SSIM_WINDOW, stride=1) for a in (x, y, x * x, y * y, x * y)
    )
    unbiased = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    var_x, var_y = unbiased * (mean_xx - mean_x**2), unbiased * (mean_yy - mean_y**2)
    covariance = unbiased * (mean_xy - mean_x * mean_y)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return (numerator / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean()
