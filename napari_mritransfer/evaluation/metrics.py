"""PSNR, SSIM and NMSE of a reconstruction, in the foreground and over the whole image, with their convention."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from napari_mritransfer.evaluation.region import FOREGROUND_RULE, as_magnitude, foreground

__all__ = ["Convention", "Evaluation", "Peak", "RegionScores", "Summary", "evaluate", "foreground"]

_SSIM_WINDOW = 7


class Peak(StrEnum):
    """What PSNR and SSIM call full scale; the values are what users type and read."""

    VOLUME = "volume"
    SLICE = "slice"


@dataclass(frozen=True, slots=True)
class Convention:
    """How the numbers were made: they mean nothing without it.

    One image pair gives SSIM from 0.535 to 0.548 in four libraries, and a peak taken per slice moves PSNR by several
    dB, so this travels with every number.
    """

    peak: Peak = Peak.VOLUME
    psnr: str = "10 log10(peak² / mean squared error), in dB; the whole-stack value always takes the volume maximum"
    ssim: str = (
        "scikit-image structural_similarity, 7x7 uniform window, K1 0.01, K2 0.03, sample covariance, "
        "data range = peak; foreground: mean of the SSIM map over the mask"
    )
    nmse: str = "squared error over squared reference, both summed over the region"
    magnitude: str = "computed on magnitude images"
    intensity: str = "taken as reconstructed, no scale or offset fitted to the reference"
    foreground: str = FOREGROUND_RULE
    slices: str = "mean and sample SD over slices; slices without reference signal in the region are left out"
    data: str = "images as given"


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over one region.

    Attributes
    ----------
    volume
        Over the whole stack at once, slices without signal included (SSIM: its voxels' mean over the counted slices).
    mean, sd
        Over the counted slices, each slice weighing the same; sample standard deviation (n - 1), 0 for one slice.
    slices
        One value per counted slice, in order.

    PSNR of an exact copy is ``inf``. One such slice makes the mean ``inf``; the SD is then 0 if all are exact and
    ``inf`` if only some are. Nothing here is ever NaN.
    """

    volume: float
    mean: float
    sd: float
    slices: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RegionScores:
    """PSNR in dB, SSIM at most 1, NMSE at least 0 (0 is perfect), all over the same voxels.

    `counted` holds the indices of the slices that the values in ``psnr.slices`` and so on belong to.
    """

    psnr: Summary
    ssim: Summary
    nmse: Summary
    counted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One reconstruction against its reference; `foreground` holds the headline numbers."""

    foreground: RegionScores
    whole: RegionScores
    convention: Convention


@dataclass(frozen=True, slots=True)
class _SliceSums:
    """What one slice adds to one region; images are in units of the volume maximum."""

    voxels: int
    error: float
    energy: float
    ssim: float
    peak: float


def evaluate(
    reference: NDArray[np.generic],
    reconstruction: NDArray[np.generic],
    mask: NDArray[np.bool_] | None = None,
    *,
    peak: Peak = Peak.VOLUME,
    mask_rule: str = "mask given with the reference",
    data: str = "images as given",
) -> Evaluation:
    """Compare a reconstruction with the fully sampled reference, intensities as they are.

    Parameters
    ----------
    reference
        ``(slice, y, x)`` real magnitude, in-plane at least 7 by 7, any unit.
    reconstruction
        Same shape and unit. Nothing is rescaled: a reconstruction at half the brightness is a wrong one.
    mask
        ``(slice, y, x)`` bool, the foreground; `foreground(reference)` if None.
    peak
        Full scale of PSNR and SSIM: the maximum of the reference volume (as in fastMRI) or of each of its slices.
    mask_rule
        How a given `mask` was made, for the convention.
    data
        Where the images come from, for the convention: simulated k-space has to be called so.

    Returns
    -------
    evaluation
        A slice counts in a region where the reference has signal there; air-only slices have neither NMSE nor a
        slice peak and would otherwise decide the mean.

    Raises
    ------
    ValueError
        If an image is complex, not finite, not (slice, y, x), under 7 by 7 or of another shape than the reference;
        if the reference is zero everywhere; if the mask is not boolean or covers no signal.

    References
    ----------
    Zbontar et al.: fastMRI, arXiv:1811.08839, section 6 (metrics). Wang et al.: IEEE Trans Image Process 2004, 13:600.
    """
    truth = as_magnitude(reference, "reference")
    image = as_magnitude(reconstruction, "reconstruction")
    _check_pair(truth, image)
    rule = FOREGROUND_RULE if mask is None else mask_rule
    mask = foreground(truth) if mask is None else _checked_mask(mask, truth)
    scale = float(truth.max())
    inside: list[_SliceSums] = []
    everywhere: list[_SliceSums] = []
    for plane, other, region in zip(truth, image, mask, strict=True):
        # float64 in units of the volume maximum: no overflow for raw scanner units, no underflow for 1e-9 images.
        exact, approximate = plane.astype(np.float64) / scale, other.astype(np.float64) / scale
        slice_peak = 1.0 if peak is Peak.VOLUME else float(exact.max())
        ssim, ssim_map = _ssim(exact, approximate, slice_peak)
        squared_error, squared = (approximate - exact) ** 2, exact**2
        everywhere.append(_SliceSums(exact.size, squared_error.sum(), squared.sum(), ssim, slice_peak))
        inside.append(
            _SliceSums(
                int(region.sum()),
                squared_error[region].sum(),
                squared[region].sum(),
                float(ssim_map[region].mean()) if region.any() else math.nan,
                slice_peak,
            )
        )
    convention = Convention(peak=peak, foreground=rule, data=data)
    return Evaluation(_region_scores(inside), _region_scores(everywhere), convention)


def _check_pair(truth: NDArray[np.floating], image: NDArray[np.floating]) -> None:
    if truth.shape != image.shape:
        raise ValueError(
            f"The reconstruction has shape {image.shape}, the reference {truth.shape}; "
            "crop or resample one of them so that voxels correspond."
        )
    if min(truth.shape[1:]) < _SSIM_WINDOW:
        raise ValueError(f"Slices of {truth.shape[1]}x{truth.shape[2]} voxels are smaller than the 7x7 window of SSIM.")
    if not truth.max() > 0:
        raise ValueError("The reference is zero everywhere: choose slices with signal.")


def _checked_mask(mask: NDArray[np.bool_], truth: NDArray[np.floating]) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    if mask.dtype != np.bool_ or mask.shape != truth.shape:
        raise ValueError(f"The mask must be boolean of shape {truth.shape}, not {mask.dtype} of shape {mask.shape}.")
    if not np.any(truth[mask]):
        raise ValueError("The mask covers no signal of the reference. Check that it belongs to this reference.")
    return mask


def _ssim(
    exact: NDArray[np.float64], approximate: NDArray[np.float64], peak: float
) -> tuple[float, NDArray[np.float64]]:
    """Mean as scikit-image reports it (3 border voxels left out) and the map; NaN where the peak is 0."""
    if not peak > 0:
        return math.nan, np.full(exact.shape, np.nan)
    ssim, ssim_map = structural_similarity(
        exact,
        approximate,
        win_size=_SSIM_WINDOW,
        data_range=peak,
        gaussian_weights=False,
        use_sample_covariance=True,
        K1=0.01,
        K2=0.03,
        full=True,
    )
    return float(ssim), ssim_map


def _region_scores(sums: Sequence[_SliceSums]) -> RegionScores:
    counted = [one for one in sums if one.energy > 0]
    voxels = sum(one.voxels for one in sums)
    error = sum(one.error for one in sums)
    energy = sum(one.energy for one in sums)
    ssim = sum(one.ssim * one.voxels for one in counted) / sum(one.voxels for one in counted)
    return RegionScores(
        psnr=_summary(_psnr(error / voxels, 1.0), [_psnr(one.error / one.voxels, one.peak) for one in counted]),
        ssim=_summary(ssim, [one.ssim for one in counted]),
        nmse=_summary(error / energy, [one.error / one.energy for one in counted]),
        counted=tuple(index for index, one in enumerate(sums) if one.energy > 0),
    )


def _psnr(mean_squared_error: float, peak: float) -> float:
    if mean_squared_error == 0:
        return math.inf
    return 10 * math.log10(peak**2 / mean_squared_error)


def _summary(volume: float, slices: Sequence[float]) -> Summary:
    values = tuple(float(value) for value in slices)
    if math.inf in values:
        sd = 0.0 if all(value == math.inf for value in values) else math.inf
        return Summary(float(volume), math.inf, sd, values)
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Summary(float(volume), float(np.mean(values)), sd, values)
