"""Slice-set networks with what it takes to use them: the label they predict and what scans must look like."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.io.atomic import write_bytes
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.networks.sliceset import SliceSet, without_embedding_norm
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import fingerprint, merged_state
from napari_mritransfer.zoo.cohort_card import CohortCard, cohort_cards
from napari_mritransfer.zoo.weights import UnreadableWeights, assemble, guesses, read_weights, sha256_of

FACTS = "cohort"  # the entry of a checkpoint's metadata that holds them


@dataclass(frozen=True, slots=True)
class Facts:
    """What belongs to a network besides its weights.

    Attributes
    ----------
    label
        What it predicts.
    preparation
        What was done to the scans it learned from, and must be done to all others.
    mean_attention
        ``(slices,)`` relative weights, mean over the scans it was validated on; empty where unknown.
    expected_error
        A sentence on its validation, such as "MAE 3.2 years over 12 validation scans"; empty where unknown.
    simulated
        Whether it learned from simulated scans.
    training
        How it came about, in words.
    """

    label: Label
    preparation: Preparation = Preparation()
    mean_attention: tuple[float, ...] = ()
    expected_error: str = ""
    simulated: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """For a checkpoint's metadata."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Facts":
        """The inverse of `as_json`, parsed.

        Raises
        ------
        ValueError, KeyError, TypeError, BadInput
            If it is something else.
        """
        mean = tuple(float(weight) for weight in record.get("mean_attention", ()))
        if not all(0 <= weight < math.inf for weight in mean):  # written so that NaN fails too
            raise ValueError("the cohort's mean map holds what is no weight")
        return cls(
            Label.from_record(record["label"]),
            Preparation(**record["preparation"]),
            mean,
            str(record.get("expected_error", "")),
            bool(record.get("simulated", False)),
            dict(record.get("training", {})),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CohortModel:
    """A network that is ready to predict.

    Attributes
    ----------
    network
        With its weights, plain (factors merged), in evaluation mode, on the CPU.
    source, title
        What the user typed; what people read.
    settings
        Of `SliceSet`.
    facts
        See `Facts`.
    sha256
        Fingerprint of the weights.
    notes
        Sentences on what was assumed or left out.
    """

    network: SliceSet
    source: str
    title: str
    settings: Mapping[str, Any]
    facts: Facts
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> Label:
        """What it predicts."""
        return self.facts.label


def open_cohort_model(source: str, *, label: Label | None = None, **known: object) -> CohortModel:
    """A slice-set network by the name of a shipped one, run directory or weights file, those of others included.

    Parameters
    ----------
    source
        What the user typed.
    label
        What it predicts, where the file does not say.
    **known
        Settings that the file does not tell, such as ``pooling="max"`` for a published checkpoint.

    Raises
    ------
    UnreadableWeights
        If there is no such model, its files cannot be trusted, or they hold another kind of network.
    """
    cards = {card.name: card for card in cohort_cards() if card.architecture == "sliceset"}
    if card := cards.get(source):
        return _shipped(card)
    path = Path(source)
    if path.is_dir():
        path = path / BEST
        if not path.is_file():
            raise UnreadableWeights(f"{source} holds no trained network ({BEST}); give the folder of a training.")
    if not path.is_file():
        names = ", ".join(cards) or "none is shipped"
        raise UnreadableWeights(f"There is no model called '{source}'; choose one of: {names}, or give a path.")
    state, metadata = read_weights(path, **known)
    network = assemble(state, metadata, path)
    if not isinstance(network, SliceSet):
        raise UnreadableWeights(f"{path.name} holds {_other_kind(network)}; choose a slice-set network.")
    notes = _notes(path, metadata)
    facts = _facts(metadata, path)
    if facts is None:
        assumed = label or (Label("prediction") if network.outputs == 1 else _numbered(network.outputs))
        facts = Facts(assumed, Preparation(spacing_mm=_spacing(network)))
        notes += () if label else (f"{path.name} does not say what it predicts or in which unit.",)
    if facts.label.outputs != network.outputs:
        raise UnreadableWeights(
            f"{path.name} has {network.outputs} outputs, but '{facts.label.name}' needs {facts.label.outputs}; "
            "it was damaged or named wrongly."
        )
    settings = json.loads(metadata.get("settings", "{}"))
    title = Path(source).name or source
    return CohortModel(network, source, title, settings, facts, fingerprint(network.state_dict()), notes)


def save_cohort_model(path: Path, network: SliceSet, settings: Mapping[str, Any], facts: Facts, **more: str) -> None:
    """Write a network and its facts as one safetensors file, factors and norms of its training folded into weights.

    Parameters
    ----------
    more
        Further metadata.
    """
    metadata = {
        "format": "napari-mritransfer 1", "kind": "network", "architecture": "sliceset",
        "settings": json.dumps(dict(settings)), FACTS: facts.as_json(), **more,
    }  # fmt: skip
    write_bytes(path, serialised(without_embedding_norm(merged_state(network)), metadata))


def _shipped(card: CohortCard) -> CohortModel:
    found = sha256_of(card.weights) if card.weights.is_file() else ""
    if found != card.sha256:
        raise UnreadableWeights(f"The weights of {card.name} are missing or were changed; reinstall the package.")
    state, metadata = read_weights(card.weights)
    network = assemble(state, metadata, card.weights)
    facts = _facts(metadata, card.weights)
    if not isinstance(network, SliceSet) or facts is None:
        raise UnreadableWeights(f"The weights of {card.name} do not fit its card; reinstall the package.")
    sha256 = fingerprint(network.state_dict())
    # the card has a sentence, too long for cells and tables
    return CohortModel(network, card.name, card.name, json.loads(metadata["settings"]), facts, sha256)


def _facts(metadata: Mapping[str, str], path: Path) -> Facts | None:
    if FACTS not in metadata:
        return None
    try:
        return Facts.from_record(json.loads(metadata[FACTS]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadInput) as error:
        raise UnreadableWeights(
            f"{path.name} does not describe its label as it should ({error}); get it from its author again."
        ) from error


def _other_kind(network: nn.Module) -> str:
    if isinstance(network, SFCN):
        return "an SFCN, which sees whole brains rather than slices and is for `mritransfer cohort reuse`"
    return "a network that reconstructs images"


def _notes(path: Path, metadata: Mapping[str, str]) -> tuple[str, ...]:
    dropped = json.loads(metadata.get("dropped", "[]"))
    told = [f"{path.name}: {sentence}" for sentence in guesses(metadata)]
    if isinstance(dropped, list) and dropped:
        told.append(f"{path.name} holds more than weights; left out: {', '.join(map(str, dropped))}.")
    return tuple(told)


def _numbered(outputs: int) -> Label:
    names = tuple(f"class {index}" for index in range(outputs))
    return Label("prediction", "classes", classes=names)


def _spacing(network: SliceSet) -> float:
    """Of the MNI grid with so many slices along i: 91 are 2 mm apart."""
    return round(182 / network.grid[0], 1)
