"""Several devices for one job: this process takes the first, and one helper process each takes the others.

A helper is ``python -m napari_mritransfer.training.replicas``. It reads one JSON line that says which run to help
with and which function loads its work, answers with one line when its data are loaded, and lives no longer than its
standard input. (Fabric would start the command line again instead: from a worker process, a notebook or a test, that
is another command than this job.)
"""

import contextlib
import importlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.fabric import Place
from napari_mritransfer.training.settings import Settings

HELPER = "napari_mritransfer.training.replicas"
_READY = "ready"
_ENDED = "Another device's process ended unexpectedly; resume the run, or use one device."


class ReplicaFailed(RuntimeError):
    """A helper ended before the job did."""


class Replicas:
    """The helpers of one job; without any, nothing here does anything."""

    def __init__(self, devices: int, port: int, helpers: "list[subprocess.Popen[str]]") -> None:
        self.place = Place(0, devices, port)
        self._helpers = helpers
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._ready = 0
        for helper in helpers:
            assert helper.stdout is not None
            threading.Thread(target=self._read, args=(helper.stdout,), daemon=True).start()

    def wait(self, check_for_stop: Callable[[], None]) -> None:
        """Until all of them have loaded their data; `check_for_stop` is called several times a second.

        Raises
        ------
        ReplicaFailed
            If one ends instead.
        """
        while self._ready < len(self._helpers):
            check_for_stop()
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=0.1)
                if line != _READY:
                    raise ReplicaFailed(line or _ENDED)
                self._ready += 1

    def last_words(self) -> str:
        """Why a helper ended, or nothing if all are still there a moment later."""
        with contextlib.suppress(queue.Empty):
            return self._lines.get(timeout=1.0 if self._helpers else 0.0) or _ENDED
        return ""

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line.strip())
        self._lines.put(None)


@contextlib.contextmanager
def replicas_for(settings: Settings, run: Path, work_in: str) -> Iterator[Replicas]:
    """Start the helpers of a job; they end with the block, however it ends.

    Parameters
    ----------
    settings
        Of the job; with one device, nothing is started.
    run
        Its directory, begun.
    work_in
        Where a helper finds ``work_in(run, should_stop) -> Work``, as ``"module:name"``; empty if it cannot be helped.

    Raises
    ------
    BadConfig
        If several devices are wanted for a job that cannot be helped.
    """
    devices = settings.devices if settings.steps else 1
    if devices == 1:
        yield Replicas(1, 0, [])
        return
    if not work_in:
        raise BadConfig(f"This kind of job works on one device only; {settings.devices} were asked for, choose 1.")
    port = _free_port()
    environment = os.environ | {"OMP_NUM_THREADS": _threads_each(devices)}
    helpers = []
    try:
        for rank in range(1, devices):
            helper = subprocess.Popen(
                [sys.executable, "-P", "-m", HELPER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            )  # fmt: skip
            helpers.append(helper)
            assert helper.stdin is not None
            order = {"run": str(run.resolve()), "work_in": work_in, "rank": rank, "devices": devices, "port": port}
            helper.stdin.write(json.dumps(order) + "\n")
            helper.stdin.flush()
        yield Replicas(devices, port, helpers)
    finally:
        for helper in helpers:
            helper.kill()  # it writes nothing, so there is nothing to lose
            helper.wait()
            for pipe in (helper.stdin, helper.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _threads_each(devices: int) -> str:
    fair = max(1, (os.cpu_count() or 1) // devices)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return str(min(fair, int(wanted)) if wanted.isdecimal() and int(wanted) else fair)


def main() -> None:
    """Help with one job."""
    from napari_mritransfer.training.course import Course
    from napari_mritransfer.training.rundir import RunDirectory

    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_job, daemon=True).start()
    try:
        run, (module, _, name) = Path(order["run"]), order["work_in"].partition(":")
        place = Place(order["rank"], order["devices"], order["port"])
        work = getattr(importlib.import_module(module), name)(run, lambda: False)
        course = Course(work, RunDirectory(run), lambda: False, place)
        print(_READY, file=answers, flush=True)
        course.help()
        os._exit(0)  # it has nothing to put away, and the first process may end it in the middle of doing so
    except Exception as error:
        sentence = " ".join(str(error).split())
        print(f"Device {order['rank'] + 1} of {order['devices']} gave up: {sentence}", file=answers, flush=True)
        os._exit(1)  # at once: the others wait for this process's gradients, and notice that it has gone


def _end_with_the_job() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
