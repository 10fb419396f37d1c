"""How a reference is undersampled for a comparison, and what casts doubt on the comparison before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_mritransfer.io import Scan
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.undersampling import Measurement, undersample
from napari_mritransfer.study.methods import Method
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.slices import subject_of


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the reference is undersampled; see `physics.undersampling.undersample`."""

    pattern: SamplingPattern = SamplingPattern()
    phase_encode: str | None = None
    crop_to_support: bool = True
    snr_db: float | None = None
    noise_seed: int = 0

    def measure(self, scan: Scan) -> Measurement:
        """The measurement of a scan.

        Raises
        ------
        BadConfig
            If the pattern does not fit it.
        """
        direction = self.phase_encode or scan.phase_encode or "y"
        if direction not in ("y", "x"):
            raise BadConfig(f"The phase-encode axis is y or x, not '{direction}'.")
        image = torch.from_numpy(np.ascontiguousarray(scan.image))
        try:
            return undersample(
                image, self.pattern, phase_encode="y" if direction == "y" else "x",
                crop_to_support=self.crop_to_support, snr_db=self.snr_db, noise_seed=self.noise_seed,
            )  # fmt: skip
        except ValueError as error:
            raise BadConfig(str(error)) from error


def doubts(methods: Sequence[Method], path: str, sampling: Sampling, measurement: Measurement) -> list[str]:
    """Sentences on runs that know the subject already, or were trained for another sampling than this one.

    Parameters
    ----------
    methods
        Those to be compared.
    path
        The reference.
    """
    found = []
    subject = subject_of(path)
    for method in methods:
        config = method.config
        if config is None:
            continue
        if subject in {subject_of(scan) for scan in (*config.train, *config.validation)}:
            found.append(f"{method.name} was trained or validated on this subject, so its numbers flatter it.")
        ours, theirs = sampling.pattern, config.pattern
        if (ours.kind, ours.rate) != (theirs.kind, theirs.rate):
            found.append(f"{method.name} was trained for {theirs.kind} masks at {theirs.rate:.0%} of the lines.")
        if config.phase_encode not in (None, measurement.phase_encode):
            found.append(f"{method.name} was trained for lines along {config.phase_encode}.")
    return found
