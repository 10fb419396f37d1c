"""What can be looked at in raw k-space, as lazy layers: one slice is read and transformed when it is shown."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.physics.centred import centre_crop, inverse_transform
from napari_mritransfer.physics.coil_view import combine_by_low_frequencies, decibels
from napari_mritransfer.widgets.layers import KEY, LayerTuple, Voxels, mapped, scan_layers, window

_FAINTEST_DB = -80.0  # the noise of a clinical scan lies 60 to 80 dB below the peak
_ALL = slice(None)
_Plane = Callable[[int, int, int], NDArray[Any]]  # of frame, slice and coil


@dataclass(frozen=True, slots=True)
class KSpaceView:
    """One thing to look at: `kind` stands in its layers' metadata, `label` and `tip` on its check box."""

    kind: str
    label: str
    tip: str
    layers: Callable[[Scan, KSpace, NDArray[np.bool_]], list[LayerTuple]]


def _samples(scan: Scan, kspace: KSpace, _sampled: NDArray[np.bool_]) -> list[LayerTuple]:
    def plane(frame: int, index: int, coil: int) -> NDArray[Any]:
        samples = kspace.slice(frame, index)
        return decibels(samples[coil], float(np.abs(samples).max()), floor=_FAINTEST_DB)

    data = _stack(kspace, (kspace.shape[-2], kspace.shape[-1]), plane)
    settings = _on_kspace(scan, kspace, data.ndim)
    return [(data, settings | {"name": f"{scan.name} k-space", "contrast_limits": (_FAINTEST_DB, 0.0)}, "image")]


def _coil_images(scan: Scan, kspace: KSpace, _sampled: NDArray[np.bool_]) -> list[LayerTuple]:
    data = mapped(np.abs, _coils(kspace))
    settings = {"name": f"{scan.name} coil images", "contrast_limits": _window_of_coils(data)}
    return [(data, _on_image(scan, kspace, data.ndim) | settings, "image")]


def _coil_phases(scan: Scan, kspace: KSpace, _sampled: NDArray[np.bool_]) -> list[LayerTuple]:
    data = mapped(np.angle, _coils(kspace))
    settings = {"name": f"{scan.name} coil phases", "contrast_limits": (-np.pi, np.pi), "colormap": "twilight_shifted"}
    return [(data, _on_image(scan, kspace, data.ndim) | settings, "image")]


def _combined(scan: Scan, kspace: KSpace, _sampled: NDArray[np.bool_]) -> list[LayerTuple]:
    image = LazyStack(
        kspace.shape[:2], kspace.image_matrix, np.complex64,
        lambda place: combine_by_low_frequencies(kspace.coil_images(*place)),
    )  # fmt: skip
    whole = replace(scan, image=cast(NDArray[np.complex64], image), origin=Origin.COIL_COMBINED, kspace=None)
    return scan_layers(whole, name=f"{scan.name} combined", kind="combined")


def _mask(scan: Scan, kspace: KSpace, sampled: NDArray[np.bool_]) -> list[LayerTuple]:
    settings = {"name": f"{scan.name} sampling mask", "contrast_limits": (0, 1)}
    return [(sampled.astype(np.uint8), _on_kspace(scan, kspace, 2) | settings, "image")]


VIEWS = (
    KSpaceView(
        "kspace", "K-space (log magnitude)",
        "Each coil's samples in decibels below the strongest of the slice; the centre of k-space is in the middle",
        _samples,
    ),
    KSpaceView("coils", "Coil images", "The magnitude that each coil saw, with a slider for the coils", _coil_images),
    KSpaceView("phases", "Coil phases", "The phase that each coil saw, with a slider for the coils", _coil_phases),
    KSpaceView(
        "combined", "Coils combined (magnitude, phase)",
        "All coils as one complex image, weighted by their low frequencies; the phase is hidden below the magnitude",
        _combined,
    ),
    KSpaceView("mask", "Sampling mask", "White where k-space was measured in any slice and coil", _mask),
)  # fmt: skip


