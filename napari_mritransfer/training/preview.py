"""One slice to look at while a job runs."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.physics.undersampling import Measurement, as_shown, zero_filled
from napari_mritransfer.training.rundir import PREVIEW


def save_preview(folder: Path, measurement: Measurement, image: Tensor) -> None:
    """Write the middle slice: ``(3, y, x)`` float32 magnitudes of reference, zero-filled and reconstruction.

    Parameters
    ----------
    folder
        Run directory; the file in it is replaced in one go.
    measurement
        With its reference.
    image
        ``(frame, slice, y, x)`` complex reconstruction on the measurement's matrix.
    """
    assert measurement.reference is not None
    middle = image.shape[1] // 2
    planes = torch.stack([measurement.reference[0, middle], zero_filled(measurement)[0, middle], image[0, middle]])
    shown = as_shown(planes, measurement).abs().numpy().astype(np.float32)
    with replacing(folder / PREVIEW) as temporary:
        np.save(temporary, shown, allow_pickle=False)
