"""Everything that a re-use on a cohort needs to know, as one frozen value that can be written down. No torch here."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_mritransfer.cohort.config import Augmentation
from napari_mritransfer.cohort.label import TASKS, Task
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.training.config import BadConfig

BatchNorm = Literal["frozen", "moving"]
Correction = Literal["off", "quick", "all"]
_CHOICES: dict[str, tuple[object, ...]] = {
    "task": (*TASKS, None),
    "augmentation": ("none", "shift", "shift-mirror"),
    "batch_norm": ("frozen", "moving"),
    "bias_correction": ("off", "quick", "all"),
}
_LEAST = {
    "folds": 2, "repeats": 1, "inner_folds": 2, "epochs": 1, "batch": 1, "seed": 0, "permutations": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReuseConfig:
    """One comparison of ways to re-use a network.

    Attributes
    ----------
    table, label, task, group, image_column, subject_column
        As in `CohortConfig`.
    model
        An SFCN by name, path or run folder, see `reuse.model`.
    told
        What its file does not say.
    methods
        Names in `reuse.catalogue`; the baseline comes on its own.
    folds, repeats
        Of the outer cross-validation, by subject (or `group`).
    inner_folds
        Of the inner one, which chooses hyper-parameters among the training subjects.
    site
        Column of sites: each is tested once by networks and models of the others, instead of `folds` and `repeats`.
    sizes
        Learning curve: numbers of training subjects, beside all of a fold.
    permutations
        Of the labels, for p-values of methods that train no network; 0 for none.
    bias_correction
        Correct predictions of numbers for their dependence on the true value, beside the uncorrected ones: not at all,
        for methods that train no network ("quick"), or for all, which trains every network three times.
    epochs, batch, learning_rate, weight_decay
        Of networks that learn; None takes the method's rate.
    augmentation
        Of volumes that networks learn from: shifts of up to 2 voxels and mirroring as published, or less.
    batch_norm
        Whether running statistics stay as pretrained; the published program lets them move. Nothing of the kind is
        frozen in a network that learns from scratch.
    bins
        Of numbers; None for those of the network where the labels lie within, else over the training labels.
    check_brains
        Leave out scans that do not show what the network expects, see `cohort.brain`.
    device
        See `choose_device`.
    seed
        Of folds, networks, bootstrap and permutations.
    """

    table: str
    label: str
    model: str
    methods: tuple[str, ...]
    told: Mapping[str, Any] = field(default_factory=dict)
    task: Task | None = None
    group: str = ""
    image_column: str = ""
    subject_column: str = ""
    folds: int = 5
    repeats: int = 1
    inner_folds: int = 5
    site: str = ""
    sizes: tuple[int, ...] = ()
    permutations: int = 0
    bias_correction: Correction = "quick"
    epochs: int = 20
    batch: int = 4
    learning_rate: float | None = None
    weight_decay: float = 1e-3
    augmentation: Augmentation = "shift-mirror"
    batch_norm: BatchNorm = "frozen"
    bins: Bins | None = None
    check_brains: bool = True
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work, in one sentence that says what to choose instead."""
        if not self.table or not self.label:
            raise BadConfig("Re-use needs a table of subjects and the name of the column to predict.")
        if not self.model:
            raise BadConfig("Re-use needs a pretrained network; name one, such as sfcn-age, or give a file.")
        if not self.methods:
            raise BadConfig("No method was chosen; choose at least one, such as features-ridge.")
        for name in self.methods:
            reuse_method(name)
        if len(set(self.methods)) < len(self.methods):
            raise BadConfig("A method was named twice; name each once.")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                choices = ", ".join(str(choice) for choice in known)
                raise BadConfig(f"There is no '{name}' called '{getattr(self, name)}'; choose one of: {choices}.")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BadConfig(f"'{name}' is {value}; give a whole number of at least {least}.")
        sizes: tuple[object, ...] = self.sizes  # of a file, they may be anything
        if not all(isinstance(size, int) and not isinstance(size, bool) and size >= 2 for size in sizes):
            raise BadConfig("The sizes of a learning curve are whole numbers of training subjects, 2 at least.")
        if not 0 <= self.weight_decay < math.inf:  # written so that NaN fails too
            raise BadConfig(f"The weight decay is {self.weight_decay:g}; give a number of at least 0, such as 0.001.")
        if self.learning_rate is not None and not 0 < self.learning_rate < 10:
            raise BadConfig(f"The learning rate {self.learning_rate:g} cannot work; try 0.001.")

    def as_facts(self) -> dict[str, str]:
        """Every setting in words, for a report; the table and the network by name, not by where they lie."""
        record = {name.replace("_", " "): _in_words(value) for name, value in dataclasses.asdict(self).items()}
        return record | {"table": Path(self.table).name, "model": Path(self.model).name}

    def as_json(self) -> str:
        """The configuration as a JSON object, readable by `from_json`."""
        return json.dumps({"kind": "reuse", **dataclasses.asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "ReuseConfig":
        """Read back what `as_json` wrote.

        Raises
        ------
        BadConfig
            If the text is not such an object, or a setting is unknown or out of range.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or record.pop("kind", None) != "reuse":
                raise BadConfig("A re-use on a cohort is a JSON object of that kind; this is something else.")
            bins = record.pop("bins", None)
            for name in ("methods", "sizes"):
                record[name] = tuple(record.get(name, ()))
            return cls(bins=None if bins is None else Bins.from_record(bins), **record)
        except BadConfig:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadConfig(f"This is not the configuration of a re-use on a cohort: {error}.") from error


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {own}" for name, own in value.items()) or "–"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "–"
    return "–" if value in (None, "") else str(value)
