"""One errand at a time: an order to the worker, or work in a thread, and the one state that all buttons follow."""

import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.client import Answer, Progress, Result
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

ShouldStop = Callable[[], bool]

_STOPPED = "Stopped; nothing was changed."


class ErrandStopped(Exception):
    """Work in a thread noticed that the user wants no more of it; nothing was changed."""


class Errand(QObject):
    """What belongs to a session and goes on whether or not a dock is open to watch. GUI thread only.

    Attributes
    ----------
    owner
        The session, weakly: it may go before what it owns has heard of it.
    state
        What all buttons follow.
    message
        The sentence beside it.
    progress
        What is done and all there is to do; (0, 0) where nobody counts.

    Signals
    -------
    changed
        One of the attributes is another.

    Parameters
    ----------
    session
        Its owner.
    busy
        What is said to somebody who asks for a second errand.
    """

    changed = Signal()

    def __init__(self, session: Session, busy: str) -> None:
        super().__init__(session)
        self.owner = weakref.ref(session)
        self._busy = busy
        session.closed.connect(self.close)
        self.state = RunState.IDLE
        self.message = ""
        self.progress = (0, 0)
        self.is_closed = False
        self._request: Request | None = None
        self._thread: Any = None
        self._then: Callable[[Any], None] | None = None
        self._trouble = ""
        self._is_reading = False
        self._wants_stop = threading.Event()

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way."""
        return self.state in (RunState.RUNNING, RunState.STOPPING)

    @property
    def session(self) -> Session:
        """Its owner, while it lives."""
        session = self.owner()
        assert session is not None  # it owns this
        return session

    def stop(self) -> None:
        """Stop what is on its way; what was there before stays."""
        if self.state is not RunState.RUNNING:
            return
        if self._request is not None:
            self._request.stop()
            self.to(RunState.STOPPING, "Stopping…")
        elif self._thread is not None:
            self._wants_stop.set()
            if self._is_reading:
                self._drop_thread()
                self.to(RunState.DONE, _STOPPED)
            else:
                self.to(RunState.STOPPING, "Stopping…")

    def close(self) -> None:
        """The window is gone: whatever still arrives is dropped."""
        self.is_closed = True
        self._wants_stop.set()

    def refuse_if_busy(self) -> None:
        """Raise `BadInput` if something is on its way."""
        if self.is_busy:
            raise BadInput(self._busy)

    def ask(
        self, command: Mapping[str, Any], title: str, then: Callable[[Any], None], *, stopped: str = _STOPPED
    ) -> None:
        """Send a command to the worker; `then` gets the fields of its `Result`.

        Parameters
        ----------
        stopped
            What is said when it was stopped.

        Raises
        ------
        BadInput
            If there can be no worker.
        """
        try:
            self._request = self.session.request(command, title)
        except OSError as error:
            text = f"The worker process cannot be started ({error.strerror or error}); close other programs, try again."
            raise BadInput(text) from error
        self._request.told.connect(self._on_progress_told)
        self._request.ended.connect(lambda answer: self._on_request_ended(answer, then, stopped))
        self.to(RunState.RUNNING, f"{title}…")

    def read(self, work: Callable[[], Any], message: str, then: Callable[[Any], None], trouble: str) -> None:
        """Look for something in a thread and give it to `then`; stopped at once, for nobody misses what it finds.

        Parameters
        ----------
        trouble
            How a sentence about an error begins that nobody foresaw, such as ``"The board cannot be shown"``.
        """
        if self._thread is not None:
            self._drop_thread()  # one at a time, the one asked for last
        self._is_reading = True
        self._start_thread(lambda _should_stop: work(), message, then, trouble)

    def write(
        self, work: Callable[[ShouldStop], Any], message: str, then: Callable[[Any], None], trouble: str
    ) -> None:
        """As `read`, for work that changes something: to stop, it has to raise `ErrandStopped` when it is told to.

        Raises
        ------
        BadInput
            If something is on its way.
        """
        self.refuse_if_busy()
        self._is_reading = False
        self._start_thread(work, message, then, trouble)

    def to(self, state: RunState, message: str) -> None:
        """Change the state, and tell."""
        self.state, self.message = state, message
        self.changed.emit()

    def _start_thread(
        self, work: Callable[[ShouldStop], Any], message: str, then: Callable[[Any], None], trouble: str
    ) -> None:
        self._wants_stop = threading.Event()
        self._then, self._trouble = then, trouble
        self.to(RunState.RUNNING, message)
        self._thread = thread_worker(_found_or_reason)(work, self._wants_stop.is_set)
        self._thread.returned.connect(self._on_thread_returned)
        self._thread.errored.connect(self._on_thread_errored)
        self._thread.start()

    def _drop_thread(self) -> None:
        """A thread cannot be ended from outside; what it finds is for nobody."""
        thread, self._thread = self._thread, None
        thread.returned.disconnect(self._on_thread_returned)
        thread.errored.disconnect(self._on_thread_errored)
        thread.quit()

    def _on_progress_told(self, answer: Answer) -> None:
        """GUI thread."""
        if isinstance(answer, Progress) and self.state is RunState.RUNNING:
            self.progress = (answer.done, answer.total)
            if self._request is not None:
                self._request.show_progress(answer.done, answer.total)
            self.message = answer.text
            self.changed.emit()

    def _on_request_ended(self, answer: Answer, then: Callable[[Any], None], stopped: str) -> None:
        """GUI thread."""
        self._request = None
        self.progress = (0, 0)
        if isinstance(answer, Result):
            then(answer.values)
        elif isinstance(answer, Failed):
            self.to(RunState.FAILED, answer.reason)
        else:
            self.to(RunState.DONE, stopped)

    def _on_thread_returned(self, found: Any) -> None:
        """GUI thread."""
        self._thread = None
        if isinstance(found, _Reason):
            self.to(RunState.FAILED if found.is_failure else RunState.DONE, found.text)
            return
        assert self._then is not None
        try:
            self._then(found)
        except BadInput as error:
            self.to(RunState.FAILED, str(error))
        except Exception as error:  # nobody foresaw this: it goes on to napari, but the dock must not wait for ever
            self.to(RunState.FAILED, f"{self._trouble}: {error}.")
            raise

    def _on_thread_errored(self, error: Exception) -> None:
        """GUI thread; nobody foresaw this, and napari shows the error too."""
        self._thread = None
        self.to(RunState.FAILED, f"{self._trouble}: {error}.")


class _Reason:
    """Why there is nothing."""

    def __init__(self, text: str, *, is_failure: bool = True) -> None:
        self.text, self.is_failure = text, is_failure


def _found_or_reason(work: Callable[[ShouldStop], Any], should_stop: ShouldStop) -> Any:
    """Runs in a thread of napari's. What the user can mend comes back as a sentence, for napari raises errors anew."""
    try:
        return work(should_stop)
    except ErrandStopped:
        return _Reason(_STOPPED, is_failure=False)
    except (BadInput, OSError) as error:
        return _Reason(str(error))


def unused(folder: Path) -> Path:
    """`folder`, or with a number after its name where that is taken."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}_{number}")
    return candidate
