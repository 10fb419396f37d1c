"""What a run leaves on disk: learned weights that find their base again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from napari_mritransfer.io.atomic import write_bytes
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import (
    fingerprint,
    is_adapted,
    is_mergeable,
    learned_state,
    load_learned_state,
    merge,
    transfer,
)
from napari_mritransfer.zoo.card import ModelCard, UnknownModel, model_card, model_cards
from napari_mritransfer.zoo.cohort_card import cohort_cards
from napari_mritransfer.zoo.download import fetched_file
from napari_mritransfer.zoo.published import published_weights
from napari_mritransfer.zoo.weights import (
    PREDICTORS,
    UnreadableWeights,
    assemble,
    build,
    load_base,
    load_strictly,
    read_weights,
)

_LONGEST_CHAIN = 32


@dataclass(frozen=True, slots=True, eq=False)
class BaseModel:
    """A plain network with what is needed to build it again.

    Attributes
    ----------
    network
        With its weights, in evaluation mode; with adapters where a strategy left some.
    source
        Zoo name or path, as the user gave it.
    architecture, settings
        See `zoo.weights.build`.
    card
        Of the zoo model, or of the zoo model at the root of a chain of transfers; None for a stranger's file.
    sha256
        Fingerprint of its weights as they were opened, see `transfer.model.fingerprint`.
    notes
        Sentences on what was left out of a file that others saved.
    """

    network: nn.Module
    source: str
    architecture: str
    settings: Mapping[str, Any]
    card: ModelCard | None
    sha256: str
    notes: tuple[str, ...] = ()


def open_model(source: str, *, which: str = BEST) -> BaseModel:
    """A network by the name of shipped or fetched weights, run directory or weights file.

    Factors are merged into its weights; adapters, which cannot be, stay beside them.

    Parameters
    ----------
    source
        What the user typed.
    which
        File to take from a run directory: the best (default) or the last step.

    Raises
    ------
    UnknownModel, UnreadableWeights
        If there is no such model or its files cannot be trusted.
    """
    return _open(source, which, ())


def check_named(source: str) -> None:
    """Say at once that there is no such model, before anything that takes long; files are opened later.

    Raises
    ------
    UnknownModel
        If `source` is neither the name of a model nor a path that exists.
    """
    names, path = [card.name for card in model_cards()], Path(source)
    if published_weights(source) is not None or source in names or path.exists():
        return
    if path.suffix or len(path.parts) > 1:
        raise UnknownModel(f"There is no model file or run directory at {source}; check the path.")
    is_other = published_weights(source, None) or any(card.name == source for card in cohort_cards())
    what = f"'{source}' does not reconstruct images" if is_other else f"There is no model called '{source}'"
    raise UnknownModel(f"{what}; choose one of: {', '.join(names)}.")


def save_checkpoint(
    path: Path, model: nn.Module, base: BaseModel, config: FinetuneConfig, *, step: int, psnr: float | None
) -> None:
    """Write what was learned: the factors alone where the base stayed frozen, otherwise the whole network."""
    adapted = is_adapted(model)
    metadata = {
        "format": "napari-mritransfer 1",
        "kind": "factors" if adapted else "network",
        "architecture": base.architecture,
        "settings": json.dumps(dict(base.settings)),
        "strategy": config.strategy,
        "strategy_options": json.dumps(dict(config.strategy_options)),
        "base": base.source if _is_name(base) else str(Path(base.source).resolve()),
        "base_sha256": base.sha256,
        "step": str(step),
        "psnr": "" if psnr is None else f"{psnr:.6f}",
    }
    write_bytes(path, serialised(learned_state(model), metadata))


def _is_name(base: BaseModel) -> bool:
    """Whether the source is a name in the zoo rather than a path."""
    return base.source == getattr(base.card, "name", None) or published_weights(base.source) is not None


def _open(source: str, which: str, above: tuple[Path, ...]) -> BaseModel:
    check_named(source)
    path = Path(source)
    cards = {card.name: card for card in model_cards()}
    if entry := published_weights(source):
        return _open_checkpoint(fetched_file(entry), source, above)
    if card := cards.get(source):  # before a folder that happens to have the same name
        network = load_base(card)
        return BaseModel(network, source, card.architecture, card.settings, card, fingerprint(network.state_dict()))
    if path.is_dir():
        if not (path / which).is_file():
            raise UnreadableWeights(f"{source} holds no checkpoint ({which}); give a run directory or resume it.")
        return _open_checkpoint(path / which, source, above)
    return _open_checkpoint(path, source, above)


def _open_checkpoint(path: Path, source: str, above: tuple[Path, ...]) -> BaseModel:
    """One link of a chain of transfers; `above` are the files that were opened on the way here."""
    if path.resolve() in above:
        raise UnreadableWeights(
            f"{path} is its own base, directly or in a circle: it was tampered with, so get it from its author again."
        )
    if len(above) >= _LONGEST_CHAIN:
        raise UnreadableWeights(
            f"{above[0]} stands on more than {_LONGEST_CHAIN} transfers; use the strategy 'ft' for the next one."
        )
    state, metadata = read_weights(path)
    if metadata.get("architecture") in PREDICTORS:
        raise UnreadableWeights(
            f"{path.name} holds a network that predicts a label from a volume and reconstructs no image; choose "
            "another file, or use this one with `mritransfer cohort predict`."
        )
    if metadata.get("kind") != "factors":
        network = assemble(state, metadata, path)
        settings, sha256 = json.loads(metadata.get("settings", "{}")), fingerprint(network.state_dict())
        card, notes = _root_card(metadata), _notes(path, metadata)
        return BaseModel(network, source, metadata["architecture"], settings, card, sha256, notes)
    try:
        options = dict(json.loads(metadata["strategy_options"]))
        base_name, strategy, expected = metadata["base"], metadata["strategy"], metadata["base_sha256"]
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableWeights(f"{path} lacks the description of its base; run the transfer again.") from error
    base = _open(base_name, BEST, (*above, path.resolve()))
    if base.sha256 != expected:
        raise UnreadableWeights(
            f"{path} was learned on other weights than '{base_name}' has today; install the version it was made with."
        )
    try:
        transfer(base.network, strategy, options)
        load_learned_state(base.network, state)
    except (ValueError, TypeError) as error:
        raise UnreadableWeights(f"{path} cannot be put on its base: {error}") from error
    plain = base.network
    if is_mergeable(base.network):
        merge(base.network)
        if not options.get("add_biases"):
            plain = build(base.architecture, dict(base.settings))
            load_strictly(plain, base.network.state_dict(), path)
    sha256 = fingerprint(plain.state_dict())
    return BaseModel(plain.eval(), source, base.architecture, base.settings, base.card, sha256)


def _notes(path: Path, metadata: Mapping[str, str]) -> tuple[str, ...]:
    dropped = json.loads(metadata.get("dropped", "[]"))
    if not isinstance(dropped, list) or not dropped:
        return ()
    return (f"{path.name} holds more than weights; left out: {', '.join(str(name) for name in dropped)}.",)


def _root_card(metadata: Mapping[str, str]) -> ModelCard | None:
    """The card behind a transferred network: what its base was trained on still bounds what it knows.

    A whole network needs no base to be opened, so a base that is gone or damaged only costs the card.
    """
    for _ in range(_LONGEST_CHAIN):
        name = metadata.get("base", "")
        try:
            return model_card(name)
        except UnknownModel:
            path = Path(name) / BEST if Path(name).is_dir() else Path(name)
        try:
            _, metadata = read_weights(path)
        except UnreadableWeights:
            return None
    return None
