"""The board's cells: image layers that know which method they show, and captions that fit into them."""

from collections.abc import Iterable, Mapping, Sequence
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
    return _cell(data, error, " ".join(_error_forms(method, magnification)[-1]), own, "inferno")


def role_of(cell: Any) -> str:
    """`IMAGE` or `ERROR`."""
    return str(cell.metadata[KEY]["role"])


def captions(data: BoardData, methods: Sequence[MethodImage | None], width: float) -> tuple[list[str], int]:
    """What stands in the cells of images, and in which type size: in as few lines as fit into `width` pixels."""
    return _fitted([_image_forms(data, method) for method in methods], width)


def error_captions(
    methods: Sequence[MethodImage | None], magnification: float, width: float
) -> tuple[list[str], int]:
    """As `captions`, for error maps."""
    return _fitted([_error_forms(method, magnification) for method in methods], width)


class Captions:
    """Writes into cells, but not over a name that the user gave."""

    def __init__(self) -> None:
        self._written: dict[Any, str] = {}

    def prepare(self, cell: Any) -> None:
        """Show a new cell's name, which is ours."""
        overlay = cell.name_overlay
        # where the letter of that side is: napari stacks what is in one place, so that neither hides the other
        overlay.position, overlay.box, overlay.visible = "top_center", True, True
        self._written[cell] = cell.name

    def write(self, cells: Sequence[Any], texts: Sequence[str], points: int) -> None:
        """One text per cell, in one type size."""
        for cell, text in zip(cells, texts, strict=True):
            if self._written.get(cell, cell.name) == cell.name != text:
                cell.name = text
                self._written[cell] = cell.name
            cell.name_overlay.font_size = points


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


def _fitted(cells: Sequence[Sequence[Sequence[str]]], width: float) -> tuple[list[str], int]:
    """One form and one type size for a whole row: neighbours in different sizes look as if they meant something."""
    room = width - 2 * _MARGIN
    deepest = max((len(forms) for forms in cells), default=1)
    for depth in range(deepest):
        row = [forms[min(depth, len(forms) - 1)] for forms in cells]
        longest = max((len(line) for lines in row for line in lines), default=0)
        for points in _POINTS:
            if longest * points * _WIDTH_PER_POINT <= room:
                return ["\n".join(lines) for lines in row], points
    return ["\n".join(forms[-1]) for forms in cells], _POINTS[-1]


def _cell(data: BoardData, image: Voxels, name: str, own: Mapping[str, str], colormap: str) -> LayerTuple:
    scan = data.scan.with_image(image, origin=Origin.SIMULATED)
    (voxels, settings, kind), = scan_layers(scan, name=name, kind=KIND, extra=own)
    settings.update(contrast_limits=(0.0, 1.0), colormap=colormap)
    return voxels, settings, kind


def _key(method: MethodImage | None) -> str:
    return REFERENCE if method is None else method.name
