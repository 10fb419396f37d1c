"""What a person tells about a network that its file does not: ``pooling=max,label=age,unit=years``. No torch here."""

from collections.abc import Mapping
from typing import Any

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.io.errors import BadInput

_OF_LABEL = ("label", "task", "unit", "classes", "mean", "std")
_NUMBERS = ("heads", "mean", "std")
_OF_NETWORK = ("pooling", "slicing", "heads")
_BINS = "bins"
_BINS_EXAMPLE = "bins=42/82"
_EXAMPLE = "pooling=max,label=age,unit=years"


def read_told(text: str) -> dict[str, Any]:
    """``name=value`` pairs with commas between them; several classes, and both ends of bins, are separated by ``/``.

    Raises
    ------
    BadInput
        If a name is unknown, or a value is no number where one is needed.
    """
    told: dict[str, Any] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, is_pair, value = (part.strip() for part in pair.partition("="))
        if not is_pair or name not in (*_OF_LABEL, *_OF_NETWORK, _BINS):
            known = ", ".join((*_OF_NETWORK, *_OF_LABEL, _BINS))
            raise BadInput(f"'{pair}' tells nothing about a network; write pairs of {known}, such as {_EXAMPLE}.")
        try:
            told[name] = (int if name == "heads" else float)(value) if name in _NUMBERS else value
        except ValueError:
            raise BadInput(f"'{name}' is {value}; give a number.") from None
    return told


def label_told(told: Mapping[str, Any]) -> Label | None:
    """The label that was told; None if none was.

    Raises
    ------
    BadInput
        If it makes no sense.
    """
    if not any(name in told for name in _OF_LABEL):
        return None
    classes = tuple(name for name in str(told.get("classes", "")).split("/") if name)
    task = told.get("task", "binary" if len(classes) == 2 else "classes" if classes else "regression")
    if task == "binary" and not classes:
        classes = ("no", "yes")
    try:
        return Label(
            str(told.get("label", "prediction")), task, str(told.get("unit", "")), classes,
            float(told.get("mean", 0.0)), float(told.get("std", 1.0)),
        )  # fmt: skip
    except ValueError as error:
        raise BadInput(f"What was told of the label makes no sense: {error}") from error


def bins_told(told: Mapping[str, Any], count: int) -> Bins | None:
    """So many equal bins over the range that was told, such as ``42/82``; None if none was.

    Raises
    ------
    BadInput
        If it is no range.
    """
    if _BINS not in told:
        return None
    start, _, stop = str(told[_BINS]).partition("/")
    try:
        width = (float(stop) - float(start)) / count
        return Bins(float(start), width, count, width)
    except ValueError as error:
        raise BadInput(f"The bins '{told[_BINS]}' are no range; write both ends, such as {_BINS_EXAMPLE}.") from error


def network_told(told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were told."""
    return {name: told[name] for name in _OF_NETWORK if name in told}
