"""Everything a fine-tuning job needs to know, as one frozen value that can be written down. No torch here."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.transfer.catalogue import strategy as find_strategy


class Loss(StrEnum):
    """What training minimises, on images scaled to about 1."""

    L1 = "l1"
    L1_SSIM = "l1+ssim"
    MSE = "mse"


class Optimiser(StrEnum):
    """Adam, Adam with decoupled weight decay, or stochastic gradient descent with momentum 0.9."""

    ADAM = "adam"
    ADAMW = "adamw"
    SGD = "sgd"


LARGEST_SNR_DB = 300  # either way: far beyond what float32 can tell from no noise, or from nothing but noise
SSIM_WINDOW = 7
_CHOICES = {"precision": ("auto", "float32", "bfloat16"), "phase_encode": ("y", "x", None)}


class BadConfig(BadInput):
    """A setting that cannot work; the message says which and what to choose instead."""


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """One transfer of one model by one strategy.

    Attributes
    ----------
    model
        Zoo name, run directory or safetensors file.
    train, validation
        Paths of target scans. The same scan may serve both: training slices are then left out of the validation.
    strategy, strategy_options
        See `transfer.catalogue`.
    slices
        Number of training slices, evenly spaced over the tissue of the training scans, or their indices (then of
        every training scan).
    validation_slices
        Number of validation slices, evenly spaced over the tissue of the validation scans.
    pattern
        Sampling; training draws a new mask of this kind, rate and ACS for every example.
    phase_encode
        Image axis the lines run along; None takes the scan's own, or y.
    crop_to_support
        Simulate from measured k-space only, see `physics.undersampling`.
    snr_db
        Noise added to training and validation measurements; None adds none.
    loss, optimiser, learning_rate, weight_decay
        `learning_rate` None takes the strategy's default.
    epochs, steps_per_epoch, batch
        An epoch is so many optimiser steps, then a validation: few target slices are seen many times under new masks.
    smooth_phase
        Simulate a smooth phase on magnitude images, another for every example; see `physics.phase`.
    strip_rows
        Train on strips of so many readout rows (exact for one-dimensional masks); 0 takes whole slices, as masks over
        the plane always do.
    patience
        Stop after so many epochs without a better validation; 0 never does.
    device
        "auto", "cpu", "cuda", "cuda:1", …
    devices
        Number of devices of that kind to share each batch between.
    precision
        "auto" is bfloat16 convolutions where the hardware has them, "float32" and "bfloat16" insist.
    seed
        Of everything random.
    """

    model: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    strategy: str = "lft"
    strategy_options: Mapping[str, Any] = field(default_factory=dict)
    slices: int | tuple[int, ...] = 5
    validation_slices: int = 8
    pattern: SamplingPattern = SamplingPattern()
    phase_encode: Literal["y", "x"] | None = None
    crop_to_support: bool = True
    snr_db: float | None = None
    smooth_phase: bool = False
    loss: Loss = Loss.L1
    optimiser: Optimiser = Optimiser.ADAM
    learning_rate: float | None = None
    weight_decay: float = 0.0
    epochs: int = 10
    steps_per_epoch: int = 25
    batch: int = 4
    strip_rows: int = 64
    patience: int = 0
    device: str = "auto"
    devices: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot work, in one sentence that says what to choose instead."""
        try:
            row = find_strategy(self.strategy)
        except ValueError as error:
            raise BadConfig(str(error)) from error
        if not self.train or not self.validation:
            raise BadConfig("Fine-tuning needs at least one training scan and one validation scan.")
        if self.slices == ():
            raise BadConfig("No training slice is chosen; give their number or at least one index.")
        if isinstance(self.slices, tuple):
            for index in self.slices:
                _check_whole("slices", index, 0)
        else:
            _check_whole("slices", self.slices, 1)
        for name in ("epochs", "steps_per_epoch", "batch", "devices", "validation_slices"):
            _check_whole(name, getattr(self, name), 1)
        for name in ("strip_rows", "patience", "seed"):
            _check_whole(name, getattr(self, name), 0)
        for name in ("precision", "phase_encode"):
            if getattr(self, name) not in _CHOICES[name]:
                known = ", ".join(str(choice) for choice in _CHOICES[name])
                raise BadConfig(f"There is no '{name}' called '{getattr(self, name)}'; choose one of: {known}.")
        if self.batch < self.devices:
            raise BadConfig(f"A batch of {self.batch} cannot be shared by {self.devices} devices; raise the batch.")
        if self.loss is Loss.L1_SSIM and 0 < self.strip_rows < SSIM_WINDOW:
            raise BadConfig(f"SSIM looks at {SSIM_WINDOW}x{SSIM_WINDOW} voxels; use strips of at least so many rows.")
        # written so that NaN fails too
        if self.snr_db is not None and not abs(self.snr_db) <= LARGEST_SNR_DB:
            raise BadConfig(
                f"The SNR is not a number from -{LARGEST_SNR_DB} to {LARGEST_SNR_DB}; give it in dB, such as 30, or "
                "leave it out for no added noise."
            )
        if not 0 <= self.weight_decay < math.inf:
            raise BadConfig(f"The weight decay is {self.weight_decay:g}; give a number of at least 0, such as 0.01.")
        if self.learning_rate is not None and not 0 < self.learning_rate < 10:
            raise BadConfig(f"The learning rate {self.learning_rate:g} cannot work; try {row.learning_rate or 1e-4:g}.")
        if self.weight_decay and self.optimiser is Optimiser.ADAM:
            raise BadConfig("Adam has no decoupled weight decay; choose the optimiser 'adamw' to use it.")

    @property
    def rate_of_learning(self) -> float:
        """The learning rate that will be used."""
        return self.learning_rate or find_strategy(self.strategy).learning_rate or 0.0

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole job; none where the strategy trains nothing."""
        return self.epochs * self.steps_per_epoch if find_strategy(self.strategy).trains else 0

    def as_json(self) -> str:
        """The configuration as a JSON object, readable by `from_json`."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "FinetuneConfig":
        """Read back what `as_json` wrote.

        Raises
        ------
        BadConfig
            If the text is not such an object, or a setting is unknown or out of range.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict):
                raise BadConfig("A fine-tuning configuration is a JSON object; this is something else.")
            pattern = dict(record.pop("pattern", {}))
            pattern["kind"] = MaskKind(pattern.get("kind", MaskKind.RANDOM))
            for name in ("train", "validation"):
                if not isinstance(record[name], list):
                    raise BadConfig(f"'{name}' is not a list of paths; put even a single one into brackets.")
                record[name] = tuple(record[name])
            if isinstance(record.get("slices"), list):
                record["slices"] = tuple(record["slices"])
            if "loss" in record:
                record["loss"] = Loss(record["loss"])
            if "optimiser" in record:
                record["optimiser"] = Optimiser(record["optimiser"])
            return cls(pattern=SamplingPattern(**pattern), **record)
        except BadConfig:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadConfig(f"This is not a fine-tuning configuration: {error}.") from error


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadConfig(f"'{name}' is {value}; give a whole number of at least {least}.")
