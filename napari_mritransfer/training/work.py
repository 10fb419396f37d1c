"""What a job learns and how it is judged: the part of a job that `training.course` does not know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from napari_mritransfer.recon.precision import Autocast
from napari_mritransfer.training.events import Started
from napari_mritransfer.training.metric import Metric
from napari_mritransfer.training.outcome import Outcome
from napari_mritransfer.training.settings import Settings
from napari_mritransfer.transfer.model import TransferReport

ShouldStop = Callable[[], bool]


class NonFinite(Exception):
    """A loss or a validation is not a number any more."""


class Interrupted(Exception):
    """The user asked to stop."""


class Work(Protocol):
    """A network with its strategy applied, data to learn from, and data to be judged on.

    Making one is loading everything; it may raise `Interrupted` on the way, and `BadInput` if things do not fit. With
    several devices each process has its own, and only the one of rank 0 is asked to score, save and tell.
    """

    @property
    def settings(self) -> Settings:
        """Of the job, as far as its course depends on them."""
        ...

    @property
    def network(self) -> nn.Module:
        """With its strategy applied; on the CPU when the course takes it over, on the job's device from then on."""
        ...

    @property
    def report(self) -> TransferReport:
        """What learns in it."""
        ...

    @property
    def base_sha256(self) -> str:
        """Fingerprint of the weights underneath; the state of a run on other ones is refused."""
        ...

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        ...

    @property
    def metric(self) -> Metric:
        """What `score` returns."""
        ...

    def batch_loss(self, wrapped: nn.Module, step: int, share: slice, device: torch.device) -> tuple[Tensor, int]:
        """Mean loss over a share of one batch, and the number of examples in the share.

        Parameters
        ----------
        wrapped
            The network to call: `network` in the job's precision, its gradients shared between devices.
        step
            Steps taken before. What is drawn may depend on nothing but this and the seed, or a resumed job would end
            elsewhere.
        share
            Of the batch's examples; all of them with one device.
        device
            To put the examples on.
        """
        ...

    def score(self, autocast: Autocast, should_stop: ShouldStop) -> float | None:
        """Validate; None if the user asked to stop meanwhile, NaN if the network's output is not a number.

        Evaluation mode is for this to set; steps set training mode themselves. It must leave torch's generator as it
        was, or use one of its own.
        """
        ...

    def started(self, step: int, device: str, check_stop: Callable[[], None]) -> Started:
        """What to tell at the start; the course fills in the metric.

        Parameters
        ----------
        step
            Steps taken before, above 0 in a resumed job.
        device
            Where it computes, for people.
        check_stop
            To call now and then; raises `Interrupted`.
        """
        ...

    def save(self, path: Path, *, step: int, score: float | None) -> None:
        """Write the network as it is now to a checkpoint, in one go; `score` is None between validations."""
        ...

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """All of metrics.json, ``"finished"`` included: `outcome.as_record()` and what else is worth keeping."""
        ...
