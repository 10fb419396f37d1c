"""`Scan` to napari layers and back: the scan rides in the layer's metadata, so that nothing about it gets lost."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lazy import LazyStack
from napari_mritransfer.io.nifti_header import centred_affine

KEY = "mritransfer"

Voxels = NDArray[Any] | LazyStack
LayerTuple = tuple[Voxels, dict[str, Any], str]

_AXES = ("frame", "slice", "y", "x")
_WINDOW_TOP = 99.9  # percentile: a few bright vessels must not make the rest dark
_ENOUGH_VOXELS = 500_000  # for a percentile; sorting a whole 4-D series takes a second
_UNKNOWN_GEOMETRY = (
    "This layer is not from a scan file: its axes are taken for slice, y, x of an axial stack."
)


def scan_layers(
    scan: Scan, *, name: str | None = None, kind: str = "scan", extra: Mapping[str, Any] | None = None
) -> list[LayerTuple]:
    """A scan as napari's layer tuples, in (frame,) slice, y, x with voxel sizes in mm.

    Parameters
    ----------
    name
        The layer's name; the scan's own where omitted.
    kind
        What the layer is to the plugin, such as ``"scan"`` or ``"zero-filled"``.
    extra
        More entries for ``metadata[KEY]``, which holds ``id`` (unique), ``kind``, ``part`` (``"image"``,
        ``"magnitude"`` or ``"phase"``), ``scan`` and ``notes`` (text).

    Returns
    -------
    layers
        One image. For complex voxels two: the phase, hidden, and last the magnitude, so that it is the one on top and
        selected. The frame axis is left out where there is one frame. What is lazy in the scan is lazy in the layers.
    """
    title = name or scan.name or "scan"
    if not np.iscomplexobj(scan.image):
        return [_layer(scan, scan.image, title, "image", kind, extra)]
    phase = _layer(scan, mapped(np.angle, scan.image), f"{title} phase", "phase", kind, extra)
    phase[1].update(contrast_limits=(-np.pi, np.pi), colormap="twilight_shifted", visible=False)
    return [phase, _layer(scan, mapped(np.abs, scan.image), f"{title} magnitude", "magnitude", kind, extra)]


def mapped(function: Callable[[NDArray[Any]], NDArray[Any]], image: Voxels) -> Voxels:
    """`function` of every voxel as float32; of a lazy stack plane by plane, when it is looked at."""
    if not isinstance(image, LazyStack):
        return function(image)
    rows, columns = image.shape[-2:]
    return LazyStack(image.shape[:-2], (rows, columns), np.float32, lambda place: function(image[place]))


def layer_scan(layer: Any) -> Scan:
    """The layer's present voxels as a scan: with its scan's geometry, or with a note that the geometry is unknown.

    Raises
    ------
    BadInput
        If the layer is no image of 2 to 4 axes with finite real numbers.
    """
    if not isinstance(layer, Image):
        raise BadInput(f"{getattr(layer, 'name', 'This')} is not an image layer; choose one that is.")
    return voxels_scan(
        layer.data, layer.name, layer.metadata, scale=layer.scale, units=layer.units, rgb=layer.rgb or layer.multiscale
    )


def acquired_scan(layer: Any) -> Scan:
    """What to undersample: `layer_scan`, but the whole complex scan where the layer shows its unchanged magnitude.

    The layer of a scan with k-space is that scan: nothing of it is read.

    Raises
    ------
    BadInput
        As `layer_scan`, and for a phase layer.
    """
    shown = layer_scan(layer)
    if not is_scan_layer(layer):
        return shown
    entry = layer.metadata[KEY]
    if entry["part"] == "phase":
        raise BadInput(f"{layer.name} shows the phase alone; choose the magnitude layer beside it.")
    scan: Scan = entry["scan"]
    if entry["part"] == "magnitude" and np.array_equal(shown.image, np.abs(scan.image)):
        return scan
    return shown


def voxels_scan(
    data: Any, name: str, metadata: Mapping[str, Any], *, scale: Any, units: Any = (), rgb: bool = False
) -> Scan:
    """`layer_scan` from a layer's parts, as writers get them.

    Parameters
    ----------
    data
        ``(slice, y, x)`` or ``(frame, slice, y, x)``; a single ``(y, x)`` slice only without a scan in `metadata`.
    scale, units
        Voxel size along the axes of `data`; used where there is no scan in `metadata` or its size does not fit.
    rgb
        Whether `data` is something else than one number per voxel.

    Raises
    ------
    BadInput
        As `layer_scan`.
    """
    if rgb:
        raise BadInput(f"{name} is a colour or multi-resolution picture; choose a layer with one number per voxel.")
    scan = _scan_in(metadata)
    if scan is not None and _shows_kspace(data, scan):
        return scan if name == scan.name else replace(scan, name=name)
    voxels = np.asarray(data)
    if voxels.ndim not in (2, 3, 4) or 0 in voxels.shape:
        raise BadInput(f"{name} has {voxels.ndim} axes and {voxels.size} voxels; choose a layer of 2 to 4 axes.")
    if voxels.dtype.kind not in "buif" or not np.isfinite(voxels).all():
        raise BadInput(f"{name} has voxels that are not finite real numbers; replace them before using it here.")
    if scan is not None and _fits(voxels.shape, scan):
        is_magnitude = metadata[KEY]["part"] == "magnitude" or scan.kspace is not None
        return scan.with_image(
            voxels if voxels.ndim == 4 else voxels[np.newaxis],
            origin=Origin.MAGNITUDE if is_magnitude else None,
            name=name,
        )
    frames = voxels.reshape((1,) * (4 - voxels.ndim) + voxels.shape)
    spacing = [1.0, *(abs(float(step)) * _mm(unit) for step, unit in zip(scale, [*units] or [None] * 9, strict=False))]
    slice_mm, y_mm, x_mm = (spacing if voxels.ndim > 2 else [1.0, *spacing[1:]])[-3:]
    in_file_order = frames.transpose(3, 2, 1, 0)[:, ::-1]
    return Scan.from_file_order(
        in_file_order,
        centred_affine(in_file_order.shape, (x_mm, y_mm, slice_mm)),
        slice_axis=2,
        name=name,
        notes=[_UNKNOWN_GEOMETRY],
        sides_known=False,
    )


def is_scan_layer(layer: Any) -> bool:
    """Whether the layer shows a scan of ours whose geometry still holds (a projection of it has lost it)."""
    if not isinstance(layer, Image) or layer.rgb or layer.multiscale:
        return False
    scan = _scan_in(layer.metadata)
    return scan is not None and _fits(layer.data.shape, scan)


def in_memory(scan: Scan) -> Scan:
    """The scan with its image computed, and without k-space; takes as long as reading all of it."""
    image: Voxels = scan.image
    if not isinstance(image, LazyStack):
        return scan
    return scan.with_image(np.asarray(image), origin=Origin.MAGNITUDE)


def identity(layer: Any) -> str | None:
    """The id that a scan's layer keeps when it is renamed or moved; None for other layers."""
    return str(layer.metadata[KEY]["id"]) if is_scan_layer(layer) else None


