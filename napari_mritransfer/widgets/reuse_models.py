"""The networks that can be re-used on a cohort: shipped ones, published ones that were fetched, and files."""

from dataclasses import dataclass
from pathlib import Path

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.widgets.published_dialog import fetched_models
from napari_mritransfer.zoo.cohort_card import CohortCard, cohort_cards
from napari_mritransfer.zoo.published import PublishedWeights, published_weights

_WHOLE_BRAINS = "sfcn"  # the architecture


@dataclass(frozen=True, slots=True)
class ReuseModel:
    """A network as a list shows it.

    Attributes
    ----------
    source
        What the worker opens: a name, a run folder or a file.
    name
        What people read in a list.
    about
        What it predicts, learned from and expects, in sentences.
    may_be_told
        Whether its file may not say what it predicts.
    """

    source: str
    name: str
    about: str
    may_be_told: bool = False


def known_models() -> list[ReuseModel]:
    """Shipped networks and fetched ones; without the former where cards are damaged, so that others can be used."""
    try:
        shipped = [_shipped(card) for card in cohort_cards() if card.architecture == _WHOLE_BRAINS]
    except BadInput:
        shipped = []
    fetched = (published_weights(name, "predictor") for name, _, _ in fetched_models("predictor"))
    return [*shipped, *(_published(entry) for entry in fetched if entry is not None)]


def model_at(path: Path) -> ReuseModel:
    """A weights file or a run folder that somebody chose; the worker finds out what it is.

    Raises
    ------
    BadInput
        If it is a folder without a network.
    """
    if path.is_dir() and not (path / BEST).is_file():
        raise BadInput(f"{path} holds no network ({BEST}); choose a file of weights.")
    return ReuseModel(str(path), path.name, str(path), may_be_told=True)


def _shipped(card: CohortCard) -> ReuseModel:
    whose = "simulated data, and says nothing about people" if card.simulated else "data"
    told = [card.title, f"Predicts {card.predicts}", f"Learned from {whose}: {card.training['data']}"]
    if (bins := card.bins) is not None:
        stop, unit = bins["start"] + bins["count"] * bins["width"], f" {card.unit}".rstrip()
        told.append(f"By itself it predicts nothing below {bins['start']:g} or above {stop:g}{unit}")
    return ReuseModel(card.name, card.name, _sentences(told))


def _published(entry: PublishedWeights) -> ReuseModel:
    told = [entry.title, f"Trained on {entry.training}", f"Expects scans: {entry.conventions}", entry.licence]
    return ReuseModel(entry.name, entry.name, _sentences(told))


def _sentences(told: list[str]) -> str:
    return " ".join(f"{sentence.rstrip('.')}." for sentence in told)
