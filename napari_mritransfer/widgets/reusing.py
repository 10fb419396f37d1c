"""Re-use of a network on a cohort in one viewer: goes on whether or not a dock is open to watch."""

import contextlib
import hashlib
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal

from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.look import CHECKS, Looked, read_look
from napari_mritransfer.cohort.reuse.progress import fits_done, fits_planned
from napari_mritransfer.cohort.reuse.record import CONFIG, RESULTS, read_config
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.client import Answer, Result
from napari_mritransfer.widgets.errand import Errand, unused
from napari_mritransfer.widgets.reuse_data import ReuseData, read_data
from napari_mritransfer.widgets.reuse_export import export_reuse
from napari_mritransfer.widgets.reuse_inputs import ReuseInputs, command
from napari_mritransfer.widgets.session import Session
from napari_mritransfer.widgets.tuning import RunState

_TROUBLE = "The results cannot be shown"
_KEPT = "Stopped; what was done is kept, and “Go on” continues there."
_UNFINISHED = "This re-use is not finished: {done} fits are done. “Go on” continues it."
_COUNT_EVERY_S = 0.5


class Reusing(Errand):
    """One look at a cohort or one re-use at a time; get it with `reusing_of`. GUI thread only.

    Attributes
    ----------
    looked
        The cohort as it was found last; None before.
    looked_at
        The form of that look; None where it came of a re-use.
    folder, config
        Of the re-use that is on its way or was the last one; None before.
    done
        How many fits of each method are written down in `folder`; empty while nobody needs to know.
    data
        The results that the dock shows.

    Signals
    -------
    configured
        A `ReuseConfig` that was found in a folder, for the form.
    """

    configured = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Something is running on a cohort already; wait for it or stop it.")
        self.looked: Looked | None = None
        self.looked_at: ReuseInputs | None = None
        self.folder: Path | None = None
        self.config: ReuseConfig | None = None
        self.done: Mapping[str, int] = {}
        self.data: ReuseData | None = None
        self._counted_at = 0.0

    @property
    def may_go_on(self) -> bool:
        """Whether there is a re-use that was begun and is not finished."""
        folder = self.folder
        return (
            not self.is_busy and folder is not None and (folder / CONFIG).is_file() and not (folder / RESULTS).is_file()
        )

    @property
    def planned(self) -> int:
        """Fits of each method; 0 where nobody knows."""
        return fits_planned(self.config) if self.config is not None else 0

    # ------------------------------------------------------------------ what is asked for

    def look(self, inputs: ReuseInputs) -> None:
        """Let the worker check the cohort and take its pictures.

        Raises
        ------
        BadInput
            If something is running, or the form is not complete.
        OSError
            If there is no folder for the pictures.
        """
        self.refuse_if_busy()
        # one folder for each table, network and label: pictures of looks long past are no use to anybody
        digest = hashlib.sha256(repr((inputs.table, inputs.model, inputs.label)).encode()).hexdigest()[:12]
        out = self.session.folder("cohort-looks") / digest
        self.ask(inputs.looking(out), f"Checking {inputs.title}", lambda _: self._read_look(out, inputs))

    def start(self, inputs: ReuseInputs) -> None:
        """Let the worker re-use a network in a new folder; the results come up when it is done.

        Raises
        ------
        BadInput
            If something is running, or the form is not complete.
        OSError
            If there is no folder for the results.
        """
        self.refuse_if_busy()
        config = inputs.config()
        plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in inputs.label)[:40]
        out = unused(self.session.folder("cohort") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{plain}")
        self._run(config, out)

    def go_on(self) -> None:
        """Continue a re-use that was stopped, with the settings that it began with.

        Raises
        ------
        BadInput
            If something is running, or there is none.
        """
        self.refuse_if_busy()
        if not self.may_go_on or self.folder is None:
            raise BadInput("There is no unfinished re-use; open its folder, or run a new one.")
        self._run(read_config(self.folder), self.folder)

    def open(self, folder: Path) -> None:
        """Show a re-use that lies on disk, or take up one that is not finished.

        Raises
        ------
        BadInput
            If something is running, or it is no such folder.
        """
        self.refuse_if_busy()
        self.config, self.folder = read_config(folder), folder
        self.configured.emit(self.config)
        self._find_problems(folder)
        if (folder / RESULTS).is_file():
            self.done = {}
            self._open(folder)
        else:
            self.done = fits_done(folder)
            self.to(RunState.DONE, _UNFINISHED.format(done=sum(self.done.values())))

    def export(self, to: Path) -> None:
        """Copy report, pictures and tables to a folder.

        Raises
        ------
        BadInput
            If something is running, or there is nothing to export.
        """
        data = self.data
        if data is None:
            raise BadInput("There is nothing to export; run a re-use or open one first.")
        self.write(
            lambda should_stop: export_reuse(data.record.folder, to, should_stop), "Exporting…",
            lambda names: self.to(RunState.DONE, f"Exported {len(names)} files to {to}."), "Nothing was exported",
        )  # fmt: skip

    # ------------------------------------------------------------------ what comes of it

    def _run(self, config: ReuseConfig, out: Path) -> None:
        self.config, self.folder, self.done = config, out, fits_done(out)
        title = f"Re-use on {Path(config.table).name}"
        self.ask(command("reuse", config, out), title, lambda _: self._open(out), stopped=_KEPT)
        assert self._request is not None
        self._request.told.connect(self._on_run_told)
        self._request.ended.connect(self._on_run_ended)

    def _read_look(self, out: Path, inputs: ReuseInputs) -> None:
        self.read(
            lambda: read_look(out), "Reading what was found…", lambda found: self._on_looked(found, inputs),
            "The checks cannot be shown",
        )  # fmt: skip

    def _open(self, folder: Path) -> None:
        self.read(lambda: read_data(folder), "Opening the results…", self._on_data_found, _TROUBLE)

    def _find_problems(self, folder: Path) -> None:
        """What a re-use found wrong with its cohort, where nobody looked at it with pictures before."""
        if self.looked_at is not None and self.config is not None and self.looked_at.cohort == _cohort(self.config):
            return
        if (folder / CHECKS).is_file():
            with contextlib.suppress(BadInput):  # of another version, or damaged; a look makes them anew
                self.looked, self.looked_at = read_look(folder), None

    def _on_looked(self, found: Looked, inputs: ReuseInputs) -> None:
        """GUI thread."""
        self.looked, self.looked_at = found, inputs
        self.to(RunState.DONE, "" if found.may_run else "Nothing can be run before the first problem is solved.")

    def _on_run_told(self, _answer: Answer) -> None:
        """GUI thread. Networks tell of every step; files are counted now and then."""
        now = time.monotonic()
        if self.folder is not None and now - self._counted_at > _COUNT_EVERY_S:
            self._counted_at = now
            self.done = fits_done(self.folder)
            if self.done and self.looked is None:
                self._find_problems(self.folder)
            self.changed.emit()

    def _on_run_ended(self, answer: Answer) -> None:
        """GUI thread. Whatever came of it, what was found wrong is shown."""
        if self.folder is None or self.is_closed:
            return
        self.done = {} if isinstance(answer, Result) else fits_done(self.folder)
        self._find_problems(self.folder)
        self.changed.emit()

    def _on_data_found(self, data: ReuseData) -> None:
        """GUI thread."""
        self.data = data
        self.to(RunState.DONE, "")


def reusing_of(session: Session) -> Reusing:
    """The reusing of a session, made on first use."""
    found: Reusing | None = session.findChild(Reusing)
    return found or Reusing(session)


def _cohort(config: ReuseConfig) -> tuple[Any, ...]:
    return ReuseInputs.of(config).cohort
