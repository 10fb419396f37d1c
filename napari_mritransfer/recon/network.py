"""Reconstruction of a measurement with a network, a slice or two at a time."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.fourier import centre_crop_or_pad, fourier, inverse_fourier
from napari_mritransfer.physics.undersampling import Measurement
from napari_mritransfer.recon.hybrid import phase_encode_last, to_hybrid
from napari_mritransfer.recon.precision import Autocast
from napari_mritransfer.recon.scaling import intensity_scale
from napari_mritransfer.recon.stopped import ReconstructionStopped as ReconstructionStopped

_AT_ONCE = 2  # slices of one coil; fewer and larger operations are faster, and take memory


class Unsuitable(BadInput):
    """A network that cannot reconstruct this kind of measurement."""


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
        Called as ``network(kspace, mask, axes, maps)``, see `DCCNN.forward`; put into evaluation mode. Lines are
        reconstructed in hybrid space, masks over the plane in k-space.
    autocast
        Precision context around each forward pass.
    on_slice
        Told (slices done, all slices) of each one, after a pass through the network with one slice or two.
    should_stop
        Asked before each pass.

    Returns
    -------
    image
        ``(frame, slice, y, x)`` complex64 on the measurement's own matrix, on the CPU; of networks that return a
        magnitude, with phase zero.

    Raises
    ------
    Unsuitable
        If the network cannot take such a measurement.
    ReconstructionStopped
        If `should_stop` said so.
    """
    check_suits(network, measurement)
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    frames, slices = measurement.kspace.shape[:2]
    kspace = measurement.kspace.flatten(0, 1)
    is_plane, phase_encode = measurement.mask.is_plane, measurement.phase_encode
    axes = (-2, -1) if is_plane else (-1,)
    lines = torch.from_numpy(measurement.mask.lines).to(device)
    mask = lines[None] if is_plane else lines[None, None]
    crop = measurement.crop if getattr(network, "needs_image_crop", False) else None
    box = (kspace.shape[-2], kspace.shape[-1])
    images: list[Tensor] = []
    at_once = _AT_ONCE if kspace.ndim == 3 else 1
    for index in range(0, len(kspace), at_once):
        if should_stop():
            raise ReconstructionStopped
        some, maps = kspace[index : index + at_once].to(device), None
        if measurement.maps is not None:
            maps = measurement.maps[index % slices][None].to(device)
        if crop is not None:
            some = cropped(some, measurement.matrix, crop)
        if not is_plane:
            some = to_hybrid(some, phase_encode).contiguous()
            maps = None if maps is None else phase_encode_last(maps, phase_encode).contiguous()
        scale = intensity_scale(some, axes)
        try:
            with autocast():
                scaled = some / (scale if some.ndim == 3 else scale[:, None])
                image = network(scaled, mask.expand(len(some), -1, -1), axes, maps)
        except ValueError as error:  # a network's own sentence on what it does not take
            raise Unsuitable(str(error)) from error
        image = image.to(torch.complex64) * scale
        image = image if is_plane else phase_encode_last(image, phase_encode)
        images.append((image if crop is None else _put_back(image, measurement.matrix, box)).cpu())
        if on_slice is not None:
            for done in range(index + 1, index + len(some) + 1):
                on_slice(done, len(kspace))
    stack: Tensor = torch.cat(images).unflatten(0, (frames, slices))
    return stack


def cropped(kspace: Tensor, matrix: tuple[int, int], crop: tuple[int, int]) -> Tensor:
    """K-space of the part of an image that is shown: what networks see that were trained on cropped images.

    Parameters
    ----------
    kspace
        ``(…, ky, kx)`` complex, as it was measured.
    matrix
        ``(y, x)`` that the image is shown on, at least as large: where k-space was cut to what was measured, it is
        filled with zeros again.
    crop
        ``(y, x)`` about the centre of that.
    """
    return fourier(centre_crop_or_pad(inverse_fourier(centre_crop_or_pad(kspace, matrix)), crop))


def _put_back(image: Tensor, matrix: tuple[int, int], box: tuple[int, int]) -> Tensor:
    """A cropped image among zeros, on the measured matrix."""
    whole = centre_crop_or_pad(image, matrix)
    return whole if matrix == box else inverse_fourier(centre_crop_or_pad(fourier(whole), box))


def check_suits(network: nn.Module, measurement: Measurement) -> None:
    """Say in one sentence why a network cannot reconstruct a measurement.

    Raises
    ------
    Unsuitable
        If so.
    """
    name = getattr(network, "title", type(network).__name__)
    if not getattr(network, "takes_complex", True) and not measurement.is_real:
        raise Unsuitable(
            f"{name} works on magnitude images, and this measurement is complex; undersample a magnitude image of the "
            "scan without a simulated phase, or choose another network."
        )
    if measurement.mask.is_plane and not getattr(network, "takes_planes", True):
        raise Unsuitable(
            f"{name} finds its coil maps from whole lines around the centre, and these samples are scattered over the "
            "plane; choose another network."
        )
    needs_maps = not getattr(network, "finds_own_maps", False)
    if measurement.kspace.ndim == 5 and measurement.maps is None and needs_maps:
        raise Unsuitable(
            f"{name} needs coil sensitivity maps, and no fully sampled centre (ACS) was measured to find them in; "
            "choose a sampling with one."
        )
