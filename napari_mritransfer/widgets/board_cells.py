"""The board's cells: image layers that know which method they show, and what stands in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_mritransfer.io import Origin
from napari_mritransfer.widgets.board_data import BoardData, MethodImage, Voxels
from napari_mritransfer.widgets.captions import fitted
from napari_mritransfer.widgets.layers import KEY, LayerTuple, scan_layers

KIND = "board"
IMAGE, ERROR = "image", "error"
REFERENCE = "reference"  # in the place of a method


def image_cell(data: BoardData, board: str, method: MethodImage | None) -> LayerTuple:
    """The layer of a method, or of the reference for None."""
    image = data.reference if method is None else method.image
    assert image is not None
    name = data.reference_name if method is None else method.name
    return _cell(data, image, name, {"board": board, "method": _key(method), "role": IMAGE}, "gray")


def error_cell(data: BoardData, board: str, method: MethodImage | None, magnification: float) -> LayerTuple:
    """The layer of a method's error. That of the reference is black: it keeps the columns aligned."""
    if method is None:
        assert data.reference is not None
        error = np.zeros_like(data.reference)
    else:
        error = data.error(method, magnification)
    own = {"board": board, "method": _key(method), "role": ERROR}
    return _cell(data, error, " ".join(_error_forms(method, magnification)[-1]), own, "inferno")


def role_of(cell: Any) -> str:
    """`IMAGE` or `ERROR`."""
    return str(cell.metadata[KEY]["role"])


def captions(data: BoardData, methods: Sequence[MethodImage | None], width: float) -> tuple[list[str], int]:
    """What stands in the cells of images, and in which type size: in as few lines as fit into `width` pixels."""
    return fitted([_image_forms(data, method) for method in methods], width)


def error_captions(
    methods: Sequence[MethodImage | None], magnification: float, width: float
) -> tuple[list[str], int]:
    """As `captions`, for error maps."""
    return fitted([_error_forms(method, magnification) for method in methods], width)


def window_of(cell: Any, window: tuple[float, float]) -> tuple[float, float]:
    """The window of one cell. Errors begin at 0, whatever the images do: one that is there must not look like none."""
    if role_of(cell) == IMAGE:
        return window
    return (0.0, window[1]) if window[1] > 0 else (0.0, 1.0)


def follow(cell: Any, images: Iterable[Any], errors: Iterable[Any]) -> None:
    """Give a cell's gamma to all of its kind, and an image's colours to all images: else they cannot be compared."""
    is_image = role_of(cell) == IMAGE
    for other in images if is_image else errors:
        if other.gamma != cell.gamma:
            other.gamma = cell.gamma
        if is_image and other.colormap != cell.colormap:
            other.colormap = cell.colormap


def _image_forms(data: BoardData, method: MethodImage | None) -> list[list[str]]:
    if method is None:
        return [[data.reference_name]]
    if data.reference is None:
        return [[f"{method.name}, no reference"], [method.name, "no reference"]]
    psnr = "∞ dB" if method.psnr is None else f"{method.psnr:.1f} dB"
    ssim = "SSIM –" if method.ssim is None else f"SSIM {method.ssim:.3f}"
    return [[f"{method.name}  {psnr}  {ssim}"], [method.name, f"{psnr}  {ssim}"], [method.name, psnr, ssim]]


def _error_forms(method: MethodImage | None, magnification: float) -> list[list[str]]:
    text = f"error × {magnification:g}"
    name = "Scale" if method is None else method.name
    return [[f"{name} {text}"], [name, text]]


def _cell(data: BoardData, image: Voxels, name: str, own: Mapping[str, str], colormap: str) -> LayerTuple:
    scan = data.scan.with_image(image, origin=Origin.SIMULATED)
    (voxels, settings, kind), = scan_layers(scan, name=name, kind=KIND, extra=own)
    settings.update(contrast_limits=(0.0, 1.0), colormap=colormap)
    return voxels, settings, kind


def _key(method: MethodImage | None) -> str:
    return REFERENCE if method is None else method.name
