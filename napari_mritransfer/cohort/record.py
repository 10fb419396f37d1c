"""Attention maps as a folder: one record in JSON, written last, and the arrays that it names. No torch here."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import SLICINGS, axis_of
from napari_mritransfer.cohort.label import TASKS
from napari_mritransfer.io.atomic import replacing, write_text
from napari_mritransfer.io.errors import BadInput

RECORD = "attention.json"
"""Written last, so that its presence tells that the folder is complete."""

KINDS = ("attention", "contribution")

_LARGEST_BYTES = 50_000_000  # of a record: some kB a view in earnest
_TEXTS = (
    "name", "input", "source_path", "model", "title", "label", "unit", "prediction_text", "spread_text",
    "expected_error", "difference_text", "slicing", "kind", "task", "sentence",
)  # fmt: skip
_SHOWN = ("weights", "relative", "positions_mm")
_MAYBE_SHOWN = ("mean_relative", "relative_minus_mean", "contributions")
_SUM = 1e-3  # weights that were written in full sum to 1 far better


@dataclass(frozen=True, slots=True)
class View:
    """One network looking at one scan; lists have an entry per slice, in the order of the common grid.

    Attributes
    ----------
    name
        What tells it from the other views.
    input, source_path
        Which scan, and its file.
    model, title
        What users type; what they read.
    label, unit, task, classes
        What is predicted, see `Label`; classes are None for numbers.
    prediction, prediction_text
        `Label.number`, and the prediction in words.
    spread, spread_text
        Over dropout draws; None without dropout.
    expected_error
        In validation, in words; may be empty.
    difference, difference_text
        From the first view of the same model; None and empty for that one itself.
    slicing, kind
        How the scan is cut; ``"attention"`` or ``"contribution"``.
    weights, relative
        Summing to 1; × number of slices that are there.
    effective_slices
        See `attention.effective_slices`.
    mean_relative, relative_minus_mean
        The cohort's mean map and the difference from it; None where unknown.
    present
        Which slices were shown to the network.
    positions_mm
        World coordinate of each slice.
    changed
        The slices that carry the label's effect in a simulated scan; None where nobody knows.
    volume, map
        Names of .npy files, float32 ``(i, j, k)``; there may be no map.
    sentence
        Of `sanity.Ablation`; may be empty.
    contributions
        Signed, in the unit of the network's output, for mean and maximum pooling.
    heads
        ``(head, slice)`` weights of each, where there are several.
    share_on_changed, by_chance
        Of the weight, on the changed slices, and what chance gives them.
    sanity
        Curves and correlations, see `Ablation.as_record` and `Randomised.as_record`; empty unless asked for.
    """

    name: str
    input: str
    source_path: str
    model: str
    title: str
    label: str
    unit: str
    task: str
    classes: tuple[str, ...] | None
    prediction: float
    prediction_text: str
    spread: float | None
    spread_text: str
    expected_error: str
    difference: float | None
    difference_text: str
    slicing: str
    kind: str
    weights: tuple[float, ...]
    relative: tuple[float, ...]
    effective_slices: float
    mean_relative: tuple[float, ...] | None
    relative_minus_mean: tuple[float, ...] | None
    present: tuple[bool, ...]
    positions_mm: tuple[float, ...]
    changed: tuple[bool, ...] | None
    volume: str
    map: str | None
    sentence: str = ""
    contributions: tuple[float, ...] | None = None
    heads: tuple[tuple[float, ...], ...] | None = None
    share_on_changed: float | None = None
    by_chance: float | None = None
    sanity: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """Everything that is known about one look.

    Attributes
    ----------
    out
        The folder.
    simulated
        Whether a scan is simulated, or what a network learned from.
    spacing_mm, shape, affine
        Of the common grid.
    said, warnings, sentences
        How scans were prepared; what to read before trusting anything; the findings.
    views
        Every network on every scan, the first scan first.
    """

    out: str
    simulated: bool
    spacing_mm: float
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    views: tuple[View, ...]

    def as_record(self) -> dict[str, Any]:
        """In JSON's own types."""
        record = dataclasses.asdict(self)
        grid = {name: record.pop(name) for name in ("spacing_mm", "shape", "affine")}
        found: dict[str, Any] = json.loads(json.dumps(record | {"grid": grid}, allow_nan=False))
        return found


def write_record(record: AttentionRecord, folder: Path) -> None:
    """Say that the folder is complete, and what is in it."""
    write_text(folder / RECORD, json.dumps(record.as_record(), indent=1, ensure_ascii=False) + "\n")


