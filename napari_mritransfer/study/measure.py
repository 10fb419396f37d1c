"""A scan under a sampling becomes a measurement; needs torch, unlike the sampling itself."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_mritransfer.io import Scan
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.compression import compress_coils
from napari_mritransfer.physics.extent import missing_along
from napari_mritransfer.physics.measured import measured
from napari_mritransfer.physics.phase import smooth_phase
from napari_mritransfer.physics.raw import (
    Acquired,
    as_measured,
    combined,
    simulated_coils,
    undersample_raw,
)
from napari_mritransfer.physics.undersampling import Measurement, PhaseEncode, support_of, undersample

if TYPE_CHECKING:
    from napari_mritransfer.study.sampling import Sampling

_HAS_PHASE = "This scan has a phase of its own; leave the simulated smooth phase out."
_FAINTEST = 1e-15  # powers and their products must stay above float32's 1e-38; scanners' smallest units are about 1e-9


def measure_image(scan: Scan, sampling: "Sampling") -> Measurement:
    """The measurement of a scan that is an image; see `Sampling.measure`.

    Raises
    ------
    ValueError
        If the pattern does not fit it, or it cannot be taken as measured.
    """
    axis = _axis(sampling, scan, None)
    image = torch.from_numpy(np.ascontiguousarray(scan.image))
    if sampling.virtual_coils or sampling.combine_coils:
        raise ValueError("An image has no coils to compress or to combine; leave that out, or open its raw data.")
    if sampling.as_measured:
        return measured(image, axis)
    support = support_of(image)
    if sampling.smooth_phase:
        if image.is_complex():
            raise ValueError(_HAS_PHASE)
        image = image * smooth_phase((image.shape[-2], image.shape[-1]), sampling.noise_seed)
    if sampling.simulated_coils:
        acquired = simulated_coils(
            image, sampling.simulated_coils, sampling.noise_seed,
            crop_to_support=sampling.crop_to_support, support=support,
        )  # fmt: skip
        return _left_out(acquired, axis, sampling)
    return undersample(
        image, sampling.pattern, phase_encode=axis, support=support,
        crop_to_support=sampling.crop_to_support, snr_db=sampling.snr_db, noise_seed=sampling.noise_seed,
    )  # fmt: skip


def measure_raw(scan: Scan, kspace: KSpace, sampling: "Sampling") -> Measurement:
    """The measurement of a scan that holds k-space; see `Sampling.measure`.

    Raises
    ------
    UnreadableScan
        If the k-space cannot be read, or not at once.
    ValueError
        If the pattern does not fit it, or lines are missing that would have to be there.
    """
    if sampling.simulated_coils:
        raise ValueError("This scan holds k-space already, so coils are not simulated; leave them out.")
    if sampling.smooth_phase:
        raise ValueError(_HAS_PHASE)
    sampled = kspace.measured()
    axis = _axis(sampling, scan, missing_along(sampled))
    samples = torch.from_numpy(kspace.array())
    strongest = max(abs(float(end)) for end in torch.view_as_real(samples).aminmax())  # takes no memory of its own
    if 0 < strongest < _FAINTEST:
        raise ValueError(
            f"The strongest sample of this k-space is {strongest:.1g}, too small to compute with in float32; multiply "
            "the samples before saving them."
        )
    acquired = Acquired.of(
        samples, sampled,
        reached=kspace.box(), cut=sampling.crop_to_support, crop=kspace.image_matrix,
    )  # fmt: skip
    if 0 < sampling.virtual_coils < kspace.n_coils:
        compressed, _ = compress_coils(acquired.kspace, sampling.virtual_coils)
        acquired = replace(acquired, kspace=compressed)
    if sampling.as_measured:
        return as_measured(acquired, axis)
    if sampling.combine_coils:
        acquired = combined(acquired)
    return _left_out(acquired, axis, sampling)


def _left_out(acquired: Acquired, axis: PhaseEncode, sampling: "Sampling") -> Measurement:
    return undersample_raw(acquired, sampling.pattern, axis, snr_db=sampling.snr_db, noise_seed=sampling.noise_seed)


def _axis(sampling: "Sampling", scan: Scan, found: PhaseEncode | None) -> PhaseEncode:
    """What the user says, else the file, else what the empty lines show, else y."""
    named = sampling.phase_encode or scan.phase_encode or found or "y"
    return "x" if named == "x" else "y"
