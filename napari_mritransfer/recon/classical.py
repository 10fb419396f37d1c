"""Classical reconstructions of raw k-space, slice by slice: coil maps, noise level and regularisation included."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.coils import combine_sets, root_sum_of_squares, soft_sense_forward
from napari_mritransfer.physics.compression import compress_coils
from napari_mritransfer.physics.espirit import KERNEL, espirit, wraps
from napari_mritransfer.physics.fourier import inverse_fourier
from napari_mritransfer.physics.noise import noise_sigma
from napari_mritransfer.physics.sensitivity import calibration_region, low_frequency_maps
from napari_mritransfer.recon.classical_menu import ClassicalMethod, MapsBy, classical_method
from napari_mritransfer.recon.iteration import ShouldStop, counted, never
from napari_mritransfer.recon.regularisation import array_noise, sparsity_weight, tikhonov_weight
from napari_mritransfer.recon.sense import cg_sense
from napari_mritransfer.recon.sparse import l1_wavelet, total_variation

# ESPIRiT decomposes a coil × coil matrix in every voxel: 32 coils would take a minute a slice, and 12 virtual ones keep
# practically all of the signal
_MOST_COILS = 12


@torch.no_grad()
def reconstruct_classical(
    name: str,
    kspace: Tensor,
    mask: NDArray[np.bool_],
    *,
    maps_by: MapsBy = "espirit",
    on_slice: Callable[[int, int], None] | None = None,
    should_stop: ShouldStop = never,
) -> Tensor:
    """Reconstruct every slice by a method of `classical_menu.CLASSICAL`.

    Sensitivity maps come from the fully sampled centre of each slice, the noise level from the outermost samples of the
    scan, and the regularisation from the noise level. More than 12 coils are compressed to 12. Where the head wraps
    around the field of view, as judged on the slice with the most signal, SENSE uses two sets of maps.

    Parameters
    ----------
    name
        ``"sense"``, ``"l1-wavelet"`` or ``"total-variation"``.
    kspace
        ``(frame, slice, coil, ky, kx)`` complex, or ``(frame, slice, ky, kx)`` of a single coil; DC at ``n // 2``.
    mask
        ``(ky, kx)`` bool, True where measured.
    maps_by
        ``"espirit"``, or the faster ``"low-frequency"`` estimate, which cannot describe a head that wraps.
    on_slice
        Told (slices done, all slices) after each one.
    should_stop
        Asked before each slice and each iteration.

    Returns
    -------
    image
        ``(frame, slice, y, x)`` complex64 on the CPU, in the intensities of the coil-combined zero-filled image.

    Raises
    ------
    BadInput
        If the method does not exist or cannot take these data, they have no fully sampled centre, or sigpy is missing.
    ReconstructionStopped
        If `should_stop` said so.
    """
    try:
        method = classical_method(name)
    except KeyError as error:
        raise BadInput(error.args[0]) from None
    stack = kspace.unsqueeze(2) if kspace.ndim == 4 else kspace
    if stack.ndim != 5 or tuple(stack.shape[-2:]) != mask.shape:
        raise BadInput(
            f"K-space of shape {tuple(kspace.shape)} is not (frame, slice, coil, ky, kx) with the mask's "
            f"{mask.shape} samples; name its axes when you load it."
        )
    sampled = torch.from_numpy(np.ascontiguousarray(mask)).to(stack.device)
    stack = torch.where(sampled, stack, 0).to(torch.complex64)
    try:
        sigma = array_noise(noise_sigma(stack.cpu().numpy(), mask))
    except ValueError as error:
        raise BadInput(str(error)) from None
    if stack.shape[2] > _MOST_COILS:
        stack, _ = compress_coils(stack, _MOST_COILS)
    maps_of = _map_estimator(method, stack, mask, maps_by, sigma)
    slices = stack.flatten(0, 1)
    images = [
        _reconstruct_slice(name, slices[number - 1], sampled, maps_of, sigma, should_stop).cpu()
        for number in counted(len(slices), on_slice, should_stop)
    ]
    result: Tensor = torch.stack(images).unflatten(0, stack.shape[:2])
    return result


def wraps_around(kspace: Tensor, mask: NDArray[np.bool_]) -> bool:
    """Whether the head is wider than the field of view, so that one set of sensitivity maps cannot describe it.

    False also where that cannot be told: one coil, or a fully sampled centre of fewer than 6 × 6 samples.

    Parameters
    ----------
    kspace
        ``(frame, slice, coil, ky, kx)`` complex, or ``(frame, slice, ky, kx)`` of a single coil.
    mask
        ``(ky, kx)`` bool, True where measured.
    """
    if kspace.ndim == 4 or kspace.shape[2] == 1:
        return False
    stack = kspace if kspace.shape[2] <= _MOST_COILS else compress_coils(kspace, _MOST_COILS)[0]
    try:
        region = calibration_region(mask, (mask.shape[0], mask.shape[1]))
        sigma = array_noise(noise_sigma(kspace.cpu().numpy(), mask))
    except ValueError:
        return False
    return _wraps(stack, region, sigma)


def _map_estimator(
    method: ClassicalMethod, stack: Tensor, mask: NDArray[np.bool_], maps_by: MapsBy, sigma: float
) -> Callable[[Tensor], Tensor]:
    """A function from a slice ``(coil, ky, kx)`` to its maps ``(set, coil, y, x)``."""
    if stack.shape[2] == 1:
        if method.name == "sense":
            raise BadInput(
                "SENSE tells voxels apart by several coils and this k-space has one; choose L1-wavelet or total "
                "variation."
            )
        return lambda kspace: torch.ones_like(kspace)[None]
    try:
        region = calibration_region(mask, (mask.shape[0], mask.shape[1]))
    except ValueError as error:
        raise BadInput(str(error)) from None
    if maps_by == "espirit" and min(region) < KERNEL:
        raise BadInput(
            f"The fully sampled centre (ACS) has {region[0]} × {region[1]} samples and ESPIRiT needs {KERNEL} × "
            f"{KERNEL}; choose low-frequency maps."
        )
    wrapped = _wraps(stack, region, sigma)
    if wrapped and method.name != "sense":
        raise BadInput(
            f"The head wraps around the field of view, where {method.label} with its one set of sensitivity maps would "
            "be wrong; choose SENSE, which uses two."
        )
    if wrapped and maps_by != "espirit":
        raise BadInput(
            "The head wraps around the field of view, which low-frequency maps cannot describe; choose ESPIRiT maps."
        )
    if maps_by == "espirit":
        return lambda kspace: espirit(kspace, region, n_sets=2 if wrapped else 1, sigma=sigma).maps
    return lambda kspace: low_frequency_maps(kspace, region)[None]


def _wraps(stack: Tensor, region: tuple[int, int], sigma: float) -> bool:
    """Whether the slice of the first frame with the most signal shows an object wider than the field of view."""
    if min(region) < KERNEL:
        return False  # too few samples to tell
    strongest = int(torch.linalg.vector_norm(stack[0], dim=(-3, -2, -1)).argmax())
    return wraps(espirit(stack[0, strongest], region, n_sets=2, sigma=sigma))


def _reconstruct_slice(
    name: str,
    kspace: Tensor,
    mask: Tensor,
    maps_of: Callable[[Tensor], Tensor],
    sigma: float,
    should_stop: ShouldStop,
) -> Tensor:
    """One slice ``(coil, ky, kx)`` to its ``(y, x)`` image."""
    # brightest voxel 1: scanners' units reach from 1e-9 to 1e13, and total variation converges at this scale
    scale = float(root_sum_of_squares(inverse_fourier(kspace)).max())
    if scale == 0:
        return kspace.new_zeros(kspace.shape[-2:])
    maps = maps_of(kspace)
    scaled, noise = kspace / scale, sigma / scale
    if name == "sense":
        weight = tikhonov_weight(scaled, mask, noise)
        sets = cg_sense(scaled, mask, maps, regularisation=weight, should_stop=should_stop)
        image = combine_sets(sets * _fit(sets, scaled, mask, maps))
    else:
        solve = {"l1-wavelet": l1_wavelet, "total-variation": total_variation}[name]
        weight = sparsity_weight(mask, noise)
        image = solve(scaled, mask, maps[0], regularisation=weight, should_stop=should_stop)
    return image * scale


def _fit(sets: Tensor, kspace: Tensor, mask: Tensor, maps: Tensor) -> float:
    """Factor that brings an image nearest to the data: the regularisation makes it darker, the more the noisier."""
    seen = soft_sense_forward(sets, maps, mask)
    energy = float(seen.abs().square().sum())
    return float((seen.conj() * kspace).sum().real) / energy if energy else 1.0
