"""Target scans to training examples and validation measurements, reproducible from a seed and a step number."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_mritransfer.physics.fourier import fourier, inverse_fourier
from napari_mritransfer.physics.masks import MaskKind, make_on_plane
from napari_mritransfer.physics.phase import smooth_phase
from napari_mritransfer.physics.undersampling import Measurement, PhaseEncode
from napari_mritransfer.recon.hybrid import phase_encode_last
from napari_mritransfer.recon.network import cropped
from napari_mritransfer.recon.scaling import intensity_scale
from napari_mritransfer.training.config import SSIM_WINDOW, BadConfig, FinetuneConfig, Loss
from napari_mritransfer.training.slices import evenly_spaced, share_evenly, tissue_slices, validation_scans
from napari_mritransfer.training.target import TargetScan

# seeds of a job: each takes as long as a step to draw, and is remembered
_POISSON_DISCS = (1, 65)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One batch scaled to about 1, in hybrid space, or in k-space where masks choose samples of the plane.

    Attributes
    ----------
    kspace
        ``(batch, rows, lines)`` complex64, zero where not measured; with several coils ``(batch, coil, rows, lines)``.
    mask
        ``(batch, 1, lines)`` or ``(batch, rows, lines)`` bool.
    target
        ``(batch, rows, lines)`` complex64 image: fully sampled, without added noise.
    maps
        ``(batch, coil, rows, lines)`` sensitivity maps; None for one coil.
    axes
        Of `kspace`, those that are k-space.
    """

    kspace: Tensor
    mask: Tensor
    target: Tensor
    maps: Tensor | None = None
    axes: tuple[int, ...] = (-1,)

    def to(self, device: torch.device) -> "Examples":
        """The same on a device."""
        maps = None if self.maps is None else self.maps.to(device)
        return Examples(self.kspace.to(device), self.mask.to(device), self.target.to(device), maps, self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingSlices:
    """The target slices of one scan, phase encode last; as they are shown where masks choose samples of the plane.

    Attributes
    ----------
    noisy
        ``(slice, rows, lines)`` or ``(slice, coil, rows, lines)`` complex64 images, with the added noise.
    clean
        ``(slice, rows, lines)`` complex64 image without it.
    maps
        ``(slice, coil, rows, lines)``; None for one coil.
    measurable
        Bool, broadcastable to ``(rows, lines)``, what can be measured: all but for partial Fourier.
    matrix, crop
        ``(rows, lines)`` that images are shown on, and cropped to after sampling; `crop` None where they are not.
    """

    noisy: Tensor
    clean: Tensor
    maps: Tensor | None
    measurable: Tensor
    matrix: tuple[int, int]
    crop: tuple[int, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class TargetData:
    """All a job reads from disk: slices to learn from, measurements to be judged on, and what to say about them.

    Attributes
    ----------
    is_simulated
        Whether any k-space was made from an image rather than measured.
    """

    training: tuple[TrainingSlices, ...]
    validation: tuple[Measurement, ...]
    warnings: tuple[str, ...]
    is_simulated: bool

    def draw(self, config: FinetuneConfig, step: int, share: slice = slice(None)) -> Examples:
        """The examples of one step; the same for the same seed and step, whatever was drawn before.

        Parameters
        ----------
        share
            The part of the batch to compute, where several devices share it.
        """
        rng = np.random.default_rng((config.seed, step))
        sizes = np.array([len(scan.noisy) for scan in self.training], dtype=float)
        scan = self.training[rng.choice(len(self.training), p=sizes / sizes.sum())]
        batch = config.batch
        chosen = torch.from_numpy(rng.integers(len(scan.noisy), size=batch))[share]
        noisy, clean = scan.noisy[chosen], scan.clean[chosen]
        maps = None if scan.maps is None else scan.maps[chosen]
        for axis in (-2, -1):
            if rng.random() < 0.5:
                noisy, clean = noisy.flip(axis), clean.flip(axis)
                maps = None if maps is None else maps.flip(axis)
        rows, lines = noisy.shape[-2:]
        axes = (-2, -1) if config.pattern.is_plane else (-1,)
        pool = _POISSON_DISCS if config.pattern.kind == MaskKind.POISSON_DISC else (0, 2**31)
        patterns = [
            replace(config.pattern, seed=int(rng.integers(*pool)), offset=int(rng.integers(lines)))
            for _ in range(batch)
        ]
        masks = [make_on_plane(pattern, (rows, lines), "x").on_plane("x") for pattern in patterns[share]]
        mask = torch.from_numpy(np.stack(masks)) & scan.measurable
        if config.smooth_phase:
            seeds = rng.integers(2**31, size=batch).tolist()[share]
            phasors = torch.stack([smooth_phase((rows, lines), seed) for seed in seeds])
            noisy, clean = noisy * phasors, clean * phasors
        coil_mask = mask[:, None] if noisy.ndim == 4 else mask
        kspace = torch.where(coil_mask, fourier(noisy, axes), 0)
        if scan.crop is not None:
            readout = tuple(axis for axis in (-2, -1) if axis not in axes)
            whole = fourier(kspace, readout) if readout else kspace
            kspace = cropped(whole, scan.matrix, scan.crop)
            kspace = inverse_fourier(kspace, readout) if readout else kspace
            clean = inverse_fourier(cropped(fourier(clean), scan.matrix, scan.crop))
            rows, maps = scan.crop[0], None
        scale = intensity_scale(kspace, axes)
        height = config.strip_rows if config.strip_rows and not config.pattern.is_plane else rows
        starts = rng.integers(max(1, rows - height + 1), size=batch).tolist()[share]
        strips = [slice(start, start + height) for start in starts]

        def cut(images: Tensor) -> Tensor:
            return torch.stack([image[..., strip, :] for image, strip in zip(images, strips, strict=True)])

        kspace = cut(kspace) / (scale if kspace.ndim == 3 else scale[:, None])
        return Examples(kspace, mask, cut(clean) / scale, None if maps is None else cut(maps), axes)


def load_target(
    config: FinetuneConfig, before_each: Callable[[], None] = lambda: None, *, crop_images: bool = False
) -> TargetData:
    """Read the scans of a job.

    Parameters
    ----------
    before_each
        Called before each scan is read; may raise to give up.
    crop_images
        Crop the images of raw scans to the part that is shown before a network sees them.

    Raises
    ------
    UnreadableScan
        If a file cannot be read.
    BadConfig
        If no slice is left to train or to validate on, or the sampling does not fit the scans.
    """
    warnings: list[str] = []
    training: list[TrainingSlices] = []
    is_simulated = False
    taught: dict[Path, set[int]] = {}  # by resolved path: a scan may be named in two ways, or twice
    counts = share_evenly(config.slices, len(config.train)) if isinstance(config.slices, int) else None
    for number, path in enumerate(config.train):
        before_each()
        target = TargetScan.read(path, config)
        warnings += [warning for warning in target.warnings if warning not in warnings]
        is_simulated |= target.is_simulated
        if counts is None:
            assert not isinstance(config.slices, int)
            chosen = _picked(path, config.slices, len(target.magnitude))
        else:
            chosen = evenly_spaced(tissue_slices(target.magnitude), counts[number])
            if len(chosen) < counts[number]:
                warnings.append(f"{path} has only {len(chosen)} slices with tissue to train on.")
        if chosen:
            taught.setdefault(Path(path).resolve(), set()).update(chosen)
            training.append(_training_slices(target, chosen, config, number, crop_images=crop_images))
    if not training:
        raise BadConfig("No training slice shows any tissue; choose other slices or another training scan.")
    scans, warning = validation_scans(
        [path for path in config.train if Path(path).resolve() in taught], config.validation
    )
    warnings += [warning] if warning else []
    validation = _validation(scans, taught, config, before_each)
    return TargetData(tuple(training), validation, tuple(warnings), is_simulated)


def _picked(path: str, slices: tuple[int, ...], available: int) -> list[int]:
    outside = [index for index in slices if not 0 <= index < available]
    if outside:
        raise BadConfig(f"{path} has slices 0 to {available - 1}, so there is no slice {outside[0]} to train on.")
    return list(slices)


def _training_slices(
    scan: TargetScan, slices: list[int], config: FinetuneConfig, number: int, *, crop_images: bool
) -> TrainingSlices:
    plain = replace(config, smooth_phase=False)  # drawn anew for every example
    # of lines whatever the pattern: at the full rate all are the same, and these are whole at once
    everything = replace(config.pattern, kind=MaskKind.RANDOM, rate=1.0)
    full = scan.measure(slices, everything, plain, config.seed + number)
    # says now, in one sentence, if the pattern does not fit; and coil maps must come from its centre, not from all
    part = scan.measure(slices, config.pattern, plain, config.seed + number)
    if config.loss is Loss.L1_SSIM and min(full.kspace.shape[-2:]) < SSIM_WINDOW:
        raise BadConfig(f"SSIM needs at least {SSIM_WINDOW}x{SSIM_WINDOW} voxels; choose the loss 'l1' or 'mse'.")
    assert part.reference is not None
    matrix, crop = part.matrix, part.crop if crop_images else None
    measurable = full.mask.on_plane(scan.phase_encode)
    if config.pattern.is_plane:
        axis: PhaseEncode = "x"  # slices lie as they are shown, as they do when they are reconstructed
    else:
        axis = scan.phase_encode
        measurable = np.atleast_2d(measurable.any(1 if axis == "y" else 0))
    maps = None if part.maps is None else phase_encode_last(part.maps, axis).contiguous()
    if axis == "y":
        matrix, crop = matrix[::-1], None if crop is None else crop[::-1]
    return TrainingSlices(
        phase_encode_last(inverse_fourier(full.kspace)[0], axis).contiguous(),
        phase_encode_last(part.reference[0], axis).contiguous(),
        maps,
        torch.from_numpy(measurable),
        matrix,
        crop,
    )


def _validation(
    scans: list[str], taught: dict[Path, set[int]], config: FinetuneConfig, before_each: Callable[[], None]
) -> tuple[Measurement, ...]:
    measurements = []
    for path, count in zip(scans, share_evenly(max(config.validation_slices, len(scans)), len(scans)), strict=True):
        before_each()
        target = TargetScan.read(path, config)
        forbidden = taught.get(Path(path).resolve(), set())
        candidates = [int(i) for i in tissue_slices(target.magnitude) if int(i) not in forbidden]
        if candidates:
            chosen = evenly_spaced(candidates, count)
            # a noise realisation of its own: training slices of the same scan must not share it
            measurements.append(target.measure(chosen, config.pattern, config, config.seed + 10_000))
    if not measurements:
        raise BadConfig("No slice is left to validate on; train on fewer slices or add a validation scan.")
    return tuple(measurements)