def find_layer(layers: Iterable[Any], wanted: str) -> Any | None:
    """The first layer with this `identity`; a duplicated layer has its original's."""
    return next((layer for layer in layers if identity(layer) == wanted), None)


def views_of(layers: Iterable[Any], layer: Any) -> list[Any]:
    """The layers that show a scan's layer in another way, such as its k-space."""
    wanted = identity(layer)
    owns = ((one, one.metadata.get(KEY)) for one in layers)
    return [one for one, own in owns if wanted and isinstance(own, Mapping) and own.get("of") == wanted]


def place_above(layers: Any, layer: Any) -> int:
    """Where a new layer made from this one is seen: above it and its views."""
    return 1 + max(int(layers.index(one)) for one in (layer, *views_of(layers, layer)))


def _layer(
    scan: Scan, image: Voxels, name: str, part: str, kind: str, extra: Mapping[str, Any] | None
) -> LayerTuple:
    data: Voxels = image[0] if image.shape[0] == 1 else image
    entry = {
        "id": uuid4().hex,
        "kind": kind,
        "part": part,
        "scan": scan,
        "notes": "\n".join(scan.notes),
        **(extra or {}),
    }
    settings = {
        "name": name,
        "scale": (1.0, *scan.spacing_mm)[-data.ndim :],
        "units": ("pixel", "mm", "mm", "mm")[-data.ndim :],
        "axis_labels": _AXES[-data.ndim :],
        "contrast_limits": window(data),
        "colormap": "gray",
        "metadata": {KEY: entry},
    }
    return data, settings, "image"


def window(data: Voxels) -> tuple[float, float]:
    """Contrast limits that a few bright vessels do not make dark; of a lazy stack those of its middle plane."""
    voxels = np.asarray(data[tuple(length // 2 for length in data.shape[:-2])] if isinstance(data, LazyStack) else data)
    step = max(1, voxels.size // _ENOUGH_VOXELS)
    some = voxels.reshape(-1)[::step]
    top = float(np.percentile(some, _WINDOW_TOP)) or float(voxels.max())
    bottom = min(0.0, float(some.min()))
    return bottom, top if top > bottom else bottom + 1.0


def _scan_in(metadata: Mapping[str, Any]) -> Scan | None:
    entry = metadata.get(KEY)
    scan = entry.get("scan") if isinstance(entry, Mapping) else None
    return scan if isinstance(scan, Scan) else None


def _fits(shape: tuple[int, ...], scan: Scan) -> bool:
    return len(shape) in (3, 4) and tuple(shape[-3:]) == scan.image.shape[1:]


def _shows_kspace(data: Any, scan: Scan) -> bool:
    """Whether a layer's voxels are still made from its scan's k-space: nobody computes with a lazy stack."""
    return scan.kspace is not None and isinstance(data, LazyStack) and _fits(data.shape, scan)


def _mm(unit: Any) -> float:
    """Millimetres in one of napari's units; 1 where it is no length, such as pixels."""
    return float((1 * unit).to("mm").magnitude) if unit is not None and unit.is_compatible_with("mm") else 1.0