def view_layers(view: KSpaceView, scan: Scan, sampled: NDArray[np.bool_], of: str) -> list[LayerTuple]:
    """The layers of a view; no more than the middle slice is read.

    Parameters
    ----------
    scan
        With k-space.
    sampled
        ``(ky, kx)`` bool, True where it was measured.
    of
        Identity of the scan's layer, kept as ``metadata[KEY]["of"]``.

    Raises
    ------
    UnreadableScan
        If the file cannot be read there.
    ValueError
        If the scan has no k-space.
    """
    if scan.kspace is None:
        raise ValueError(f"{scan.name or 'The scan'} has no k-space to look at.")
    layers = view.layers(scan, scan.kspace, sampled)
    for _, settings, _ in layers:
        own = settings.setdefault("metadata", {}).setdefault(KEY, {"id": uuid4().hex, "part": view.kind})
        own.update(kind=view.kind, of=of)
    return layers


def _coils(kspace: KSpace) -> LazyStack:
    """Complex image of each coil on the matrix that images are shown on."""
    return _stack(
        kspace, kspace.image_matrix,
        lambda frame, index, coil: centre_crop(
            inverse_transform(kspace.slice(frame, index)[coil]), kspace.image_matrix
        ),
        np.complex64,
    )  # fmt: skip


def _stack(kspace: KSpace, size: tuple[int, int], plane: _Plane, dtype: type[np.generic] = np.float32) -> LazyStack:
    """``(coil, frame, slice, …)``, coils and frames only where there are several.

    Coils come first, because napari counts axes from the last: so the slices keep the slider of the scan's own layer.
    """
    frames, slices, coils = kspace.shape[:3]
    kept = [length for length in (coils, frames) if length > 1]

    def compute(place: tuple[int, ...]) -> NDArray[Any]:
        *outer, index = place
        coil = outer.pop(0) if coils > 1 else 0
        return plane(outer.pop(0) if frames > 1 else 0, index, coil)

    return LazyStack((*kept, slices), size, dtype, compute)


def _on_image(scan: Scan, kspace: KSpace, ndim: int) -> dict[str, Any]:
    """Place and axes of a layer on the image's matrix."""
    return {
        "scale": (1.0, 1.0, *scan.spacing_mm)[-ndim:],
        "units": ("pixel", "pixel", "mm", "mm", "mm")[-ndim:],
        "axis_labels": _labels(kspace, ("y", "x"))[-ndim:],
        "colormap": "gray",
    }


def _on_kspace(scan: Scan, kspace: KSpace, ndim: int) -> dict[str, Any]:
    """Place and axes of a layer of samples: it covers what the image covers.

    The millimetres are those of its place on the screen alone, and the view shows no scale bar over it: napari wants
    one unit an axis, and warns where layers differ.
    """
    slice_mm, *spacing = scan.spacing_mm
    step = [mm * shown / n for mm, shown, n in zip(spacing, kspace.image_matrix, kspace.shape[-2:], strict=True)]
    shift = [(own - mm) / 2 for own, mm in zip(step, spacing, strict=True)]  # napari places centres, not edges
    return {
        "scale": (1.0, 1.0, slice_mm, *step)[-ndim:],
        "translate": (0.0, 0.0, 0.0, *shift)[-ndim:],
        "units": ("pixel", "pixel", "mm", "mm", "mm")[-ndim:],
        "axis_labels": _labels(kspace, ("ky", "kx"))[-ndim:],
        "colormap": "gray",
    }


def _labels(kspace: KSpace, plane: tuple[str, str]) -> tuple[str, ...]:
    outer = [name for name, length in (("coil", kspace.n_coils), ("frame", kspace.shape[0])) if length > 1]
    return (*outer, "slice", *plane)


def _window_of_coils(data: Voxels) -> tuple[float, float]:
    """One for all coils: that of the brightest in the middle slice."""
    if data.ndim == 3:
        return window(data)
    frame_and_slice = tuple(length // 2 for length in data.shape[1:-2])
    tops = [window(np.asarray(data[(coil, *frame_and_slice)])) for coil in range(data.shape[0])]
    return 0.0, max(top for _, top in tops)
