"""Cards of shipped networks that predict a label from a volume: what they say and what they learned from. No torch."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.zoo.card import UnknownModel

CohortTask = Literal["regression", "binary", "classes"]
_FOLDER = resources.files("napari_mritransfer") / "resources" / "cohort_models"
_SLICINGS = ("sagittal", "coronal", "axial")
_POOLINGS = ("mean", "max", "attention")
_TOLD = ("data", "licence", "simulated")  # what nobody may be left to guess
_MAY_LACK = ("bins", "brain_only")  # cards that were written before there were networks for whole brains
_WHOLE_BRAINS = "sfcn"  # the architecture
_SFCN_OUTPUTS = 40  # where the settings do not say
_BINS = ("start", "width", "count", "sigma")
_ROUNDING = 0.01  # of the mean of relative weights, which are stored with few digits
_FEWEST_CLASSES = 3  # two are a yes or no


class BrokenCard(BadInput):
    """A card that was not written as it should."""


@dataclass(frozen=True, slots=True)
class CohortCard:
    """Everything to know before believing a prediction.

    Attributes
    ----------
    name, title
        What users type; what they read.
    architecture, settings
        See `zoo.weights.build`.
    sha256
        Of the weights file.
    parameters
        How many weights learn.
    label, unit
        What is predicted, such as ``age``, and in which unit; the unit may be empty.
    task
        Whether that is a number, a yes or no, or one of several classes.
    classes
        Their names in the order of the outputs; none for numbers.
    label_mean, label_std
        Of numbers, over the training scans: a slice-set network predicts (value - mean) / std.
    preparation
        What scans have to go through first: arguments of `cohort.preparation.Preparation`.
    slicing, pooling
        How volumes are cut, and how slices are joined; empty for an SFCN, which sees whole brains.
    mean_attention
        ``(slices,)`` relative weights (1 is uniform), mean over the validation scans; empty where unknown.
    training
        Data, whether these are simulated, licence, seed, command, subjects kept out: the sentences of the card.
    metrics
        Measured quality, each with its convention.
    bins
        Of an SFCN for numbers: ``start``, ``width``, ``count`` and ``sigma``, see `cohort.reuse.bins`.
    brain_only
        Whether it learned from scans that show the brain and nothing else.
    """

    name: str
    title: str
    architecture: str
    settings: Mapping[str, Any]
    sha256: str
    parameters: int
    label: str
    unit: str
    task: CohortTask
    classes: tuple[str, ...]
    label_mean: float
    label_std: float
    preparation: Mapping[str, Any]
    slicing: str
    pooling: str
    mean_attention: tuple[float, ...]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    bins: Mapping[str, float] | None = None
    brain_only: bool = False

    @property
    def weights(self) -> Path:
        """The safetensors file beside the card."""
        return Path(str(_FOLDER / f"{self.name}.safetensors"))

    @property
    def simulated(self) -> bool:
        """Whether it learned from simulated scans, so that it says nothing about people."""
        return bool(self.training["simulated"])

    @property
    def predicts(self) -> str:
        """What comes out, in words: ``age in years``, ``disease: healthy or diseased``."""
        if self.task == "regression":
            return f"{self.label} in {self.unit}" if self.unit else self.label
        *others, last = self.classes
        return f"{self.label}: {', '.join(others)} or {last}"


def cohort_cards() -> list[CohortCard]:
    """The cards of all shipped networks that predict, by name.

    Raises
    ------
    BrokenCard
        If one of them cannot be read.
    """
    if not _FOLDER.is_dir():
        return []
    files = sorted(
        (entry.name for entry in _FOLDER.iterdir() if entry.name.endswith(".json")), key=lambda name: Path(name).stem
    )
    return [_read(Path(str(_FOLDER / name))) for name in files]


def cohort_card(name: str) -> CohortCard:
    """The card of one network.

    Raises
    ------
    UnknownModel
        If there is none of that name.
    BrokenCard
        See `cohort_cards`.
    """
    cards = {card.name: card for card in cohort_cards()}
    if name not in cards:
        choices = f"choose one of: {', '.join(cards)}" if cards else "none is shipped, so give the path of one"
        raise UnknownModel(f"There is no network called '{name}' that predicts a label; {choices}.")
    return cards[name]


def _read(path: Path) -> CohortCard:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("it is no JSON object")
        wanted = {field.name for field in fields(CohortCard)} - {"name"}
        if wrong := sorted(wanted ^ (record.keys() | _MAY_LACK)):
            raise ValueError(f"'{wrong[0]}' is {'missing' if wrong[0] in wanted else 'unknown'}")
        for name in ("classes", "mean_attention"):
            record[name] = tuple(record[name])
        card = CohortCard(name=path.stem, **record)
        _check(card)
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120].rstrip(".")
        raise BrokenCard(
            f"The card {path.name} of a shipped network is damaged ({reason}); reinstall the package."
        ) from error
    return card


def _check(card: CohortCard) -> None:
    """Refuse what makes no sense.

    Raises
    ------
    ValueError, TypeError
        With what it is.
    """
    for name in ("title", "architecture", "label"):
        _demand(_is_text(getattr(card, name)), f"'{name}' is no text")
    for name in ("settings", "preparation", "training", "metrics"):
        _demand(isinstance(getattr(card, name), dict), f"'{name}' is no JSON object")
    _demand(isinstance(card.unit, str), "'unit' is no text")
    _demand(re.fullmatch("[0-9a-f]{64}", card.sha256), "'sha256' is no checksum")
    _demand(type(card.parameters) is int and card.parameters > 0, "'parameters' is no count")
    _demand(card.task in get_args(CohortTask), f"there is no task '{card.task}'")
    _demand(all(_is_text(name) for name in card.classes), "'classes' are no names")
    fits = {"regression": not card.classes, "binary": len(card.classes) == 2,
            "classes": len(card.classes) >= _FEWEST_CLASSES}  # fmt: skip
    _demand(fits[card.task], f"{len(card.classes)} classes are not those of a {card.task} label")
    _demand(math.isfinite(card.label_mean), "'label_mean' is no number")
    _demand(math.isfinite(card.label_std) and card.label_std > 0, "'label_std' is no positive number")
    _demand(isinstance(card.brain_only, bool), "'brain_only' is neither true nor false")
    if card.architecture == _WHOLE_BRAINS:
        _check_outputs(card)
    else:
        _check_slices(card)
    for name in _TOLD:
        _demand(name in card.training, f"'training' does not tell '{name}'")
    _demand(isinstance(card.training["simulated"], bool), "'simulated' is neither true nor false")


def _check_slices(card: CohortCard) -> None:
    for name, known in (("slicing", _SLICINGS), ("pooling", _POOLINGS)):
        value = getattr(card, name)
        _demand(value in known, f"there is no {name} '{value}'")
        _demand(card.settings.get(name, value) == value, f"'{name}' and the settings differ")
    _check_attention(card.mean_attention, card.settings.get("grid"), card.slicing)
    _demand(card.bins is None, f"a network of architecture '{card.architecture}' has no 'bins'")


def _check_outputs(card: CohortCard) -> None:
    """Of an SFCN: bins for numbers, classes otherwise, and nothing about slices."""
    _demand((card.slicing, card.pooling, card.mean_attention) == ("", "", ()), "an SFCN has no slices")
    outputs = card.settings.get("outputs", _SFCN_OUTPUTS)
    if card.task != "regression":
        _demand(card.bins is None, "'bins' are for numbers, and it predicts classes")
        _demand(outputs == len(card.classes), f"{outputs} outputs are not {len(card.classes)} classes")
        return
    _demand(isinstance(card.bins, dict) and card.bins.keys() == set(_BINS), f"'bins' do not tell {', '.join(_BINS)}")
    bins = card.bins or {}
    _demand(all(math.isfinite(number) for number in bins.values()), "'bins' are no numbers")
    _demand(bins["width"] > 0 and bins["sigma"] > 0, "'bins' are empty")
    _demand(outputs == bins["count"], f"{outputs} outputs are not {bins['count']} bins")


def _check_attention(weights: Sequence[float], grid: Sequence[int] | None, slicing: str) -> None:
    if not weights:
        return
    _demand(all(math.isfinite(weight) and weight >= 0 for weight in weights), "'mean_attention' are no weights")
    mean = math.fsum(weights) / len(weights)
    _demand(abs(mean - 1) <= _ROUNDING, f"relative weights have a mean of 1, those of 'mean_attention' of {mean:.3g}")
    slices = len(weights) if grid is None else grid[_SLICINGS.index(slicing)]
    _demand(len(weights) == slices, f"'mean_attention' is of {len(weights)} slices, the network takes {slices}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _demand(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
