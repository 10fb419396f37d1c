"""A scan from a bare array whose axes were guessed or chosen: read it again with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from napari_mritransfer.io import load
from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions, Candidate
from napari_mritransfer.io.endings import ending
from napari_mritransfer.io.errors import BadInput, UnreadableScan
from napari_mritransfer.widgets.layers import KEY, is_scan_layer, views_of

_GUESSED = "were guessed"  # what the readers of bare arrays note, and nobody else


@dataclass(frozen=True, slots=True)
class Reading:
    """How a bare array was read.

    Attributes
    ----------
    path
        Its file.
    options
        What a person chose; where the program guessed, whether it took the array for k-space.
    """

    path: Path
    options: ArrayOptions


def reading_of(layer: Any) -> Reading | None:
    """How a layer's file was read; None where the file says itself what it is, or there is none."""
    own = layer.metadata.get(KEY) if layer is not None else None
    if not isinstance(own, Mapping) or own.get("kind") != "scan" or own["scan"].path is None:
        return None
    scan = own["scan"]
    if scan.files:  # DICOM says itself what its axes are
        return None
    if isinstance(own.get("options"), ArrayOptions):
        return Reading(scan.path, own["options"])
    if any(_GUESSED in note for note in scan.notes):
        return Reading(scan.path, ArrayOptions(space="image" if scan.kspace is None else "kspace"))
    return None


def question_about(reading: Reading) -> AmbiguousArray:
    """The question that the reader would have asked, had it not been able to guess.

    Raises
    ------
    BadInput
        If the file cannot be read any more.
    """
    sentence = f"This is how {reading.path.name} was read; change what is wrong."
    return AmbiguousArray(sentence, _candidates(reading.path), reading.options)


def without(layers: Any, layer: Any) -> int:
    """Remove a layer with the rest of its scan and the views of it, and tell the place that becomes free.

    Of a layer that is not there, or None, the place is the top.
    """
    if layer is None or layer not in layers:
        return len(layers)
    scan = layer.metadata[KEY]["scan"]
    own = [one for one in layers if is_scan_layer(one) and one.metadata[KEY]["scan"] is scan]
    views = [view for part in own for view in views_of(layers, part)]
    place = min(int(layers.index(one)) for one in own)
    for one in {*own, *views}:
        layers.remove(one)
    return place


def _candidates(path: Path) -> tuple[Candidate, ...]:
    if ending(path) == ".npy":  # one array without a name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise UnreadableScan(f"{path.name} is not there any more or was damaged; open it again.") from None
        return (Candidate("", array.shape, array.dtype.name),)
    try:
        load(path, variable=uuid4().hex)  # a name that no file holds: the reader lists those that it does hold
    except AmbiguousArray as question:
        return question.candidates
    raise BadInput(f"{path.name} is not what it was when it was opened; open it again.")
