"""What a board shows: images in one common unit, their numbers slice by slice, and the sentences that go with them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.evaluation.magnification import magnification_for
from napari_mritransfer.evaluation.metrics import Summary, evaluate
from napari_mritransfer.evaluation.table import MethodScores, convention_lines
from napari_mritransfer.io import Scan, load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.view_state import Stack

BOARD_FILE = "board.json"  # as study.board writes it; that room needs torch, which the viewer's process never loads
_WINDOW_PERCENTILE = 99.9
_ENOUGH_VOXELS = 1_000_000  # of one method, for a percentile

Values = tuple[float | None, ...]
Voxels = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MethodImage:
    """One method on the board.

    Attributes
    ----------
    name
        What people read.
    image
        ``(frame, slice, y, x)`` magnitude in units of `BoardData.white`.
    psnr, ssim
        Foreground mean over slices, dB and at most 1; None where nobody knows.
    slice_psnr, slice_ssim
        One value per slice of all frames; None where the slice does not count or equals the reference exactly.
    """

    name: str
    image: Voxels
    psnr: float | None
    ssim: float | None
    slice_psnr: Values
    slice_ssim: Values

    def values(self, metric: str) -> Values:
        """The slices' values of ``"psnr"`` or ``"ssim"``."""
        return self.slice_psnr if metric == "psnr" else self.slice_ssim

    def mean(self, metric: str) -> float | None:
        """The mean of ``"psnr"`` or ``"ssim"``."""
        return self.psnr if metric == "psnr" else self.ssim


