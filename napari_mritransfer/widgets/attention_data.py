"""What the "Slice attention" dock shows: a folder of attention maps, read and checked. No number is made here."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.attention import SHOWN_UP_TO
from napari_mritransfer.cohort.grid import axis_of
from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.view_state import Stack

ATTENTION_FILE = "attention.json"  # written last by the worker, so that its presence tells that the folder is complete
WORLD_AXES = "xyz"

Kind = Literal["attention", "contribution"]
Values = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionView:
    """One network looking at one scan.

    What has an entry per slice is in the order of the scan's slices, which is that of the viewer's slider; in the
    files coronal slices are the other way round.

    Attributes
    ----------
    input_name, source_path
        Which scan, and where it came from.
    model, title
        What users type; what they read.
    label, unit
        What is predicted.
    prediction_text, spread_text, expected_error, difference_text, sentence
        In words; all but the first may be empty. The difference is that from the first scan.
    slicing
        ``"sagittal"``, ``"coronal"`` or ``"axial"``.
    kind
        Attention weights, or for mean and max pooling what each slice contributed.
    relative
        Weight × number of slices present: 1 is uniform.
    effective_slices
        How many slices share the weight.
    mean_relative, minus_mean
        The mean map of the cohort that the network was validated on, and the difference from it; None where unknown.
    present
        Whether a slice was shown to the network.
    positions_mm
        World coordinate of each slice.
    changed
        The slices that a simulation changed; None where nobody knows.
    volume, map
        The scan as the network saw it, and its map (1 is uniform), cut into the network's slices.
    map_on_scan
        NIfTI of the map on the scan's own grid.
    """

    input_name: str
    source_path: Path | None
    model: str
    title: str
    label: str
    unit: str
    prediction_text: str
    spread_text: str
    expected_error: str
    difference_text: str
    sentence: str
    slicing: str
    kind: Kind
    relative: Values
    effective_slices: float
    mean_relative: Values | None
    minus_mean: Values | None
    present: tuple[bool, ...]
    positions_mm: Values
    changed: tuple[bool, ...] | None
    volume: Scan
    map: Scan | None
    map_on_scan: Path | None

    @property
    def n_slices(self) -> int:
        """Slices, present or not."""
        return len(self.relative)

    @property
    def stack(self) -> Stack:
        """How its slices are counted."""
        return Stack(1, self.n_slices, self.volume.spacing_mm[0])

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Size along slice, y, x."""
        sizes = zip(self.volume.image.shape[1:], self.volume.spacing_mm, strict=True)
        slices, rows, columns = (length * spacing for length, spacing in sizes)
        return slices, rows, columns

    @property
    def world_axis(self) -> str:
        """The letter of the axis that `positions_mm` lie on."""
        return WORLD_AXES[axis_of(self.slicing)]

    @property
    def cut_off(self) -> int:
        """Slices whose weight lies above the scale."""
        return sum(value > SHOWN_UP_TO for value in self.relative)

    def place(self, index: int) -> str:
        """A slice in words, counted as napari's sliders do."""
        text = f"Slice {index} (of 0 to {self.n_slices - 1}), {self.world_axis} = {self.positions_mm[index]:.0f} mm: "
        if not self.present[index]:
            return f"{text}not shown to the network"
        text += f"{self.relative[index]:.2f} × uniform"
        if self.mean_relative is not None:
            text += f", cohort's mean {self.mean_relative[index]:.2f}"
        if self.changed is not None and self.changed[index]:
            text += ", changed by the simulation"
        return text


@dataclass(frozen=True, slots=True, eq=False)
class AttentionData:
    """A finished look at one or several scans by one or several networks.

    Attributes
    ----------
    folder
        Where it lies on disk.
    simulated
        Whether a scan or what a network learned from is simulated.
    views
        Every network on every scan, the first scan first.
    said, warnings, sentences
        How the scans were prepared; what to read before trusting anything; the findings, all in words.
    """

    folder: Path
    simulated: bool
    views: tuple[AttentionView, ...]
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]

    def name(self, view: AttentionView) -> str:
        """What tells a view from the others: its scan, its network, or both."""
        inputs, models = ({getattr(one, part) for one in self.views} for part in ("input_name", "model"))
        if len(models) == 1:
            return view.input_name
        return view.model if len(inputs) == 1 else f"{view.input_name}, {view.model}"


