"""What the course of a job needs to know of its settings, whatever it learns. No torch here."""

from typing import Literal, Protocol, Self

from napari_mritransfer.training.config import Optimiser


class Settings(Protocol):
    """A frozen value that can be written down, such as `FinetuneConfig`, whose attributes say what these mean."""

    @property
    def strategy(self) -> str:
        """Name in `transfer.catalogue`."""
        ...

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole job; none where nothing learns."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two validations."""
        ...

    @property
    def patience(self) -> int:
        """Epochs without a better validation after which it ends; 0 for never."""
        ...

    @property
    def batch(self) -> int:
        """Examples per step."""
        ...

    @property
    def devices(self) -> int:
        """Number of devices to share each batch between."""
        ...

    @property
    def precision(self) -> Literal["auto", "float32", "bfloat16"]:
        """Of the network."""
        ...

    @property
    def optimiser(self) -> Optimiser:
        """See `training.optimiser`."""
        ...

    @property
    def rate_of_learning(self) -> float:
        """Its highest learning rate."""
        ...

    @property
    def weight_decay(self) -> float:
        """Of the optimiser."""
        ...

    @property
    def seed(self) -> int:
        """Of everything random."""
        ...

    def as_json(self) -> str:
        """The settings as a JSON object, readable by `from_json`."""
        ...

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `as_json` wrote; `BadConfig` if it is something else."""
        ...
