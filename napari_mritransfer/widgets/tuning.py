"""The fine-tuning jobs of one viewer: a queue of runs and the one state that all buttons follow."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_mritransfer.training.client import Answer
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import (
    Checkpointed,
    Done,
    EpochDone,
    Event,
    Failed,
    Started,
    StepDone,
    Stopped,
    from_record,
)
from napari_mritransfer.training.metric import PSNR
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.transfer.catalogue import strategy
from napari_mritransfer.widgets.requests import Request

_PATIENCE_MS = 1000  # after that a stop is no longer asked for: the process is ended


class RunState(StrEnum):
    """Where the jobs of a viewer stand."""

    IDLE = "idle"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"


_ALLOWED = {
    RunState.IDLE: {RunState.RUNNING},
    RunState.RUNNING: {RunState.STOPPING, RunState.DONE, RunState.FAILED},
    RunState.STOPPING: {RunState.DONE, RunState.FAILED},
    RunState.DONE: {RunState.RUNNING},
    RunState.FAILED: {RunState.RUNNING},
}


@dataclass(slots=True, eq=False)
class Run:
    """One strategy on its way, and what it told so far."""

    folder: Path
    config: FinetuneConfig
    resume: bool = False
    started: Started | None = None
    losses: list[tuple[int, float]] = field(default_factory=list)
    curve: list[tuple[int, float]] = field(default_factory=list)
    step: int = 0
    saved_step: int = 0
    seconds: float = 0.0
    ended: Done | Stopped | Failed | None = None

    @property
    def label(self) -> str:
        """What people read: the strategy."""
        return strategy(self.config.strategy).label

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far in this process; None before there is one."""
        first = self.started.step if self.started else 0
        if self.step <= first or self.ended is not None:
            return None
        return self.seconds / (self.step - first) * (self.config.steps - self.step)

    def take(self, event: Event) -> None:
        """Write down what an event says."""
        if isinstance(event, Started):
            self.started, self.step = event, event.step
            self.losses = [point for point in self.losses if point[0] <= event.step]
            self.curve = [point for point in self.curve if point[0] <= event.step]
        elif isinstance(event, StepDone):
            self.step, self.seconds = event.step, event.seconds
            self.losses.append((event.step, event.loss))
        elif isinstance(event, EpochDone):
            self.step, self.seconds = event.step, event.seconds
            if not self.curve or self.curve[-1][0] < event.step:
                self.curve.append((event.step, event.score))
        elif isinstance(event, Checkpointed):
            self.saved_step = event.step
        else:
            self.ended = event

    @classmethod
    def recorded(cls, folder: Path) -> "Run":
        """A run of an earlier session, from its folder.

        Raises
        ------
        BadConfig
            If there is no readable run in it.
        """
        directory = RunDirectory(folder)
        run = cls(folder, directory.config())
        for record in directory.events():
            run.take(from_record(record))
        return run


