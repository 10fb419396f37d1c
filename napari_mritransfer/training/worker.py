"""The job process: commands come as JSON lines on standard input, events leave as JSON lines on standard output.

Commands::

    {"command": "finetune", "id": "7", "config": {…}, "run": "runs/a", "resume": false}
    {"command": "stop"}

and the names of the jobs and tasks that `serve` was given, with the fields that these want: every job a ``"run"``, and
a ``"resume"`` where it goes on. Jobs wait for each other, tasks wait for each other, and neither waits for the other
kind; tasks that take hours (`serve`'s ``slow_tasks``) wait among the jobs.

``stop`` ends what runs and drops what waits; with an ``"id"``, that order only. What is ordered later knows nothing of
it.

Answers carry the command's ``id`` and an ``"event"``: first ``Ready`` once, when the process can take commands, then
the events of `training.events`, ending with one terminal event per order. A task ends with ``Result`` instead of
``Done`` and tells ``Progress`` on the way; ``Refused`` for a line that is no command. End of input stops what runs,
keeps what was learned, and ends the process.
"""

import contextlib
import gc
import importlib
import json
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.events import TERMINAL, Event, Failed, Stopped, as_record

Task = Callable[[Mapping[str, Any], Callable[[dict[str, Any]], None], Callable[[], bool]], dict[str, Any]]
"""``task(command, tell, should_stop)``: a short piece of work and the fields of its ``Result``."""
Job = Callable[[Mapping[str, Any], Callable[[Event], None], Callable[[], bool]], object]
"""``job(command, on_event, should_stop)``: training; tells everything, the last event is a terminal one.

It raises `BadInput` for a command that it cannot start with, and may raise `JobFailed` after its `Failed` event."""


def serve(
    commands: Iterable[str] | None = None,
    answers: TextIO | None = None,
    tasks: Mapping[str, Task] | None = None,
    jobs: Mapping[str, Job] | None = None,
    slow_tasks: Mapping[str, Task] | None = None,
) -> None:
    """Work until the commands end.

    Parameters
    ----------
    tasks
        Short pieces of work by the command's name. They raise `BadInput` for what a user can mend and
        `ReconstructionStopped` when they were stopped.
    jobs
        What else than fine-tuning can be learned, by the command's name.
    slow_tasks
        Tasks that take so long that they wait among the jobs, and let quick ones pass.
    commands
        Lines to read; standard input if omitted.
    answers
        Where to write; standard output if omitted, which is then protected from everybody else's prints.
    """
    mouth = _Mouth(answers or _claim_standard_output())
    # imported before Ready, so that a job starts at once
    importlib.import_module("napari_mritransfer.training.loop")
    orders = _Orders(mouth, {"finetune": finetune_job, **(jobs or {})}, tasks or {}, slow_tasks or {})
    lines = _standard_input() if commands is None else commands
    mouth.tell({"event": "Ready", "pid": os.getpid()})
    threading.Thread(target=orders.listen, args=(lines,), daemon=True, name="commands").start()
    beside = threading.Thread(target=_work_off, args=(orders.tasks, orders, mouth), daemon=True, name="tasks")
    beside.start()
    _work_off(orders.jobs, orders, mouth)
    beside.join()
    if answers is None:
        mouth.close()


@dataclass(eq=False, slots=True)
class _Order:
    """One command with its own stop, so that nothing inherits another's; it is either a job or a task."""

    command: dict[str, Any]
    job: Job | None = None
    task: Task | None = None
    stop: threading.Event = field(default_factory=threading.Event)


class _Mouth:
    """Standard output, one whole line at a time from any thread; knows when nobody listens any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self.is_deaf = False

    def tell(self, record: dict[str, Any]) -> None:
        with self._lock:
            if self.is_deaf:
                return
            try:
                self._stream.write(json.dumps(record) + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # the other side is gone
                self.is_deaf = True

    def close(self) -> None:
        """Nothing is said after this; what nobody wanted to read is dropped without a complaint."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self.is_deaf = True
            self._stream.close()