def read_record(folder: Path) -> AttentionRecord:
    """Read what `write_record` wrote, trusting nothing.

    Raises
    ------
    BadInput
        In one sentence, if the folder holds no complete attention maps or something else under their name.
    """
    path = folder / RECORD
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadInput(f"{path} is far larger than any record of attention maps; it is something else.")
        return _record(json.loads(path.read_text(encoding="utf-8")))
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{folder} holds no complete attention maps ({RECORD}); let a network look first.") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        what = f"there is no '{error.args[0]}'" if isinstance(error, KeyError) else str(error)
        raise BadInput(f"{path} is no record of attention maps ({what}); let the network look again.") from error


def write_array(values: NDArray[np.float32], path: Path) -> None:
    """A .npy file, complete or not at all."""
    with replacing(path) as partial:
        np.save(partial, np.asarray(values, dtype=np.float32), allow_pickle=False)


def read_array(folder: Path, name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Read an array that the record names.

    Raises
    ------
    BadInput
        If it is missing, lies elsewhere, or is no float32 volume of that shape with finite values.
    """
    try:
        with (folder / _file_name(name)).open("rb") as stream:  # np.load would also take archives
            array: NDArray[np.float32] = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=10_000)
    except (OSError, ValueError, MemoryError, EOFError) as error:
        raise BadInput(f"{name} of the attention maps in {folder} is missing or damaged; look again.") from error
    if array.dtype != np.float32 or array.shape != tuple(shape) or not np.isfinite(array).all():
        raise BadInput(f"{name} of the attention maps in {folder} is no volume on their grid; look again.")
    return array


def _record(record: Any) -> AttentionRecord:
    grid = record["grid"]
    shape = tuple(int(length) for length in grid["shape"])
    affine = np.array(grid["affine"], dtype=np.float64)
    if len(shape) != 3 or min(shape) < 1 or affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ValueError("the grid is none")
    views = tuple(_view(row, shape) for row in record["views"])
    if not views:
        raise ValueError("there are no views")
    said, warnings, sentences = (_texts(record[name]) for name in ("said", "warnings", "sentences"))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    return AttentionRecord(
        _text(record["out"]), record["simulated"] is True, _finite(grid["spacing_mm"]), (shape[0], shape[1], shape[2]),
        rows, said, warnings, sentences, views,
    )  # fmt: skip


def _view(row: Mapping[str, Any], shape: tuple[int, ...]) -> View:
    texts: dict[str, Any] = {name: _text(row[name]) for name in _TEXTS}
    for name, known in (("slicing", SLICINGS), ("kind", KINDS), ("task", TASKS)):
        if texts[name] not in known:
            raise ValueError(f"'{texts[name]}' is no {name}")
    slices = shape[axis_of(texts["slicing"])]
    per_slice: dict[str, Any] = {name: _numbers(row[name], slices, name) for name in _SHOWN}
    for name in _MAYBE_SHOWN:
        values = row.get(name)
        per_slice[name] = None if values is None else _numbers(values, slices, name)
    if min(per_slice["weights"]) < 0 or abs(sum(per_slice["weights"]) - 1) > _SUM:
        raise ValueError("the weights are none")
    changed, classes, heads = row["changed"], row["classes"], row.get("heads")
    sanity = row.get("sanity", {})
    if not isinstance(sanity, dict):
        raise TypeError("'sanity' is none")
    return View(
        **texts, **per_slice,
        classes=None if classes is None else _texts(classes),
        prediction=_finite(row["prediction"]),
        spread=_finite_or_none(row["spread"]),
        difference=_finite_or_none(row["difference"]),
        effective_slices=_finite(row["effective_slices"]),
        present=_marks(row["present"], slices, "present"),
        changed=None if changed is None else _marks(changed, slices, "changed"),
        volume=_file_name(row["volume"]),
        map=None if row["map"] is None else _file_name(row["map"]),
        heads=None if heads is None else tuple(_numbers(values, slices, "heads") for values in heads),
        share_on_changed=_finite_or_none(row.get("share_on_changed")),
        by_chance=_finite_or_none(row.get("by_chance")),
        sanity=sanity,
    )  # fmt: skip


def _file_name(name: Any) -> str:
    """Of a file in the folder itself; a record of a stranger must not make us read others."""
    text = _text(name)
    if not text.endswith(".npy") or Path(text).name != text or "\\" in text or ":" in text or "\0" in text:
        raise ValueError(f"'{text[:80]}' is no name of an array in the folder")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is no text")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.80} is no list of sentences")
    return tuple(_text(value) for value in values)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.80} is no number")
    return float(value)


def _finite_or_none(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _numbers(values: Any, count: int, name: str) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"'{name}' has not one number for each of {count} slices")
    return tuple(_finite(value) for value in values)


def _marks(values: Any, count: int, name: str) -> tuple[bool, ...]:
    if not isinstance(values, list) or len(values) != count or not all(isinstance(value, bool) for value in values):
        raise ValueError(f"'{name}' has not true or false for each of {count} slices")
    return tuple(values)
