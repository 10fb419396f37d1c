"""What the "Load scan" dock has to know about a layer before it can be undersampled."""

from dataclasses import dataclass
from typing import Any

from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.support import measured_support
from napari_mritransfer.widgets.layers import acquired_scan

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
        ``(ky, kx)`` lines that hold signal.
    """

    layer: Any
    data: Any
    scan: Scan | None = None
    support: tuple[int, int] = (0, 0)
    problem: str = ""

    @property
    def facts(self) -> str:
        """Matrix, voxel size, orientation and origin in words; empty without a scan."""
        if self.scan is None:
            return ""
        frames, slices, height, width = self.scan.image.shape
        slice_mm, y_mm, x_mm = self.scan.spacing_mm
        parts = [
            f"{width} × {height} matrix, {_counted(slices, 'slice')}" + (f", {frames} frames" if frames > 1 else ""),
            f"voxels {x_mm:.2f} × {y_mm:.2f} × {slice_mm:.2f} mm",
            self.scan.orientation,
            _ORIGINS[self.scan.origin],
        ]
        return "; ".join(parts) + "."


def examine(layer: Any) -> Examination:
    """Look through a layer; takes up to a second for a long series, so that it is done in a thread of napari's."""
    data = layer.data
    try:
        scan = acquired_scan(layer)
    except BadInput as error:
        return Examination(layer, data, problem=str(error))
    return Examination(layer, data, scan, (measured_support(scan.image, 2), measured_support(scan.image, 3)))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
