"""The one number a job steers by."""

from torch import Tensor

from napari_mritransfer.evaluation.metrics import evaluate
from napari_mritransfer.physics.undersampling import Measurement, as_shown


def validation_psnr(measurement: Measurement, image: Tensor) -> float:
    """Mean over slices of PSNR in dB: foreground, peak = maximum of the measurement's slices.

    Parameters
    ----------
    measurement
        With its reference.
    image
        ``(frame, slice, y, x)`` complex, on the measurement's matrix.
    """
    reference = measurement.reference
    assert reference is not None
    if measurement.crop is not None:  # what is cut away is not judged, and some networks leave it empty
        reference, image = as_shown(reference, measurement), as_shown(image, measurement)
    return evaluate(
        reference.abs().flatten(0, 1).numpy(), image.abs().flatten(0, 1).numpy()
    ).foreground.psnr.mean
