"""Layers on their way to examinations: first what the form needs, then what a reviewer would ask."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakSet, ref

from napari.qt.threading import thread_worker
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.honesty.checks import examine as judge
from napari_mritransfer.honesty.finding import Finding, Verdict
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.examination import Examination, examine
from napari_mritransfer.widgets.lifetime import while_alive


class Examining(QObject):
    """Looks through layers in threads and remembers what it found. GUI thread only.

    Signals
    -------
    examined
        An `Examination`, without findings yet.
    judged
        The same `Examination` with its findings.
    failed
        Why a layer could not be looked through, in one sentence.
    outdated
        A layer whose voxels were replaced.
    """

    examined = Signal(object)
    judged = Signal(object)
    failed = Signal(str)
    outdated = Signal(object)

    def __init__(self, parent: QObject, viewer: Any) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._found: dict[Any, Examination] = {}
        self._watched: WeakSet[Any] = WeakSet()
        while_alive(self, viewer.layers.events.removed, self._on_layer_removed)

    def of(self, layer: Any) -> Examination | None:
        """What is known of the voxels that the layer shows now."""
        found = self._found.get(layer)
        return found if found is not None and found.data is layer.data else None

    def start(self, layer: Any) -> None:
        """Look through a layer; the signals tell what comes of it."""
        if layer not in self._watched:
            self._watched.add(layer)
            while_alive(self, layer.events.data, self._on_data_changed)
        # weakly: napari's finished workers are never freed, and the arguments with them
        worker: Any = thread_worker(_looked_through)(ref(layer))
        worker.yielded.connect(self._on_yielded)
        worker.errored.connect(self._on_errored)
        worker.start()

    def _on_yielded(self, found: Examination) -> None:
        """GUI thread; the layer may have been deleted meanwhile."""
        if found.layer in self._viewer.layers:
            self._found[found.layer] = found
        (self.examined if found.findings is None else self.judged).emit(found)

    def _on_errored(self, error: Exception) -> None:
        """GUI thread."""
        self.failed.emit(f"The layer could not be looked through ({error}); choose another one.")

    def _on_layer_removed(self, event: Any) -> None:
        """GUI thread; a deleted layer is not kept in memory by what is known about it."""
        self._found.pop(event.value, None)

    def _on_data_changed(self, event: Any) -> None:
        """GUI thread; what is known about the old voxels is of no use."""
        self.outdated.emit(event.source)


def _looked_through(layer: "ref[Any]") -> Iterator[Examination]:
    """Runs in a thread of napari's; nothing if the layer is gone, and no findings where it cannot be used."""
    there = layer()
    if there is None:
        return
    found = examine(there)
    del there
    yield found
    if found.scan is not None:
        yield replace(found, findings=_judged(found))


def _judged(found: Examination) -> tuple[Finding, ...]:
    assert found.scan is not None
    try:
        return judge(found.scan)
    except BadInput as error:
        return (Finding("readable", Verdict.UNKNOWN, str(error)),)
