"""The one number a job steers by."""

from torch import Tensor

from napari_mritransfer.evaluation.metrics import evaluate
from napari_mritransfer.physics.undersampling import Measurement


def validation_psnr(measurement: Measurement, image: Tensor) -> float:
    """Mean over slices of PSNR in dB: foreground, peak = maximum of the measurement's slices.

    Parameters
    ----------
    measurement
        With its reference.
    image
        ``(frame, slice, y, x)`` complex, on the measurement's matrix.
    """
    assert measurement.reference is not None
    reference = measurement.reference.abs().flatten(0, 1).numpy()
    return evaluate(reference, image.abs().flatten(0, 1).numpy()).foreground.psnr.mean
