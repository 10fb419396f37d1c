"""What the "Load scan" dock has to know about a layer before it can be undersampled."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.honesty.finding import Finding
from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.physics.extent import has_holes, inside_box, measured_lines
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.physics.support import measured_support
from napari_mritransfer.widgets.layers import acquired_scan

_AXES: tuple[Literal["y"], Literal["x"]] = ("y", "x")
_ORIGINS = {
    Origin.RAW: "raw data",
    Origin.MAGNITUDE: "magnitude image",
    Origin.COIL_COMBINED: "complex image, coils combined",
    Origin.SIMULATED: "simulated",
}


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """A layer's scan, looked through once.

    Attributes
    ----------
    layer
        The napari layer.
    data
        The layer's voxels when it was looked at: the findings hold as long as it shows these.
    scan
        None where the layer cannot be used; `problem` says why, in one sentence.
    support
        ``(ky, kx)`` lines that hold signal; of raw k-space, those of the box that was measured.
    problem
        Empty with a scan.
    sampled
        ``(ky, kx)`` bool, what was measured of the scan's own k-space; None of an image.
    noise
        How noisy its k-space is, or why nobody knows, in one sentence; empty of an image.
    findings
        What a reviewer would ask; None as long as nobody has looked.
    """

    layer: Any
    data: Any
    scan: Scan | None = None
    support: tuple[int, int] = (0, 0)
    problem: str = ""
    sampled: NDArray[np.bool_] | None = None
    noise: str = ""
    findings: tuple[Finding, ...] | None = None

    @property
    def kspace(self) -> KSpace | None:
        """The scan's own k-space."""
        return None if self.scan is None else self.scan.kspace

    @property
    def inside(self) -> NDArray[np.bool_] | None:
        """`sampled` without what was only zero-padded around it."""
        return None if self.sampled is None else inside_box(self.sampled, self.support)

    @property
    def was_undersampled(self) -> bool:
        """Whether samples are missing amid those of its own k-space."""
        return self.sampled is not None and has_holes(self.sampled)

    @property
    def is_scattered(self) -> bool:
        """Whether samples were chosen over the plane rather than line by line, so that no axis is the phase encode."""
        inside = self.inside
        return inside is not None and not any(measured_lines(inside, axis)[1] for axis in _AXES)

    @property
    def facts(self) -> str:
        """Matrix, voxel size, orientation and origin in words; empty without a scan."""
        if self.scan is None:
            return ""
        frames, slices, height, width = self.scan.image.shape
        slice_mm, y_mm, x_mm = self.scan.spacing_mm
        parts = [
            f"{width} × {height} matrix, {counted(slices, 'slice')}" + (f", {frames} frames" if frames > 1 else ""),
            f"voxels {x_mm:.2f} × {y_mm:.2f} × {slice_mm:.2f} mm",
            self.scan.orientation,
            _ORIGINS[self.scan.origin],
        ]
        return "; ".join(parts) + "."


def examine(layer: Any) -> Examination:
    """Look through a layer; takes up to a second for a long series, so that it is done in a thread of napari's.

    Of k-space that is read slice by slice a few slices are looked at.
    """
    data = layer.data
    try:
        scan = acquired_scan(layer)
        if scan.kspace is not None:
            return _examined_kspace(layer, data, scan, scan.kspace)
    except BadInput as error:
        return Examination(layer, data, problem=str(error))
    return Examination(layer, data, scan, (measured_support(scan.image, 2), measured_support(scan.image, 3)))


def _examined_kspace(layer: Any, data: Any, scan: Scan, kspace: KSpace) -> Examination:
    sampled = kspace.measured()
    try:
        box = kspace.box()
    except ValueError as error:
        return Examination(layer, data, problem=str(error))
    return Examination(layer, data, scan, box, sampled=sampled, noise=_noise(kspace, sampled))


def _noise(kspace: KSpace, sampled: NDArray[np.bool_]) -> str:
    index = kspace.shape[1] // 2
    samples = kspace.slice(0, index)
    sigma = noise_sigma(samples, sampled)
    if not sigma.any():
        return "Noise: none can be estimated, for the outermost samples are zero, as in simulated data."
    middle, brightest = float(np.median(sigma)), float(kspace.root_sum_of_squares(0, index).max())
    spread = f" ({sigma.min():.2g} to {sigma.max():.2g} by coil)" if len(sigma) > 1 else ""
    return (
        f"Noise: about {middle:.2g} in each coil{spread}, judged by the outermost samples of slice {index}; the "
        f"brightest voxel there is {brightest / middle:,.0f} times that."
    )


def counted(count: int, noun: str) -> str:
    """``1 slice``, ``2 slices``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
