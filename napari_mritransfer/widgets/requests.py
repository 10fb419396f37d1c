"""An order to the worker process, seen from the GUI thread: progress comes as signals, and exactly one end."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal

from napari_mritransfer.training.client import Answer, Order, WorkerEnded, is_terminal
from napari_mritransfer.training.events import Failed, Stopped

RESTARTED = "The worker process was restarted to stop a transfer; start this again."
CRASHED = "The worker process ended unexpectedly (killed, or out of memory); start again, and a new one takes over."
_POLL_S = 0.1
_BAR_MS = 200


class Request(QObject):
    """One order on its way. All signals are emitted in the GUI thread.

    Signals
    -------
    told
        Every answer before the last: a `Progress` or an event of a job.
    ended
        The last one: `Result`, `Done`, `Stopped` or `Failed`.
    """

    told = Signal(object)
    ended = Signal(object)

    def __init__(
        self, order: Order, command: Mapping[str, Any], title: str, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        super().__init__()
        self.order = order
        self._title = title
        self._is_wanted = is_wanted
        self.command = command
        self.has_ended = False
        self.has_crashed = False
        self._progress = (0, 0)
        self._bar_due = QTimer(self)
        self._bar_due.setSingleShot(True)
        self._bar_due.setInterval(_BAR_MS)
        self._bar_due.timeout.connect(self._move_bar)
        self._start_drain()

    def _start_drain(self) -> None:
        self._drain: Any = thread_worker(_answers, progress={"desc": self._title, "total": 0})(self.order)
        self._drain.yielded.connect(self._on_answer_yielded)
        self._drain.errored.connect(self._on_drain_errored)
        self._drain.aborted.connect(self._on_drain_aborted)
        self._drain.start()

    def stop(self) -> None:
        """Ask the worker to stop this; `ended` still comes."""
        self.order.stop()

    def show_progress(self, done: int, total: int) -> None:
        """Move the bar in napari's activity area. GUI thread."""
        self._progress = (min(done, total), total)
        if total > 0 and not self._bar_due.isActive():
            self._bar_due.start()

    def _move_bar(self) -> None:
        """GUI thread. On its own, not in the middle of an answer: napari's bar lets other events happen meanwhile."""
        bar = getattr(self._drain, "pbar", None)
        if bar is not None and not self.has_ended:
            done, total = self._progress
            if bar.total != total:
                bar.total = total
            bar.update(done - bar.n)

    def _on_answer_yielded(self, answer: Answer | WorkerEnded | None) -> None:
        """GUI thread."""
        if answer is None or self.has_ended:
            return
        if isinstance(answer, WorkerEnded):
            self.has_crashed = True
            self._end(Failed(RESTARTED if self.order.was_killed else CRASHED, 0))
        elif is_terminal(answer):
            self._end(answer)
        else:
            self.told.emit(answer)

    def _on_drain_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._end(Failed(f"The viewer lost touch with the worker ({error}); start again.", 0))

    def _on_drain_aborted(self) -> None:
        """GUI thread. napari ends all threads that were started while a closing window was in front, ours or not."""
        if self.has_ended:
            return
        if self._is_wanted():
            self._start_drain()
        else:
            self.order.stop()
            self._end(Stopped(0, 0, None))

    def _end(self, answer: Answer) -> None:
        if not self.has_ended:
            self.has_ended = True
            self.ended.emit(answer)


def _answers(order: Order) -> Generator[Answer | WorkerEnded | None, Any, None]:
    """Runs in a thread of napari's. Yields None while nothing comes: a yield is where napari can end the thread."""
    pool = QThreadPool.globalInstance()
    assert pool is not None
    pool.releaseThread()  # it only waits: the pool has a thread per core, and other work needs them
    try:
        while not order.has_ended:
            try:
                yield order.next(_POLL_S)
            except WorkerEnded as ended:
                yield ended
    finally:
        pool.reserveThread()
