"""The networks that can look at a scan: those that are shipped, and what was trained on this machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.rundir import BEST, RunDirectory
from napari_mritransfer.zoo.cohort_card import CohortCard, cohort_cards

_KIND = "cohort"  # what a run's configuration says of itself
_ANY_AXIS = "off"  # without position codes a slice is a slice, wherever it comes from


@dataclass(frozen=True, slots=True)
class CohortModel:
    """A network as a list shows it.

    Attributes
    ----------
    source
        What the worker opens: a name, a run folder or a file.
    name
        What people read in a list.
    about
        What it is and what it learned from, in sentences; empty for a file, which is not opened here.
    slicing
        How it cuts scans; empty where unknown.
    may_be_cut_otherwise
        Whether it has no position codes, so that slices along another axis can be given to it; True where unknown,
        for the worker refuses what cannot be.
    """

    source: str
    name: str
    about: str = ""
    slicing: str = ""
    may_be_cut_otherwise: bool = True


def shipped_models() -> list[CohortModel]:
    """Slice-set networks that come with the package; none where cards are damaged, so that others can still be used."""
    try:
        return [_shipped(card) for card in cohort_cards() if card.architecture == "sliceset"]
    except BadInput:
        return []


def trained_models(root: Path) -> list[CohortModel]:
    """The runs in a folder that have a model, newest name first; what is no training on a cohort is passed over."""
    folders = sorted((path for path in root.glob("*") if path.is_dir()), reverse=True)
    return [model for folder in folders if (model := _trained(folder)) is not None]


def model_in(path: Path) -> CohortModel:
    """A run folder or a weights file that somebody chose.

    Raises
    ------
    BadInput
        If it is a folder without a trained network.
    """
    if not path.is_dir():
        return CohortModel(str(path), path.name, str(path))
    found = _trained(path)
    if found is None:
        raise BadInput(f"{path} holds no training on a cohort with a model; choose the folder of one that has run.")
    return found


def _shipped(card: CohortCard) -> CohortModel:
    whose = "simulated data" if card.simulated else "data"
    told = (
        card.title,
        f"Predicts {card.predicts}; {_looks(card.slicing, card.pooling)}",
        f"Learned from {whose}: {card.training['data']}",
    )
    about = " ".join(f"{sentence.rstrip('.')}." for sentence in told)
    return CohortModel(card.name, card.name, about, card.slicing, _is_free(card.settings))


def _trained(folder: Path) -> CohortModel | None:
    directory = RunDirectory(folder)
    if not (folder / BEST).is_file():
        return None
    try:
        record = json.loads(directory.config_path.read_text(encoding="utf-8"))
        if record["kind"] != _KIND:
            return None
        network = dict(record.get("network", {}))
        started = f", began as {record['model']}" if record.get("model") else ""
        told = f"{record['label']} learned from {Path(record['table']).name}, strategy {record['strategy']}{started}."
        slicing, pooling = (str(network.get(key, "")) for key in ("slicing", "pooling"))
        if slicing and pooling:
            told += f" It {_looks(slicing, pooling)}."
        name = f"{folder.name} ({record['label']})"
        # a network that began as another one has the other one's position codes, which are not written here
        return CohortModel(str(folder), name, told, slicing, bool(record.get("model")) or _is_free(network))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # somebody else's files, or damaged ones


def _looks(slicing: str, pooling: str) -> str:
    return f"looks at {slicing} slices, joined by {pooling} pooling"


def _is_free(settings: Mapping[str, Any]) -> bool:
    return bool(settings.get("positions") == _ANY_AXIS)  # a network that is not told otherwise has codes