@dataclass(frozen=True, slots=True, eq=False)
class BoardData:
    """A finished comparison.

    Attributes
    ----------
    scan
        Whose geometry the images have.
    reference
        ``(frame, slice, y, x)`` in units of `white`; None where there is no fully sampled reference.
    reference_name
        What its cell is called.
    methods
        In the order of the board.
    white
        What 1 stands for, in the images' own unit.
    white_rule
        How `white` was found, in words.
    verdict, warnings, description, convention
        Sentences for people.
    folder
        Where the comparison lies on disk; None for layers that were compared as they are.
    """

    scan: Scan
    reference: Voxels | None
    reference_name: str
    methods: tuple[MethodImage, ...]
    white: float
    white_rule: str
    verdict: str
    warnings: tuple[str, ...]
    description: str
    convention: tuple[str, ...]
    folder: Path | None

    @property
    def n_frames(self) -> int:
        """Frames, 1 for a volume."""
        return int(self.methods[0].image.shape[0])

    @property
    def n_slices(self) -> int:
        """Slices of all frames together."""
        shape = self.methods[0].image.shape
        return int(shape[0] * shape[1])

    @property
    def stack(self) -> Stack:
        """How its slices are counted."""
        n_frames, n_slices = self.methods[0].image.shape[:2]
        return Stack(int(n_frames), int(n_slices), self.scan.spacing_mm[0])

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Size along slice, y, x."""
        slices, rows, columns = self.methods[0].image.shape[1:]
        slice_mm, y_mm, x_mm = self.scan.spacing_mm
        return slices * slice_mm, rows * y_mm, columns * x_mm

    @property
    def brightest(self) -> float:
        """The highest value of all images, at least 1."""
        references = [] if self.reference is None else [self.reference]
        return max(1.0, *(float(image.max()) for image in [*references, *(method.image for method in self.methods)]))

    def place(self, slice_index: int) -> str:
        """A slice in words, counted as napari's sliders do; `slice_index` is counted over all frames."""
        n_inside = self.n_slices // self.n_frames
        frame, inside = divmod(slice_index, n_inside)
        frames = f", frame {frame} (of 0 to {self.n_frames - 1})" if self.n_frames > 1 else ""
        return f"Slice {inside} (of 0 to {n_inside - 1}){frames}"

    def statement(self, window: tuple[float, float], magnification: float | None) -> str:
        """What the grey levels mean, for a window in units of `white` and errors at `magnification`, if any."""
        low, high = window
        white = f"1 = {self.white:.4g} ({self.white_rule})"
        text = f"Window {low:.2f} to {high:.2f} for all images; {white}."
        if magnification is not None:
            text += f" Errors × {magnification:g}, all from 0 to {high:.2f}."
        return text

    def error(self, method: MethodImage, magnification: float) -> Voxels:
        """|image - reference| times `magnification`, as `MethodImage.image`."""
        assert self.reference is not None
        difference: Voxels = np.abs(method.image - self.reference)
        difference *= np.float32(magnification)
        return difference

    def automatic_magnification(self) -> float:
        """The largest round number at which all but 1 % of all error voxels stay below white; all methods together."""
        assert self.reference is not None
        truth = self.reference.reshape(-1)
        step = max(1, truth.size // _ENOUGH_VOXELS)
        errors = [np.abs(method.image.reshape(-1)[::step] - truth[::step]) for method in self.methods]
        return magnification_for(np.stack(errors), 1.0)


def read_board(folder: Path, scan_path: Path) -> BoardData:
    """A comparison from the folder that the worker wrote it to. Takes a while: not for the GUI thread.

    Parameters
    ----------
    folder
        Holds board.json and the arrays it names.
    scan_path
        The scan that was compared; its geometry is that of the images.

    Raises
    ------
    BadInput
        If there is no complete comparison, or it belongs to another scan.
    """
    scan = load(scan_path)
    try:
        record = json.loads((folder / BOARD_FILE).read_text(encoding="utf-8"))
        white = float(record["white"])
        reference = _voxels(folder / record["reference"], white) if record["reference"] else None
        methods = tuple(_method(row, folder, white) for row in record["methods"])
        data = BoardData(
            scan, reference, "Reference", methods, white,
            "99.9th percentile of the " + ("zero-filled image" if reference is None else "reference"),
            str(record["verdict"]), tuple(record["warnings"]), str(record["description"]), tuple(record["convention"]),
            folder,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} holds no complete comparison; build the board again.") from error
    images = [method.image for method in methods] + ([] if reference is None else [reference])
    if not methods or not white > 0 or any(image.shape[1:] != scan.image.shape[1:] for image in images):
        raise BadInput(f"{folder} holds a comparison of another scan than {scan.name}; build the board again.")
    return data


def judged(names: Sequence[str], scans: Sequence[Scan], reference: int) -> BoardData:
    """A board of images as they are, one of them the reference. Takes a while: not for the GUI thread.

    Parameters
    ----------
    names, scans
        At least two magnitude images in one unit.
    reference
        Index of the one that the others are judged by.

    Raises
    ------
    BadInput
        If they cannot be compared voxel by voxel.
    """
    truth = scans[reference]
    others = [index for index in range(len(scans)) if index != reference]
    if not others:
        raise BadInput("One image alone cannot be compared; select at least two in the layer list (Ctrl for several).")
    for index in others:
        if scans[index].image.shape != truth.image.shape:
            raise BadInput(
                f"{names[index]} has the size {_size(scans[index])} and {names[reference]} {_size(truth)}; "
                "select images of the same size."
            )
    moved = [names[index] for index in others if not np.allclose(scans[index].affine, truth.affine, atol=1e-3)]
    warnings = [f"{name} is not in the same place as the reference, so voxels may not match." for name in moved]
    white = float(np.percentile(truth.image, _WINDOW_PERCENTILE)) or float(truth.image.max())
    scores = []
    methods = []
    for index in others:
        try:
            evaluation = evaluate(_stack(truth), _stack(scans[index]), data="layers of the viewer, as they are")
        except ValueError as error:
            raise BadInput(f"{names[index]} cannot be compared with {names[reference]}: {error}") from error
        scores.append(MethodScores(names[index], evaluation, {}))
        region = evaluation.foreground
        values = [_by_slice(summary, region.counted, len(_stack(truth))) for summary in (region.psnr, region.ssim)]
        means = (_finite(region.psnr.mean), _finite(region.ssim.mean))
        methods.append(MethodImage(names[index], _normalised(scans[index].image, white), *means, *values))
    verdict = "These are layers as they are, not repeated runs, so no method is called the best."
    return BoardData(
        truth, _normalised(truth.image, white), names[reference], tuple(methods), white,
        f"99.9th percentile of {names[reference]}", verdict, tuple(warnings), "Layers of the viewer, as they are.",
        tuple(convention_lines(scores)), None,
    )  # fmt: skip


def _method(row: Mapping[str, Any], folder: Path, white: float) -> MethodImage:
    return MethodImage(
        str(row["name"]), _voxels(folder / row["image"], white), row["psnr"], row["ssim"], tuple(row["slice_psnr"]),
        tuple(row["slice_ssim"]),
    )  # fmt: skip


def _voxels(path: Path, white: float) -> Voxels:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 4 or array.dtype != np.float32:
        raise ValueError(f"{path.name} is no image.")
    return _normalised(array, white)


def _normalised(image: NDArray[Any], white: float) -> Voxels:
    return np.asarray(image / np.float32(white), dtype=np.float32)


def _stack(scan: Scan) -> NDArray[Any]:
    """Frames and slices as one stack: metrics know slices only."""
    return scan.image.reshape(-1, *scan.image.shape[-2:])


def _by_slice(summary: Summary, counted: Sequence[int], n_slices: int) -> Values:
    values: list[float | None] = [None] * n_slices
    for index, value in zip(counted, summary.slices, strict=True):
        values[index] = _finite(value)
    return tuple(values)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _size(scan: Scan) -> str:
    return " × ".join(str(length) for length in scan.image.shape)
