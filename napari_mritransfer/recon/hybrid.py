"""Hybrid space: image along the readout, k-space along the phase encode, so that every row is its own problem."""

from typing import Literal

from torch import Tensor

from napari_mritransfer.physics.fourier import inverse_fourier


def to_hybrid(kspace: Tensor, phase_encode: Literal["y", "x"]) -> Tensor:
    """``(…, ky, kx)`` k-space to ``(…, readout position, phase-encode line)``, complex."""
    readout = -1 if phase_encode == "y" else -2
    return phase_encode_last(inverse_fourier(kspace, (readout,)), phase_encode)


def phase_encode_last(image: Tensor, phase_encode: Literal["y", "x"]) -> Tensor:
    """``(…, y, x)`` with the phase-encode axis moved to the end; its own inverse."""
    return image.transpose(-2, -1) if phase_encode == "y" else image
