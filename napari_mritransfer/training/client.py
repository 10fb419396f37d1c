"""The other end of `training.worker`: one warm worker process, its orders, and what it answers. No torch here."""

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from napari_mritransfer.training.events import TERMINAL, Event, Failed, from_record

_CANNOT_START = "The worker process cannot be started; close other programs, or install the package again."
# -P: nothing from the folder that the viewer happens to be started in
WORKER = (sys.executable, "-P", "-m", "napari_mritransfer", "worker")
ENVIRONMENT = {
    # threads that wait sleep instead of spinning: cores are shared with the viewer, and maybe with more; but not at
    # once (GNU's OpenMP: about 0.1 ms), for to be woken takes longer than most gaps between the layers of a network
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "5000",
    # freed memory stays in the process: else a network's buffers are given back and page-faulted in at every layer
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is."""

    text: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Result:
    """Terminal: what a task found, see `study.tasks`."""

    values: Mapping[str, Any] = field(default_factory=dict)


Answer = Event | Progress | Result


class WorkerEnded(Exception):
    """The process ended before the order did: killed from outside, out of memory, or broken."""


class Order:
    """One command on its way; `next` is to be called by one thread."""

    def __init__(self, client: "WorkerClient", identity: str) -> None:
        self._client = client
        self.identity = identity
        self.answers: queue.Queue[Answer | None] = queue.Queue()
        self.has_ended = False

    def next(self, timeout: float) -> Answer | None:
        """The next answer, or None if none came in `timeout` seconds; exactly one terminal one, the last.

        Raises
        ------
        WorkerEnded
            If the process ended instead.
        """
        try:
            answer = self.answers.get(timeout=timeout)
        except queue.Empty:
            return None
        self.has_ended = answer is None or is_terminal(answer)
        if answer is None:
            raise WorkerEnded
        return answer

    def stop(self) -> None:
        """Ask to stop; the terminal answer still comes. Any thread."""
        if not self.has_ended:
            self._client.tell({"command": "stop", "id": self.identity})

    @property
    def was_killed(self) -> bool:
        """Whether the process was ended by this side."""
        return self._client.was_killed

    def end_process(self) -> None:
        """End the worker itself, which ends this and every other order. Any thread."""
        if not self.has_ended:
            self._client.kill()


class WorkerClient:
    """Starts the worker when it is first needed, keeps it warm, and starts another one after it ended.

    All methods may be called from any thread, and none of them waits for an answer.

    Parameters
    ----------
    command
        What to start.
    """

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[str] | None = None
        self._orders: dict[str, Order] = {}
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self.was_killed = False  # by us, rather than having ended by itself

    @property
    def pid(self) -> int | None:
        """Of the process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Let the process import what it needs while the user still looks around."""
        with self._lock:
            if self.pid is not None:
                return
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
                    env=_environment(),
                )  # fmt: skip
            except OSError:  # no memory, no such program: whoever orders something is told
                self._process = None
                return
            self._orders, self.was_killed = {}, False
            arguments = (self._process, self._orders)
            threading.Thread(target=self._listen, args=arguments, daemon=True, name="worker answers").start()

    def order(self, command: Mapping[str, Any]) -> Order:
        """Send a command, such as ``{"command": "compare", …}``."""
        with self._lock:
            self.start()
            order = Order(self, str(next(self._numbers)))
            if self._process is None:
                order.answers.put(Failed(_CANNOT_START, 0))
                return order
            self._orders[order.identity] = order
            self.tell({**command, "id": order.identity})
            return order

    def tell(self, record: Mapping[str, Any]) -> None:
        """Write one line; nothing happens if nobody is there to read it."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(json.dumps(record) + "\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """End the process now; what waits for its answers gets `WorkerEnded`. The next order starts another one."""
        with self._lock:
            process, self._process = self._process, None
            self.was_killed = True
        if process is not None:
            process.kill()
            _reap(process)

    def close(self, timeout: float = 1.0) -> None:
        """End of input: the process stops what it does and leaves; it is killed if it takes longer than `timeout` s."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
        process.kill()
        _reap(process)

    def _listen(self, process: "subprocess.Popen[str]", orders: dict[str, Order]) -> None:
        """Runs in a thread of its own, for as long as the process talks."""
        assert process.stdout is not None
        with process.stdout as lines:
            for identity, answer in _answers(lines):
                if identity in orders:
                    orders[identity].answers.put(answer)
                    if is_terminal(answer):
                        orders.pop(identity)
        # It says nothing more, but it may not be dead yet: an order that came now would never be answered. Those that
        # came before are told, and the next one finds no process and starts another.
        with self._lock:
            if self._process is process:
                self._process = None
            unanswered = [*orders.values()]
            orders.clear()
        process.kill()
        _reap(process)
        for order in unanswered:
            order.answers.put(None)


def _environment() -> dict[str, str]:
    """`ENVIRONMENT` and the user's own, which wins; a wait policy of theirs is not to be undone by how long we wait."""
    ours = dict(ENVIRONMENT)
    if "OMP_WAIT_POLICY" in os.environ:
        del ours["GOMP_SPINCOUNT"]
    return {**ours, **os.environ}


def is_terminal(answer: Answer | None) -> bool:
    """Whether nothing more comes after this answer."""
    return isinstance(answer, (*TERMINAL, Result))


def _answers(lines: IO[str]) -> Iterator[tuple[str, Answer]]:
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            record = json.loads(line)
            kind, identity = record["event"], str(record.pop("id", ""))
            if kind == "Progress":
                yield identity, Progress(record["text"], record["done"], record["total"])
            elif kind == "Result":
                yield identity, Result({k: v for k, v in record.items() if k != "event"})
            elif kind == "Refused":
                yield identity, Failed(record["reason"], 0)
            elif kind != "Ready":
                yield identity, from_record(record)


def _reap(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(OSError, ValueError):
        assert process.stdin is not None
        process.stdin.close()
