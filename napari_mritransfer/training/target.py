"""One target scan: what shows tissue, and simulated measurements of some of its slices."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.io import Origin, Scan, load
from napari_mritransfer.physics.extent import missing_along
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.physics.phase import smooth_phase
from napari_mritransfer.physics.raw import Acquired, undersample_raw
from napari_mritransfer.physics.undersampling import Measurement, PhaseEncode, assumed_axis, support_of, undersample
from napari_mritransfer.training.config import BadConfig, FinetuneConfig


@dataclass(frozen=True, slots=True, eq=False)
class TargetScan:
    """A file to learn from or to be judged on; slices are counted over all frames, one frame after the other.

    Attributes
    ----------
    scan
        As it was loaded; k-space is read slice by slice.
    magnitude
        ``(slice, y, x)`` float32.
    phase_encode
        Image axis the lines run along.
    support
        ``(ky, kx)`` lines of an image that hold signal; raw k-space tells by itself.
    warnings
        Remarks on it.
    """

    scan: Scan
    magnitude: NDArray[np.float32]
    phase_encode: PhaseEncode
    support: tuple[int, int] | None
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, path: str, config: FinetuneConfig) -> "TargetScan":
        """Load a scan.

        Raises
        ------
        UnreadableScan
            If it cannot be read.
        BadConfig
            If a phase would have to be simulated on top of its own.
        """
        scan = load(path)
        image = np.asarray(scan.image)
        known: PhaseEncode | None = config.phase_encode or scan.phase_encode
        support = None
        if config.smooth_phase and (scan.kspace is not None or np.iscomplexobj(image)):
            raise BadConfig(f"{path} has a phase of its own; leave the simulated smooth phase out.")
        if scan.kspace is None:
            support = support_of(torch.from_numpy(np.ascontiguousarray(image)))
        else:
            known = known or missing_along(scan.kspace.measured())
        phase_encode = known or "y"
        warnings = () if known else (assumed_axis(phase_encode),)
        magnitude = np.abs(image).reshape(-1, *image.shape[-2:]).astype(np.float32, copy=False)
        return cls(scan, magnitude, phase_encode, support, warnings)

    @property
    def is_simulated(self) -> bool:
        """Whether its k-space is made from an image."""
        return self.scan.kspace is None or self.scan.origin is Origin.SIMULATED

    def measure(self, slices: list[int], pattern: SamplingPattern, config: FinetuneConfig, seed: int) -> Measurement:
        """Simulated measurement of some slices, as one frame.

        Raises
        ------
        BadConfig
            If the pattern does not fit, or the scan cannot be undersampled any more.
        """
        try:
            if self.scan.kspace is not None:
                return undersample_raw(
                    self._acquired(slices, config), pattern, self.phase_encode, snr_db=config.snr_db, noise_seed=seed
                )
            image = self._image(slices)
            if config.smooth_phase:
                image = image * smooth_phase((image.shape[-2], image.shape[-1]), seed)
            return undersample(
                image, pattern, phase_encode=self.phase_encode, support=self.support,
                crop_to_support=config.crop_to_support, snr_db=config.snr_db, noise_seed=seed,
            )  # fmt: skip
        except ValueError as error:
            raise BadConfig(str(error)) from error

    def _image(self, slices: list[int]) -> Tensor:
        image = self.scan.image.reshape(-1, *self.scan.image.shape[-2:])
        return torch.from_numpy(np.ascontiguousarray(image[slices]))[None]

    def _acquired(self, slices: list[int], config: FinetuneConfig) -> Acquired:
        kspace = self.scan.kspace
        assert kspace is not None
        n_slices = kspace.shape[1]
        chosen = np.stack([kspace.slice(*divmod(index, n_slices)) for index in slices])[None]
        return Acquired.of(
            torch.from_numpy(chosen), kspace.measured(),
            reached=kspace.box(), cut=config.crop_to_support, crop=kspace.image_matrix,
        )  # fmt: skip