def read_attention(folder: Path) -> AttentionData:
    """Attention maps from the folder that the worker wrote them to. Takes a while: not for the GUI thread.

    Raises
    ------
    BadInput
        If they are not complete, or do not belong together.
    """
    try:
        record = json.loads((folder / ATTENTION_FILE).read_text(encoding="utf-8"))
        shape = tuple(int(length) for length in record["grid"]["shape"])
        affine = np.array(record["grid"]["affine"], dtype=np.float64)
        if len(shape) != 3 or affine.shape != (4, 4):
            raise ValueError("The grid is none.")
        volumes: dict[str, NDArray[np.float32]] = {}
        views = tuple(_view(row, folder, shape, affine, volumes) for row in record["views"])
        if not views:
            raise ValueError("There is nothing to see.")
        said, warnings, sentences = (_texts(record[name]) for name in ("said", "warnings", "sentences"))
        return AttentionData(folder, bool(record["simulated"]), views, said, warnings, sentences)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise BadInput(f"{folder} holds no complete attention maps; run the network on the scan again.") from error


def _view(
    row: Mapping[str, Any], folder: Path, shape: tuple[int, ...], affine: NDArray[np.float64],
    volumes: dict[str, NDArray[np.float32]],
) -> AttentionView:  # fmt: skip
    slicing = str(row["slicing"])
    axis = axis_of(slicing)
    name, map_name = str(row["volume"]), row["map"]
    if name not in volumes:
        volumes[name] = _array(folder / name, shape)
    volume = _scan(volumes[name], affine, axis, str(row["input"]))
    is_turned = volume.axes.flips[0]

    def in_order(key: str) -> Any:
        values = row[key]
        if values is None:
            return None
        if len(values) != shape[axis]:
            raise ValueError(f"'{key}' has {len(values)} values for {shape[axis]} slices.")
        return values[::-1] if is_turned else values

    kind: Kind = "contribution" if row["kind"] == "contribution" else "attention"
    changed = in_order("changed")
    return AttentionView(
        input_name=str(row["input"]),
        source_path=Path(row["source_path"]) if row.get("source_path") else None,
        slicing=slicing,
        kind=kind,
        relative=_numbers(in_order("relative")),
        effective_slices=_numbers([row["effective_slices"]])[0],
        mean_relative=_numbers_or_none(in_order("mean_relative")),
        minus_mean=_numbers_or_none(in_order("relative_minus_mean")),
        present=tuple(bool(one) for one in in_order("present")),
        positions_mm=_numbers(in_order("positions_mm")),
        changed=None if changed is None else tuple(bool(one) for one in changed),
        volume=volume,
        map=None if map_name is None else _scan(_array(folder / str(map_name), shape), affine, axis, str(row["input"])),
        map_on_scan=_map_on_scan(folder, map_name),
        **{key: str(row[key] or "") for key in (
            "model", "title", "label", "unit", "prediction_text", "spread_text", "expected_error", "difference_text",
            "sentence",
        )},
    )  # fmt: skip


def _scan(array: NDArray[np.float32], affine: NDArray[np.float64], axis: int, name: str) -> Scan:
    """Resampled voxels are computed, not acquired."""
    return Scan.from_file_order(array, affine, slice_axis=axis, origin=Origin.SIMULATED, name=name)


def _array(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    with path.open("rb") as stream:  # np.load would also take archives, and says of an empty file that it has ended
        array: NDArray[np.float32] = np.lib.format.read_array(stream, allow_pickle=False)
    if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
        raise ValueError(f"{path.name} is no volume on the grid.")
    return array


def _map_on_scan(folder: Path, map_name: str | None) -> Path | None:
    """Beside the map on the common grid; missing where the scan's own grid cannot take it."""
    path = folder / f"{Path(map_name).stem}-on-scan.nii.gz" if map_name else None
    return path if path is not None and path.is_file() else None


def _numbers(values: Sequence[Any]) -> Values:
    numbers = tuple(float(value) for value in values)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("A number is missing.")
    return numbers


def _numbers_or_none(values: Sequence[Any] | None) -> Values | None:
    return None if values is None else _numbers(values)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
