"""Slice-by-slice reconstruction of a measurement with a network."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from napari_mritransfer.physics.undersampling import Measurement
from napari_mritransfer.recon.hybrid import phase_encode_last, to_hybrid
from napari_mritransfer.recon.precision import Autocast
from napari_mritransfer.recon.scaling import intensity_scale


class ReconstructionStopped(Exception):
    """The caller asked to stop between two slices."""


@torch.no_grad()
def reconstruct(
    measurement: Measurement,
    network: nn.Module,
    *,
    autocast: Autocast = nullcontext,
    on_slice: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Tensor:
    """Reconstruct every slice.

    Parameters
    ----------
    measurement
        On any device; slices travel to the network's.
    network
        Called as ``network(kspace, mask, axes)`` in hybrid space, see `DCCNN.forward`; put into evaluation mode.
    autocast
        Precision context around each forward pass.
    on_slice
        Told (slices done, all slices) after each one.
    should_stop
        Asked before each slice.

    Returns
    -------
    image
        ``(frame, slice, y, x)`` complex64 on the measurement's own matrix, on the CPU.

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.
    """
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    frames, slices = measurement.kspace.shape[:2]
    kspace = measurement.kspace.flatten(0, 1)
    mask = torch.from_numpy(measurement.mask.lines)[None, None].to(device)
    images: list[Tensor] = []
    for index in range(len(kspace)):
        if should_stop():
            raise ReconstructionStopped
        hybrid = to_hybrid(kspace[index : index + 1].to(device), measurement.phase_encode).contiguous()
        scale = intensity_scale(hybrid)
        with autocast():
            image = network(hybrid / scale, mask, (-1,))
        images.append(phase_encode_last(image * scale, measurement.phase_encode).cpu())
        if on_slice is not None:
            on_slice(index + 1, len(kspace))
    stack: Tensor = torch.cat(images).unflatten(0, (frames, slices))
    return stack