class _Orders:
    """What was ordered and is not done."""

    def __init__(
        self, mouth: _Mouth, known_jobs: Mapping[str, Job], known_tasks: Mapping[str, Task],
        slow_tasks: Mapping[str, Task],
    ) -> None:  # fmt: skip
        self.jobs: queue.Queue[_Order | None] = queue.Queue()
        self.tasks: queue.Queue[_Order | None] = queue.Queue()
        self._known_jobs, self._known_tasks = known_jobs, {**known_tasks, **slow_tasks}
        self._slow = frozenset(slow_tasks)
        self._open: list[_Order] = []
        self._lock = threading.Lock()
        self._mouth = mouth

    def listen(self, lines: Iterable[str]) -> None:
        """Take commands until they end, then stop everything. Runs in a thread of its own."""
        try:
            for line in lines:
                if line.strip():
                    self._take(line)
        finally:
            self._stop(None)
            self.jobs.put(None)
            self.tasks.put(None)

    def done(self, order: _Order) -> None:
        with self._lock:
            self._open.remove(order)

    def _take(self, line: str) -> None:
        try:
            command = json.loads(line)
            kind = command["command"]
            if not isinstance(kind, str):
                raise TypeError(kind)
        except (ValueError, KeyError, TypeError, RecursionError):
            self._mouth.tell({"event": "Refused", "reason": "That line is not a JSON object with a 'command'."})
            return
        if kind == "stop":
            self._stop(command.get("id"))
        elif kind in self._known_jobs or kind in self._known_tasks:
            order = _Order(command, self._known_jobs.get(kind), self._known_tasks.get(kind))
            with self._lock:
                self._open.append(order)
            (self.jobs if order.job or kind in self._slow else self.tasks).put(order)
        else:
            self._mouth.tell({"event": "Refused", "id": command.get("id"), "reason": f"There is no command '{kind}'."})

    def _stop(self, identity: Any) -> None:
        with self._lock:
            for order in self._open:
                if identity is None or order.command.get("id") == identity:
                    order.stop.set()


def _work_off(lane: "queue.Queue[_Order | None]", orders: _Orders, mouth: _Mouth) -> None:
    """One order after the other; the process outlives whatever they do."""
    while (order := lane.get()) is not None:
        try:
            (_do_job if order.job else _do_task)(order, mouth)
        finally:
            orders.done(order)
            _give_memory_back()


def finetune_job(
    command: Mapping[str, Any], on_event: Callable[[Event], None], should_stop: Callable[[], bool]
) -> None:
    """The job behind the command ``finetune``."""
    from napari_mritransfer.training.loop import finetune

    config = FinetuneConfig.from_json(json.dumps(command.get("config")))
    finetune(config, on_event, should_stop, run=run_of(command), resume=bool(command.get("resume")))


def run_of(command: Mapping[str, Any]) -> Path:
    """The run directory that a job's command names.

    Raises
    ------
    BadConfig
        If it names none.
    """
    if not isinstance(run := command.get("run"), str) or not run:
        raise BadConfig("The command names no run directory; give its path as 'run'.")
    return Path(run)


def _do_job(order: _Order, mouth: _Mouth) -> None:
    from napari_mritransfer.training.loop import JobFailed

    assert order.job is not None
    identity = order.command.get("id")
    told_end = False

    def on_event(event: Event) -> None:
        nonlocal told_end
        told_end = told_end or isinstance(event, TERMINAL)
        mouth.tell({"id": identity, **as_record(event)})

    def should_stop() -> bool:
        return order.stop.is_set() or mouth.is_deaf

    try:
        if order.stop.is_set() and not order.command.get("resume"):  # before its turn came: it leaves no trace
            on_event(Stopped(0, 0, None))
            return
        order.job(order.command, on_event, should_stop)
        if not told_end:
            raise RuntimeError("it ended without an outcome")
    except JobFailed:
        pass  # it has told so itself
    except BadInput as error:
        if not told_end:
            on_event(Failed(str(error), 0))
    except Exception as error:
        if not told_end:
            on_event(Failed(f"The job broke ({type(error).__name__}: {error}); start it again.", 0))


def _do_task(order: _Order, mouth: _Mouth) -> None:
    from napari_mritransfer.recon.network import ReconstructionStopped
    from napari_mritransfer.training.device import out_of_memory

    assert order.task is not None
    identity = order.command.get("id")

    def tell(record: dict[str, Any]) -> None:
        mouth.tell({"id": identity, **record})

    def should_stop() -> bool:
        return order.stop.is_set() or mouth.is_deaf

    try:
        if should_stop():
            raise ReconstructionStopped
        tell({"event": "Result", **order.task(order.command, tell, should_stop)})
    except ReconstructionStopped:
        tell(as_record(Stopped(0, 0, None)))
    except BadInput as error:
        tell(as_record(Failed(str(error), 0)))
    except Exception as error:
        reason = f"That broke ({type(error).__name__}: {error}); try again with other settings."
        if out_of_memory(error):
            reason = "Memory ran out; close other programs, or choose another device or fewer slices."
        elif isinstance(error, OSError):
            reason = f"{error.strerror or error}: {error.filename or 'a file'}; check permissions and free space."
        tell(as_record(Failed(reason, 0)))


def _give_memory_back() -> None:
    """A job that ran out of memory must not starve the next one."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _claim_standard_output() -> TextIO:
    """Keep file descriptor 1 for answers; whatever libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _standard_input() -> TextIO:
    """Commands as they come; Ctrl+C in the viewer's terminal is the viewer's business, not ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return open(0, encoding="utf-8", errors="replace", closefd=False)
