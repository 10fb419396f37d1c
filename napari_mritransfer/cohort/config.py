"""Everything a training on a cohort needs to know, as one frozen value that can be written down. No torch here."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_mritransfer.cohort.label import TASKS, Task
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.strategies import CohortStrategy, cohort_strategy
from napari_mritransfer.training.config import BadConfig, Optimiser

Augmentation = Literal["none", "shift", "shift-mirror"]
_CHOICES: dict[str, tuple[object, ...]] = {
    "task": (*TASKS, None),
    "augmentation": ("none", "shift", "shift-mirror"),
    "precision": ("auto", "float32", "bfloat16"),
}


@dataclass(frozen=True, slots=True)
class CohortConfig:
    """One training of a slice-set network on the scans and labels of a table.

    Attributes
    ----------
    table
        Path of participants.tsv, of a CSV or Excel table, or of the folder of a BIDS data set.
    label
        Column to predict.
    model
        Network to start from: name of a shipped one, run directory or weights file; empty for a new one.
    told
        What its file does not say, see `cohort.told`.
    strategy, strategy_options
        See `cohort.strategies`; a new network without `encoder_weights` always learns from scratch.
    network
        Arguments of `networks.sliceset.SliceSet` for a new network; `grid` and `outputs` follow from the rest.
    encoder_weights
        For a new ResNet: an ImageNet entry of the zoo or a file, see `zoo.imagenet`; empty for random weights. The
        strategy then is one that keeps them: not ``"scratch"``, which draws all weights anew.
    task
        Kind of label; None to tell from its values.
    preparation
        What is done to every scan.
    augmentation
        What is done to training volumes at each draw: nothing (published), shifts by up to 2 voxels, or those and
        mirroring left and right.
    embedding_norm
        Train a new head behind a batch norm, which is folded into it before it is saved, see `SliceSet`; the published
        training has none.
    group
        Column whose groups never straddle the split, such as family, site or head; empty for the subjects themselves.
    split
        Path of a saved split; empty to make one from the shares and `split_seed`.
    test, validation
        Shares of the subjects.
    fold, folds
        Of a cross-validation: `fold` (from 0) is tested; no cross-validation with 0 folds.
    image_column, subject_column
        Of the table, where it is not clear by itself.
    learning_rate
        None takes the strategy's.
    epochs, steps_per_epoch
        0 steps per epoch means one pass over the training scans.
    weight_decay
        With ``"adam"`` added to the gradient (published: 1e-4), with ``"adamw"`` decoupled from it.
    batch, optimiser, patience, device, devices, precision, seed
        As in `training.config.FinetuneConfig`.
    """

    table: str
    label: str
    model: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    strategy: str = "scratch"
    strategy_options: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    encoder_weights: str = ""
    task: Task | None = None
    preparation: Preparation = Preparation()
    augmentation: Augmentation = "none"
    embedding_norm: bool = True
    group: str = ""
    split: str = ""
    split_seed: int = 0
    test: float = 0.2
    validation: float = 0.2
    fold: int = 0
    folds: int = 0
    image_column: str = ""
    subject_column: str = ""
    learning_rate: float | None = None
    epochs: int = 100
    steps_per_epoch: int = 0
    batch: int = 8
    optimiser: Optimiser = Optimiser.ADAM
    weight_decay: float = 1e-4
    patience: int = 0
    device: str = "auto"
    devices: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work, in one sentence that says what to choose instead."""
        row = cohort_strategy(self.strategy)
        if not self.table or not self.label:
            raise BadConfig("Training needs a table of subjects and the name of the column to predict.")
        if not self.model and not self.encoder_weights and row.name != "scratch":
            raise BadConfig(f"Strategy '{row.name}' moves a network that was trained before; name one with the model.")
        if self.encoder_weights:
            self._check_encoder(row)
        if self.network.get("imagenet_statistics") and self.preparation.normalisation != "percentile":
            raise BadConfig(
                "The statistics of photographs are those of values from 0 to 1; use the normalisation 'percentile' "
                "with them."
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                choices = ", ".join(str(choice) for choice in known)
                raise BadConfig(f"There is no '{name}' called '{getattr(self, name)}'; choose one of: {choices}.")
        for name, least in (("epochs", 1), ("batch", 1), ("devices", 1), ("steps_per_epoch", 0), ("patience", 0),
                            ("seed", 0), ("split_seed", 0), ("fold", 0), ("folds", 0)):  # fmt: skip
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise BadConfig(f"'{name}' is {value}; give a whole number of at least {least}.")
        if self.devices > 1:
            raise BadConfig("Slice-set networks train on one device; set 'devices' to 1.")
        if self.folds == 1 or (self.folds and self.fold >= self.folds):
            raise BadConfig(f"Fold {self.fold} of {self.folds} does not exist; there are at least 2, counted from 0.")
        # written so that NaN fails too
        if not (0 <= self.test < 1 and 0 < self.validation < 1 and self.test + self.validation < 1):
            raise BadConfig("The shares of test and validation must leave some of the subjects for training.")
        if not 0 <= self.weight_decay < math.inf:
            raise BadConfig(f"The weight decay is {self.weight_decay:g}; give a number of at least 0, such as 0.0001.")
        if self.learning_rate is not None and not 0 < self.learning_rate < 10:
            raise BadConfig(f"The learning rate {self.learning_rate:g} cannot work; try {row.learning_rate or 1e-3:g}.")

    def _check_encoder(self, row: CohortStrategy) -> None:
        if self.model:
            raise BadConfig("A network that is trained already has its encoder; leave the encoder's weights out.")
        if row.name == "scratch":
            raise BadConfig(
                "Strategy 'scratch' draws all weights anew, those of the encoder too; choose ft, frozen-encoder or lft."
            )
        if row.learning_rate is None:
            raise BadConfig(
                f"With strategy '{row.name}' nothing learns, and what follows the encoder is new; choose ft, "
                "frozen-encoder or lft."
            )

    @property
    def rate_of_learning(self) -> float:
        """The learning rate that will be used."""
        return self.learning_rate or cohort_strategy(self.strategy).learning_rate or 0.0

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole job, once the steps of an epoch are known; none where nothing learns."""
        return self.epochs * self.steps_per_epoch if cohort_strategy(self.strategy).learning_rate else 0

    def as_json(self) -> str:
        """The configuration as a JSON object, readable by `from_json`."""
        return json.dumps({"kind": "cohort", **dataclasses.asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "CohortConfig":
        """Read back what `as_json` wrote.

        Raises
        ------
        BadConfig
            If the text is not such an object, or a setting is unknown or out of range.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict) or record.pop("kind", None) != "cohort":
                raise BadConfig("A training on a cohort is a JSON object of that kind; this is something else.")
            preparation = Preparation(**record.pop("preparation", {}))
            if "optimiser" in record:
                record["optimiser"] = Optimiser(record["optimiser"])
            return cls(preparation=preparation, **record)
        except BadConfig:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadConfig(f"This is not the configuration of a training on a cohort: {error}.") from error
