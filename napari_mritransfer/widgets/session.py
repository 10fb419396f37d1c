"""What all docks of one viewer share: the worker, the measurements, the jobs and the board. Docks come and go."""

import hashlib
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication, QWidget

from napari_mritransfer.io import Scan, save
from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.client import WorkerClient
from napari_mritransfer.widgets.layers import KEY, acquired_scan, identity
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.widgets.settings import preferences
from napari_mritransfer.widgets.tuning import Tuning
from napari_mritransfer.widgets.view import attach, unwrapped

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer


@dataclass(frozen=True, slots=True, eq=False)
class Undersampled:
    """A measurement that the user made in this viewer.

    Attributes
    ----------
    name
        What people read: the scan's name and the rate.
    scan
        File of the scan it was made from.
    sampling
        How; together with `scan` it makes the same measurement again, to the bit.
    layer, source_layer
        Identities of the zero-filled layer and of the layer it was made from; either may be gone.
    description
        The rates in words.
    warnings
        Sentences to read before trusting it.
    has_reference
        Whether the fully sampled image is known.
    n_coils
        Receive coils of its k-space; 1 where they were combined, or of an image.
    """

    name: str
    scan: Path
    sampling: Sampling
    layer: str
    source_layer: str
    description: str
    warnings: tuple[str, ...]
    has_reference: bool
    n_coils: int = 1


class Session(QObject):
    """Run and board state of one viewer; get it with `session_of`. GUI thread only.

    Signals
    -------
    measurements_changed
        `measurements` has a new member.
    requested
        The name of a command that was just sent to the worker.
    closed
        The viewer's window is gone, and the worker with it.
    """

    measurements_changed = Signal()
    requested = Signal(str)
    closed = Signal()

    def __init__(self, viewer: "napari.Viewer") -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self.client = WorkerClient()
        self.measurements: list[Undersampled] = []
        self.tuning = Tuning(self.request)
        self.closed.connect(self.tuning.close)
        attach(viewer)
        self.board: Any = None
        self._requests: set[Request] = set()
        self._files: weakref.WeakKeyDictionary[Layer, tuple[weakref.ref[Any], Path]] = weakref.WeakKeyDictionary()
        self._windows: set[int] = set()
        # for viewers that are dropped without their window being closed
        self._at_the_end = weakref.finalize(viewer, self.client.close)
        application = QApplication.instance()
        assert application is not None
        application.aboutToQuit.connect(self.close)

    @property
    def viewer(self) -> "napari.Viewer":
        """The viewer this belongs to.

        Raises
        ------
        RuntimeError
            If it is gone.
        """
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("The viewer was closed.")
        return viewer

    def dock_opened(self, dock: QWidget) -> None:
        """Tell the session that a dock is on screen: the worker warms up, and the window's end is its end."""
        window = dock.window()
        if window is not None and window is not dock and id(window) not in self._windows:
            self._windows.add(id(window))
            window.destroyed.connect(self.close)
        self.client.start()

    def request(self, command: Mapping[str, Any], title: str) -> Request:
        """Order something from the worker; `title` stands in napari's activity area."""
        request = Request(self.client.order(command), command, title, lambda: self._at_the_end.alive)
        self.requested.emit(command["command"])
        self._requests.add(request)
        request.ended.connect(lambda _answer: self._requests.discard(request))
        return request

    def add_measurement(self, measurement: Undersampled) -> None:
        """Keep a measurement for the other docks."""
        self.measurements.append(measurement)
        self.measurements_changed.emit()

    def folder(self, name: str) -> Path:
        """A folder for this plugin's files inside the run folder of the preferences, created if need be."""
        folder = preferences().run_folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def path_of(self, layer: "Layer") -> Path:
        """The file of a layer for the worker to read: its own, or one written beside the runs.

        Raises
        ------
        BadInput
            If the layer is no scan.
        OSError
            If it has no file and none can be written.
        """
        there = self.file_at_hand(layer)
        if there is None:
            there = _written(acquired_scan(layer), self.folder("inputs"), _choices(layer))
            self._files[layer] = (weakref.ref(layer.data), there)
        return there

    def file_at_hand(self, layer: "Layer") -> Path | None:
        """As `path_of`, at once; None where a file has to be written first, which may take seconds.

        Raises
        ------
        BadInput
            If the layer is no scan.
        """
        voxels, written = self._files.get(layer, (None, None))
        if written is not None and voxels is not None and voxels() is layer.data and written.is_file():
            return written
        scan = acquired_scan(layer)
        if identity(layer) is not None and scan.path is not None and scan.path.is_file() and _is_as_read(layer, scan):
            return scan.path
        return None

    def close(self) -> None:
        """End the worker and whatever it does; called when the window closes, harmless when repeated."""
        if self._at_the_end.alive:
            self._at_the_end()
            if self.board is not None:
                self.board.forget()
            self.closed.emit()

    def leave_board(self) -> None:
        """Take down the board that is up, whatever it shows: there is one at a time. Harmless without one."""
        if self.board is not None:
            self.board.leave()


def session_of(viewer: "napari.Viewer") -> Session:
    """The session of a viewer, made on first use."""
    viewer = unwrapped(viewer)
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session(viewer)
    return _SESSIONS[viewer]


_SESSIONS: "weakref.WeakKeyDictionary[napari.Viewer, Session]" = weakref.WeakKeyDictionary()


def _is_as_read(layer: "Layer", scan: Scan) -> bool:
    """Whether a layer still shows what its file says by itself, rather than something computed or chosen."""
    own = layer.metadata[KEY]
    read: Scan = own["scan"]
    if own["kind"] != "scan" or _choices(layer):
        return False
    if read.kspace is not None:
        return scan.kspace is read.kspace
    return scan is read or bool(np.shares_memory(layer.data, read.image))


def _choices(layer: "Layer") -> str:
    """What a person had to say before the layer's file could be read; empty where it says all by itself."""
    own = layer.metadata.get(KEY)
    options = own.get("options") if isinstance(own, Mapping) else None
    return "" if options in (None, ArrayOptions()) else repr(options)


def _written(scan: Scan, folder: Path, choices: str) -> Path:
    """Named by content, so that the same layer has the same file in every run."""
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in scan.name)[:60] or "layer"
    path = folder / f"{name}-{_digest(scan, choices)}{'.nii.gz' if scan.kspace is None else '.h5'}"
    if not path.exists():
        save(scan, path)
    return path


def _digest(scan: Scan, choices: str) -> str:
    content = hashlib.sha256(scan.affine.tobytes())
    if scan.kspace is None:
        content.update(np.ascontiguousarray(scan.image).data)
    elif scan.path is not None and scan.path.is_file():
        # the file and not its content, for that may be larger than the memory
        there = scan.path.stat()
        content.update(f"{scan.path.resolve()} {there.st_size} {there.st_mtime_ns} {choices}".encode())
    else:
        for frame, index in np.ndindex(scan.kspace.shape[:2]):
            content.update(np.ascontiguousarray(scan.kspace.slice(frame, index)).data)
    return content.hexdigest()[:12]
