"""A complex image that was undersampled when it was acquired, back to the lines that were really measured."""

import torch
from torch import Tensor

from napari_mritransfer.physics.fourier import fourier
from napari_mritransfer.physics.masks import SamplingMask
from napari_mritransfer.physics.undersampling import Measurement, PhaseEncode

# Of the strongest line's norm. An image stored as complex64 and transformed back leaves some 1e-7 in lines that were
# never measured; the weakest measured lines of real scans, which hold noise at least, lie at 1e-4 and above.
_EMPTY = 32 * torch.finfo(torch.float32).eps
_DIFFERENT = 0.1  # of the measured lines: a slice may lack one by chance, not so many


def measured(image: Tensor, phase_encode: PhaseEncode) -> Measurement:
    """The measurement behind a zero-filled complex image.

    Parameters
    ----------
    image
        ``(frame, slice, y, x)`` complex: the inverse FFT of k-space in which lines that were not measured are zero.
        It must not have been filtered in the image domain, and every slice must have been measured on the same lines.
    phase_encode
        Image axis that the lines run along.

    Returns
    -------
    measurement
        On the image's own matrix, without reference: nobody knows what was left out.

    Raises
    ------
    ValueError
        If the image is not four-dimensional, real, or zero everywhere; the axis is not y or x; no line is empty; or
        slices were measured on different lines.
    """
    if image.ndim != 4:
        raise ValueError(f"An image has four axes (frame, slice, y, x), not {image.ndim}.")
    if phase_encode not in ("y", "x"):
        raise ValueError(f"The phase-encode axis is 'y' or 'x', not '{phase_encode}'.")
    if not image.is_complex():
        raise ValueError(
            "A magnitude image has lost its k-space, so what was measured cannot be read off it; open the complex "
            "image, or undersample this one."
        )
    kspace = fourier(image.to(torch.complex64))
    lines = _measured_lines(kspace, phase_encode)
    if lines.all():
        raise ValueError(
            f"Every k-space line along {phase_encode} holds signal, so nothing was left out there; choose the other "
            "phase-encode axis, or undersample the image instead."
        )
    kept = lines[:, None] if phase_encode == "y" else lines
    mask = SamplingMask(lines.cpu().numpy(), None, _note(lines))
    rows, columns = kspace.shape[-2:]
    return Measurement(torch.where(kept, kspace, 0), mask, phase_encode, (rows, columns), (rows, columns), None)


def _measured_lines(kspace: Tensor, phase_encode: PhaseEncode) -> Tensor:
    """``(n_lines,)`` bool, True where any slice holds more than rounding leaves."""
    readout = -1 if phase_encode == "y" else -2
    norms = torch.linalg.vector_norm(kspace, dim=readout, dtype=torch.complex128).flatten(0, 1)
    lines: Tensor = norms.amax(0) > _EMPTY * norms.max()
    if not lines.any():
        raise ValueError("The image is zero everywhere, so nothing was measured; choose another scan.")
    strongest = norms.amax(1, keepdim=True)
    lacking = (norms <= _EMPTY * strongest)[strongest[:, 0] > 0][:, lines]
    if (lacking.double().mean(1) > _DIFFERENT).any():
        raise ValueError(
            "The slices or frames were not all measured on the same lines; save those that were to a file of their own."
        )
    return lines


def _note(lines: Tensor) -> str:
    positions = lines.nonzero()[:, 0]
    if len(positions) <= int(positions[-1] - positions[0]):
        return ""
    return (
        "The measured lines form one block without a gap: partial Fourier and a scanner's interpolation look like "
        "this, so perhaps no line in between was left out."
    )
