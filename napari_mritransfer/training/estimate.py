"""How long a job will take, found by doing a little of it."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.events import EpochDone, Event, Started, StepDone
from napari_mritransfer.training.loop import JobFailed, finetune

_STEPS = 4  # the first one pays for warming up and is not counted


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds for a whole job, one optimiser step and one validation, on the job's device as busy as it is now."""

    seconds: float
    seconds_per_step: float
    seconds_per_validation: float


def estimate(config: FinetuneConfig, should_stop: Callable[[], bool] = lambda: False) -> Estimate:
    """Load, validate, and take a few steps of a job in a folder that is thrown away.

    Raises
    ------
    BadConfig
        If the job cannot start.
    ReconstructionStopped
        If `should_stop` said so.
    """
    loaded_at, validated_at, steps_at = 0.0, 0.0, []

    def on_event(event: Event) -> None:
        nonlocal loaded_at, validated_at
        now = time.perf_counter()
        if isinstance(event, Started):
            loaded_at = now
        elif isinstance(event, EpochDone) and event.epoch == 0:
            validated_at = now
        elif isinstance(event, StepDone):
            steps_at.append(now)

    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mritransfer-estimate-") as folder:
        short = replace(config, epochs=1, steps_per_epoch=_STEPS, patience=0)
        try:
            finetune(short, on_event, lambda: should_stop() or len(steps_at) == _STEPS, run=Path(folder) / "run")
        except JobFailed as error:
            raise BadConfig(str(error)) from error
    if should_stop():
        raise ReconstructionStopped
    per_step = float(np.median(np.diff(steps_at))) if steps_at else 0.0
    per_validation = validated_at - loaded_at
    validations = config.epochs + 1 if config.steps else 1
    seconds = loaded_at - began + per_step * config.steps + per_validation * validations
    return Estimate(seconds, per_step, per_validation)
