"""SFCN networks with what it takes to use them: the label, its bins, and what scans must look like."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.crop import GRID_MM
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.told import bins_told, label_told
from napari_mritransfer.io.atomic import write_bytes
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import fingerprint, merged_state
from napari_mritransfer.zoo.cohort_card import cohort_cards
from napari_mritransfer.zoo.download import fetched_file, git_blob_sha1
from napari_mritransfer.zoo.published import PUBLISHED, published_weights
from napari_mritransfer.zoo.weights import UnreadableWeights, assemble, guesses, read_weights, sha256_of

FACTS = "reuse"  # the entry of a checkpoint's metadata that holds them

# words for the same class, in lower case
_ALIKE = ({"f", "female", "woman", "women", "w", "girl"}, {"m", "male", "man", "men", "boy"})


@dataclass(frozen=True, slots=True)
class SfcnFacts:
    """What belongs to a network besides its weights.

    Attributes
    ----------
    label
        What it predicts.
    bins
        Of numbers; None for classes.
    preparation
        What was done to the scans it learned from, and must be done to all others.
    brain_only
        Whether it learned from scans that show the brain and nothing else.
    expected_error
        A sentence on how well it does; empty where unknown.
    simulated
        Whether it learned from simulated scans.
    training
        How it came about, in words.
    """

    label: Label
    bins: Bins | None
    preparation: Preparation
    brain_only: bool
    expected_error: str = ""
    simulated: bool = False
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse numbers without bins and classes with them, such as a file of a stranger may say."""
        if (self.bins is not None) != (self.label.task == "regression"):
            raise ValueError(f"a label with task '{self.label.task}' {'lacks' if self.bins is None else 'has no'} bins")

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "label": self.label.as_record(), "bins": None if self.bins is None else self.bins.as_record(),
            "preparation": self.preparation.as_record(), "brain_only": self.brain_only,
            "expected_error": self.expected_error, "simulated": self.simulated, "training": dict(self.training),
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "SfcnFacts":
        """The inverse of `as_record`.

        Raises
        ------
        ValueError, KeyError, TypeError, BadInput
            If it is something else.
        """
        bins = record["bins"]
        return cls(
            Label.from_record(record["label"]), None if bins is None else Bins.from_record(bins),
            Preparation(**record["preparation"]), bool(record["brain_only"]), str(record.get("expected_error", "")),
            bool(record.get("simulated", False)), dict(record.get("training", {})),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class SfcnModel:
    """A network that is ready to be re-used.

    Attributes
    ----------
    network
        With its weights, plain, in evaluation mode, on the CPU.
    source, title
        What the user typed; what people read.
    settings
        Of `SFCN`.
    facts
        See `SfcnFacts`.
    sha256
        Fingerprint of the weights.
    notes
        Sentences on what was assumed or left out.
    """

    network: SFCN
    source: str
    title: str
    settings: Mapping[str, Any]
    facts: SfcnFacts
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> Label:
        """What it predicts."""
        return self.facts.label


def open_sfcn(source: str, **told: Any) -> SfcnModel:
    """An SFCN by the name of a shipped or fetched one, the folder that holds one, or its file.

    Parameters
    ----------
    source
        What the user typed.
    **told
        Of the label and its bins, where the file does not say, see `cohort.told`.

    Raises
    ------
    UnreadableWeights
        If there is no such network, its file cannot be trusted, or it holds another kind.
    BadInput
        If what was told makes no sense, or a published network was not fetched yet.
    """
    path, title = _path_of(source)
    state, metadata = read_weights(path)
    network = assemble(state, metadata, path)
    if not isinstance(network, SFCN):
        raise UnreadableWeights(f"{path.name} holds a network of another kind; choose an SFCN, such as sfcn-age.")
    facts, notes = _facts(metadata, path), tuple(f"{path.name}: {sentence}" for sentence in guesses(metadata))
    if facts is None:
        facts, assumed = _published_facts(network, told)
        if not _is_published(path):  # of those it is known, and nothing has to be assumed
            notes += tuple(f"{path.name}: {sentence}" for sentence in assumed)
    elif told:
        notes += (f"{path.name} says itself what it predicts, so what was told of it was not used.",)
    expected = facts.bins.count if facts.bins is not None else len(facts.label.classes)
    if expected != network.outputs:
        raise UnreadableWeights(
            f"{path.name} has {network.outputs} outputs, but '{facts.label.name}' needs {expected}; tell what it "
            "predicts, or get the file from its author again."
        )
    settings = json.loads(metadata.get("settings", "{}"))
    return SfcnModel(network, source, title, settings, facts, fingerprint(network.state_dict()), notes)


def save_sfcn(path: Path, network: SFCN, settings: Mapping[str, Any], facts: SfcnFacts, **more: str) -> None:
    """Write a network and its facts as one safetensors file, factors folded into its weights.

    Parameters
    ----------
    more
        Further metadata.
    """
    metadata = {
        "format": "napari-mritransfer 1", "kind": "network", "architecture": "sfcn",
        "settings": json.dumps(dict(settings)), FACTS: json.dumps(facts.as_record()), **more,
    }  # fmt: skip
    write_bytes(path, serialised(merged_state(network), metadata))


def class_order(label: Label, classes: Sequence[str]) -> tuple[int, ...] | None:
    """Where a network's classes lie among those of a table: index into `classes` of each; None if nobody can tell.

    Names are compared in any case; ``F`` and ``M`` are understood as well as ``female`` and ``male``. Codes such as 0
    and 1 are not, because one half of the tables has them the other way round.
    """
    found = []
    for name in label.classes:
        alike = next((words for words in _ALIKE if name.lower() in words), {name.lower()})
        places = [index for index, own in enumerate(classes) if own.lower() in alike]
        if len(places) != 1:
            return None
        found.append(places[0])
    return tuple(found) if len(set(found)) == len(classes) else None


def _path_of(source: str) -> tuple[Path, str]:
    """The file, and what people read."""
    cards = {card.name: card for card in cohort_cards() if card.architecture == "sfcn"}
    if card := cards.get(source):
        if not card.weights.is_file() or sha256_of(card.weights) != card.sha256:
            raise UnreadableWeights(f"The weights of {source} are missing or were changed; reinstall the package.")
        return card.weights, source
    if entry := published_weights(source, "predictor"):
        path = fetched_file(entry)
        if git_blob_sha1(path) != entry.git_blob_sha1:
            raise UnreadableWeights(
                f"{path} is not the file that was published as {source}; delete it and run "
                f"`mritransfer models fetch {source}`, or give the path of a file that you trust."
            )
        return path, entry.title
    path = Path(source)
    path = path / BEST if path.is_dir() else path
    if not path.is_file():
        names = ", ".join([*cards, *(entry.name for entry in PUBLISHED if entry.kind == "predictor")])
        raise UnreadableWeights(f"There is no network called '{source}'; choose one of: {names}, or give a path.")
    return path, path.name if path.name != BEST else path.parent.name


def _is_published(path: Path) -> bool:
    known = {entry.git_blob_sha1 for entry in PUBLISHED if entry.kind == "predictor"}
    return git_blob_sha1(path) in known


def _facts(metadata: Mapping[str, str], path: Path) -> SfcnFacts | None:
    if FACTS not in metadata:
        return None
    try:
        return SfcnFacts.from_record(json.loads(metadata[FACTS]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadInput) as error:
        raise UnreadableWeights(
            f"{path.name} does not describe its label as it should ({error}); get it from its author again."
        ) from error


def _published_facts(network: SFCN, told: Mapping[str, Any]) -> tuple[SfcnFacts, tuple[str, ...]]:
    """What a person or else the authors' papers say of files that say nothing themselves, and what was assumed."""
    spacing = round(GRID_MM[0] / network.grid[0], 2)
    label, bins = label_told(told), bins_told(told, network.outputs)
    said = [
        f"It does not say how scans were prepared; as published, brains alone on the MNI grid at {spacing:g} mm, "
        "divided by their mean, were assumed."
    ]
    if label is None:
        label, assumed = _published_label(network.outputs, bins)
        said.append(f"It does not say what it predicts; {assumed} was assumed.")
    if label.task == "regression" and bins is None:
        bins = Bins()
        if network.outputs != bins.count:
            raise BadInput(
                f"A network with {network.outputs} outputs does not say which values of '{label.name}' they are; tell "
                "it, such as bins=42/82, or tell the classes if it predicts those."
            )
        said.append(f"It does not say where its bins lie; {bins.start:g} to {bins.stop:g} was assumed, as published.")
    if label.task != "regression" and bins is not None:
        raise BadInput(f"Bins are for numbers, and '{label.name}' has classes; tell either.")
    return SfcnFacts(label, bins, Preparation(spacing_mm=spacing, normalisation="mean"), True), tuple(said)


def _published_label(outputs: int, bins: Bins | None) -> tuple[Label, str]:
    """Of a network with so many outputs, and in words."""
    if bins is not None or outputs == Bins().count:
        return Label("age", unit="years"), "age in years"
    if outputs == 2:
        return Label("sex", "binary", classes=("female", "male")), "sex, female before male as published,"
    classes = tuple(f"class {index}" for index in range(outputs))
    return Label("prediction", "classes", classes=classes), f"a label with {outputs} classes"