class Tuning(QObject):
    """Runs one job after the other. GUI thread only.

    Signals
    -------
    changed
        `state`, `message` or `runs` is another.
    told
        A run and the event it just told.

    Parameters
    ----------
    request
        Sends a command to the worker, see `Session.request`.
    """

    changed = Signal()
    told = Signal(object, object)

    def __init__(self, request: Callable[[Mapping[str, Any], str], Request]) -> None:
        super().__init__()
        self._send = request
        self.state = RunState.IDLE
        self.message = ""
        self.runs: list[Run] = []
        self._waiting: list[Run] = []
        self._request: Request | None = None
        self._failures: dict[str, list[str]] = {}  # labels of runs by what went wrong
        self._out_of_patience = QTimer(self)
        self._out_of_patience.setSingleShot(True)
        self._out_of_patience.setInterval(_PATIENCE_MS)
        self._out_of_patience.timeout.connect(self._on_patience_ended)

    @property
    def is_busy(self) -> bool:
        """Whether a job is on its way."""
        return self.state in (RunState.RUNNING, RunState.STOPPING)

    @property
    def current(self) -> Run | None:
        """The run on its way."""
        return next((run for run in self.runs if run.ended is None), None) if self.is_busy else None

    def start(self, runs: Sequence[Run]) -> None:
        """Run these, one after the other.

        Raises
        ------
        RuntimeError
            If something is running.
        """
        if self.is_busy:
            raise RuntimeError("A transfer is running; stop it first.")
        self.runs, self._waiting, self._failures = list(runs), list(runs), {}
        self._to(RunState.RUNNING, "Starting…")
        self._next()

    def stop(self) -> None:
        """Stop the run on its way and forget those that wait; takes a second at most."""
        if self.state is RunState.RUNNING and self._request is not None:
            self._forget_waiting()
            self._to(RunState.STOPPING, "Stopping…")
            self._request.stop()
            self._out_of_patience.start()

    def _next(self) -> None:
        run = self._waiting.pop(0)
        command = {
            "command": "finetune", "config": as_record(run.config), "run": str(run.folder), "resume": run.resume,
        }  # fmt: skip
        self._request = self._send(command, f"Fine-tuning: {run.label}")
        self._request.told.connect(lambda event: self._on_event_told(run, event))
        self._request.ended.connect(lambda answer: self._on_run_ended(run, answer))

    def _on_event_told(self, run: Run, event: Answer) -> None:
        """GUI thread."""
        assert isinstance(event, Event)
        run.take(event)
        if isinstance(event, StepDone | EpochDone) and self._request is not None:
            self._request.show_progress(event.step, run.config.steps)
        if isinstance(event, Started):
            self.message = f"{run.label} is running on {event.device}."
            self.changed.emit()
        self.told.emit(run, event)

    def _on_run_ended(self, run: Run, answer: Answer) -> None:
        """GUI thread."""
        crashed = self._request is not None and self._request.has_crashed
        self._request = None
        self._out_of_patience.stop()
        if crashed and self.state is RunState.STOPPING:  # ended by us, or it died when it was not needed any more
            answer = Stopped(run.saved_step, *_best(run))
        assert isinstance(answer, Done | Stopped | Failed)
        run.take(answer)
        self.told.emit(run, answer)
        if isinstance(answer, Failed):
            self._failures.setdefault(answer.reason, []).append(run.label)
        if crashed or self.state is RunState.STOPPING:
            self._forget_waiting()
        if self._waiting:
            self._next()
        elif self._failures:
            told = [f"{', '.join(labels)}: {reason}" for reason, labels in self._failures.items()]
            self._to(RunState.FAILED, " ".join(told))
        elif isinstance(answer, Stopped):
            self._to(RunState.DONE, f"Stopped at step {answer.step} of {run.config.steps}; Resume goes on from there.")
        else:
            self._to(RunState.DONE, "Done. Compare the reconstructions to see what was gained.")

    def close(self) -> None:
        """The viewer is gone: nothing more is started."""
        self._forget_waiting()

    def _forget_waiting(self) -> None:
        for run in self._waiting:
            run.ended = Stopped(0, 0, None)
            with contextlib.suppress(OSError):
                run.folder.rmdir()  # what never began leaves no trace
        self._waiting = []

    def _on_patience_ended(self) -> None:
        """GUI thread; the worker did not stop in time, so the last checkpoint is the result."""
        if self._request is not None:
            self._request.order.end_process()

    def _to(self, state: RunState, message: str) -> None:
        if state not in _ALLOWED[self.state]:
            raise RuntimeError(f"{self.state} cannot become {state}.")
        self.state, self.message = state, message
        self.changed.emit()


def as_record(config: FinetuneConfig) -> Any:
    """A job's settings as the worker reads them."""
    return json.loads(config.as_json())


def _best(run: Run) -> tuple[int, float | None]:
    metric = run.started.measures() if run.started else PSNR
    return metric.best_of(run.curve) or (0, None)
