"""What the "Slice attention" dock shows: a folder of attention maps, cut as the network cut. No number is made here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.attention import SHOWN_UP_TO
from napari_mritransfer.cohort.grid import axis_of
from napari_mritransfer.cohort.record import View, read_array, read_record
from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.widgets.view_state import Stack

WORLD_AXES = "xyz"

Values = tuple[float, ...]
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True, eq=False)
class AttentionView:
    """One network looking at one scan.

    What has an entry per slice is in the order of the scan's slices, which is that of the viewer's slider; in the
    files coronal slices are the other way round.

    Attributes
    ----------
    name
        What tells it from the other views, at length.
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
        ``"attention"``, or for mean and max pooling ``"contribution"``: what each slice contributed.
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
    share_on_changed, by_chance
        Of the weight on these, and what chance gives them.
    volume, map
        The scan as the network saw it, and its map (1 is uniform), cut into the network's slices.
    map_on_scan
        NIfTI of the map on the scan's own grid.
    """

    name: str
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
    kind: str
    relative: Values
    effective_slices: float
    mean_relative: Values | None
    minus_mean: Values | None
    present: tuple[bool, ...]
    positions_mm: Values
    changed: tuple[bool, ...] | None
    share_on_changed: float | None
    by_chance: float | None
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

    def short(self, view: AttentionView) -> str:
        """What tells a view from the others where there is little room: its scan, its network, or both."""
        inputs, models = ({getattr(one, part) for one in self.views} for part in ("input_name", "model"))
        model = Path(view.model).name  # of a run, its folder
        if len(models) == 1:
            return view.input_name
        return model if len(inputs) == 1 else f"{view.input_name}, {model}"

    def findings(self, view: AttentionView) -> list[str]:
        """The sentences about a view and about all; those about other views are left out."""
        others = tuple(f"{one.name}: " for one in self.views if one is not view)
        found = [text.removeprefix(f"{view.name}: ") for text in self.sentences if not text.startswith(others)]
        return list(dict.fromkeys([*([view.sentence] if view.sentence else []), *found]))


def read_attention(folder: Path) -> AttentionData:
    """Attention maps from the folder that the worker wrote them to. Takes a while: not for the GUI thread.

    Raises
    ------
    BadInput
        If they are not complete, or do not belong together.
    """
    record = read_record(folder)
    affine = np.array(record.affine, dtype=np.float64)
    volumes: dict[str, NDArray[np.float32]] = {}  # networks that look at the same scan may share its file

    def volume(name: str) -> NDArray[np.float32]:
        if name not in volumes:
            volumes[name] = read_array(folder, name, record.shape)
        return volumes[name]

    views = tuple(_view(view, folder, affine, volume) for view in record.views)
    return AttentionData(folder, record.simulated, views, record.said, record.warnings, record.sentences)


def _view(
    view: View, folder: Path, affine: NDArray[np.float64], array: Callable[[str], NDArray[np.float32]]
) -> AttentionView:
    axis = axis_of(view.slicing)
    volume = _scan(array(view.volume), affine, axis, view.input)

    def seen(values: Sequence[_Entry]) -> tuple[_Entry, ...]:
        return tuple(reversed(values) if volume.axes.flips[0] else values)

    return AttentionView(
        name=view.name,
        input_name=view.input,
        source_path=Path(view.source_path) if view.source_path else None,
        model=view.model,
        title=view.title,
        label=view.label,
        unit=view.unit,
        prediction_text=view.prediction_text,
        spread_text=view.spread_text,
        expected_error=view.expected_error,
        difference_text=view.difference_text,
        sentence=view.sentence,
        slicing=view.slicing,
        kind=view.kind,
        relative=seen(view.relative),
        effective_slices=view.effective_slices,
        mean_relative=None if view.mean_relative is None else seen(view.mean_relative),
        minus_mean=None if view.relative_minus_mean is None else seen(view.relative_minus_mean),
        present=seen(view.present),
        positions_mm=seen(view.positions_mm),
        changed=None if view.changed is None else seen(view.changed),
        share_on_changed=view.share_on_changed,
        by_chance=view.by_chance,
        volume=volume,
        map=None if view.map is None else _scan(array(view.map), affine, axis, view.input),
        map_on_scan=_map_on_scan(folder, view.map),
    )


def _scan(array: NDArray[np.float32], affine: NDArray[np.float64], axis: int, name: str) -> Scan:
    """Resampled voxels are computed, not acquired."""
    return Scan.from_file_order(array, affine, slice_axis=axis, origin=Origin.SIMULATED, name=name)


def _map_on_scan(folder: Path, map_name: str | None) -> Path | None:
    """Beside the map on the common grid; missing where the scan's own grid cannot take it."""
    path = folder / f"{Path(map_name).stem}-on-scan.nii.gz" if map_name else None
    return path if path is not None and path.is_file() else None
