"""The board's cells: image layers that know which method they show, and captions that fit into them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from napari_mritransfer.io import Origin
from napari_mritransfer.widgets.board_data import BoardData, MethodImage, Voxels
from napari_mritransfer.widgets.layers import KEY, LayerTuple, scan_layers

KIND = "board"
IMAGE, ERROR = "image", "error"
REFERENCE = "reference"  # in the place of a method

_POINTS = (10, 8, 7)  # type sizes to try, in napari's unit
_WIDTH_PER_POINT = 0.98  # pixels of an average letter, measured in napari's canvas
_MARGIN = 14  # pixels left and right of a caption


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
    return _cell(data, error, fitted_error_caption(method, magnification, math.inf)[0], own, "inferno")


def role_of(cell: Any) -> str:
    """`IMAGE` or `ERROR`."""
    return str(cell.metadata[KEY]["role"])


def fitted_caption(data: BoardData, method: MethodImage | None, width: float) -> tuple[str, int]:
    """A caption and its type size: in as few lines as fit into `width` pixels."""
    if method is None:
        return _fitted([[data.reference_name]], width)
    if data.reference is None:
        return _fitted([[f"{method.name}, no reference"], [method.name, "no reference"]], width)
    psnr = "∞ dB" if method.psnr is None else f"{method.psnr:.1f} dB"
    ssim = "SSIM –" if method.ssim is None else f"SSIM {method.ssim:.3f}"
    one = f"{method.name}  {psnr}  {ssim}"
    return _fitted([[one], [method.name, f"{psnr}  {ssim}"], [method.name, psnr, ssim]], width)


def fitted_error_caption(method: MethodImage | None, magnification: float, width: float) -> tuple[str, int]:
    """As `fitted_caption`, for an error map."""
    text = f"error × {magnification:g}"
    if method is None:
        return _fitted([[f"Scale: {text}"]], width)
    return _fitted([[f"{method.name} {text}"], [method.name, text]], width)


def _fitted(forms: Sequence[Sequence[str]], width: float) -> tuple[str, int]:
    room = width - 2 * _MARGIN
    for lines in forms:
        for points in _POINTS:
            if max(len(line) for line in lines) * points * _WIDTH_PER_POINT <= room:
                return "\n".join(lines), points
    return "\n".join(forms[-1]), _POINTS[-1]


def _cell(data: BoardData, image: Voxels, name: str, own: Mapping[str, str], colormap: str) -> LayerTuple:
    scan = data.scan.with_image(image, origin=Origin.SIMULATED)
    (voxels, settings, kind), = scan_layers(scan, name=name, kind=KIND, extra=own)
    settings.update(contrast_limits=(0.0, 1.0), colormap=colormap)
    return voxels, settings, kind


def _key(method: MethodImage | None) -> str:
    return REFERENCE if method is None else method.name
