"""Undersampling in the worker: one measurement at a time per viewer, whether or not a dock is open to watch it."""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from napari.layers import Layer
from napari.qt.threading import thread_worker
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_mritransfer.io import Origin, Scan
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.client import Answer, Result
from napari_mritransfer.training.events import Failed
from napari_mritransfer.widgets.examination import Examination
from napari_mritransfer.widgets.layers import identity, place_above, scan_layers
from napari_mritransfer.widgets.requests import Request
from napari_mritransfer.widgets.session import Session, Undersampled

# where a layer lies, which the user may have changed in napari; the new layer has to cover its source
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


@dataclass(slots=True, eq=False)
class _Job:
    """What has to be remembered until the answer comes; the layer may be gone by then.

    Attributes
    ----------
    layer
        Weak, for the user may delete it.
    source
        Its identity, empty for layers that are no scans of ours.
    window
        Its contrast limits.
    file
        What the worker reads; None until it is known.
    values
        Fields of the worker's `Result`; None until it is there.
    """

    layer: "weakref.ref[Any]"
    source: str
    window: tuple[float, float]
    scan: Scan
    sampling: Sampling
    out: Path
    file: Path | None = None
    values: Mapping[str, Any] | None = None


class Measuring(QObject):
    """The undersampling of one viewer; get it with `measuring_of`. GUI thread only.

    Signals
    -------
    changed
        `is_busy`, `message`, `remarks` or `has_failed` is another.
    measured
        A measurement was made: the source layer (None if it is gone) and the fields of the worker's `Result`, with the
        measured lines ``(n_lines,)`` or samples ``(ky, kx)``, bool, as ``"sampled"``.
    """

    changed = Signal()
    measured = Signal(object, object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = weakref.ref(session)
        session.closed.connect(self.close)
        self._job: _Job | None = None
        self._request: Request | None = None
        self._is_stopping = False
        self._is_closed = False
        self.message = ""
        self.remarks: tuple[str, ...] = ()
        self.has_failed = False

    @property
    def is_busy(self) -> bool:
        """Whether a measurement is on its way."""
        return self._job is not None

    def start(self, found: Examination, sampling: Sampling) -> None:
        """Undersample an examined layer; its zero-filled image arrives as a layer above it.

        Raises
        ------
        RuntimeError
            If a measurement is on its way.
        ValueError
            If the layer cannot be used.
        """
        if self.is_busy:
            raise RuntimeError("A scan is being undersampled; wait for it or stop it.")
        if found.scan is None:
            raise ValueError(found.problem)
        layer, session = found.layer, self._live_session()
        try:
            out = session.folder("measurements") / uuid4().hex
        except OSError as error:
            self._end(_about_files(error), has_failed=True)
            return
        bottom, top = layer.contrast_limits
        self._job = _Job(
            weakref.ref(layer), identity(layer) or "", (float(bottom), float(top)), found.scan, sampling, out
        )
        self._is_stopping = False
        self._tell("Undersampling…")
        # in a thread, because a layer without a file is written first, and compressing takes seconds
        writer = thread_worker(_file_of)(session, self._job.layer)
        writer.returned.connect(self._on_file_returned)
        writer.errored.connect(self._on_file_errored)
        writer.start()

    def stop(self) -> None:
        """Stop the measurement on its way; no layer is added."""
        if self.is_busy:
            self._is_stopping = True
            self._tell("Stopping…")
            if self._request is not None:
                self._request.stop()

    def close(self) -> None:
        """The window is gone: whatever still arrives is dropped."""
        self._is_closed = True

    def _on_file_returned(self, file: Path | str) -> None:
        """GUI thread."""
        job = self._job
        if job is None or self._is_closed:
            return
        if isinstance(file, str):
            self._end(file, has_failed=True)
        elif self._is_stopping:
            self._end("Stopped.")
        else:
            job.file = file
            command = {
                "command": "undersample", "scan": str(file), "sampling": job.sampling.as_record(), "out": str(job.out),
            }  # fmt: skip
            self._request = self._live_session().request(command, f"Undersampling {job.scan.name}")
            self._request.ended.connect(self._on_request_ended)

    def _on_file_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._end(f"The scan could not be handed to the worker ({error}).", has_failed=True)

    def _on_request_ended(self, answer: Answer) -> None:
        """GUI thread."""
        job, self._request = self._job, None
        if job is None or self._is_closed:
            return
        if isinstance(answer, Failed):
            self._end(answer.reason, has_failed=True)
        elif not isinstance(answer, Result) or self._is_stopping:
            self._end("Stopped.")
        else:
            job.values = answer.values
            reader = thread_worker(_arrays_in)(answer.values)
            reader.returned.connect(self._on_image_returned)
            reader.errored.connect(self._on_image_errored)
            reader.start()

    def _on_image_returned(self, arrays: tuple[NDArray[Any], NDArray[np.bool_]] | str) -> None:
        """GUI thread."""
        job = self._job
        if job is None or self._is_closed:
            return
        if isinstance(arrays, str):
            self._end(arrays, has_failed=True)
        elif self._is_stopping:
            self._end("Stopped.")
        else:
            self._take(job, *arrays)

    def _on_image_errored(self, error: Exception) -> None:
        """GUI thread."""
        self._end(_about_image(error), has_failed=True)

    def _take(self, job: _Job, image: NDArray[Any], sampled: NDArray[np.bool_]) -> None:
        values = job.values
        assert values is not None
        rate = "as measured" if job.sampling.as_measured else f"{100 * values['nominal_rate']:.3g} %"
        assert job.file is not None
        measurement = Undersampled(
            name=f"{rate}: {job.scan.name}",  # the rate first, for lists are narrow
            scan=job.file,
            sampling=job.sampling,
            layer=self._add_layer(job, image, rate),
            source_layer=job.source,
            description=values["description"],
            warnings=tuple(values["warnings"]),
            has_reference=values["has_reference"],
            n_coils=_coils(job),
        )
        self._live_session().add_measurement(measurement)
        self._end(_sentence(measurement.description), remarks=measurement.warnings)
        self.measured.emit(job.layer(), {**values, "sampled": sampled})

    def _add_layer(self, job: _Job, image: Any, rate: str) -> str:
        """Above its source and that one's views, in its place and seen through its window; the new layer's identity."""
        layers = self._live_session().viewer.layers
        source = job.layer()
        is_simulated = not job.sampling.as_measured and job.scan.kspace is None
        origin = Origin.SIMULATED if is_simulated or job.scan.origin is Origin.SIMULATED else Origin.MAGNITUDE
        name = f"{job.scan.name} zero-filled" + (f" {rate}" if not job.sampling.as_measured else "")
        scan = job.scan.with_image(image, origin=origin, name=name)
        ((data, settings, kind),) = scan_layers(scan, kind="zero-filled", extra={"measurement": job.out.name})
        settings["contrast_limits"], place = job.window, len(layers)
        if source is not None and source in layers:
            settings["contrast_limits"], place = tuple(source.contrast_limits), place_above(layers, source)
            if source.ndim == data.ndim:  # not so for a single slice that came as a layer of two axes
                settings.update({name: getattr(source, name) for name in _PLACE})
        layer = Layer.create(data, settings, kind)
        layers.insert(place, layer)
        told = identity(layer)
        assert told is not None
        return told

    def _tell(self, message: str, *, remarks: tuple[str, ...] = (), has_failed: bool = False) -> None:
        self.message, self.remarks, self.has_failed = message, remarks, has_failed
        self.changed.emit()

    def _end(self, message: str, *, remarks: tuple[str, ...] = (), has_failed: bool = False) -> None:
        self._job = None
        self._tell(message, remarks=remarks, has_failed=has_failed)

    def _live_session(self) -> Session:
        session = self._session()
        assert session is not None  # this is its child
        return session


def measuring_of(session: Session) -> Measuring:
    """The undersampling of a session's viewer, made on first use."""
    found: Measuring | None = session.findChild(Measuring)
    return found or Measuring(session)


def _file_of(session: Session, layer: "weakref.ref[Any]") -> Path | str:
    """Runs in a thread of napari's. The layer's file, or why there is none, in one sentence.

    The layer comes weakly, because napari's finished workers are never freed, and their arguments with them.
    """
    there = layer()
    if there is None:
        return "The layer was deleted; choose another one."
    try:
        return session.path_of(there)
    except BadInput as error:
        return str(error)
    except OSError as error:
        return _about_files(error)


def _arrays_in(values: Mapping[str, Any]) -> tuple[NDArray[Any], NDArray[np.bool_]] | str:
    """Runs in a thread of napari's. The zero-filled image and what was measured, or why not, in one sentence."""
    try:
        image: NDArray[Any] = np.load(values["zero_filled"], allow_pickle=False)
        if values.get("plane") is not None:
            return image, np.load(values["plane"], allow_pickle=False)
    except (OSError, ValueError) as error:
        return _about_image(error)
    lines = np.zeros(values["n_lines"], dtype=bool)
    lines[values["lines"]] = True
    return image, lines


def _coils(job: _Job) -> int:
    """Of the measurement, not of the scan."""
    sampling, kspace = job.sampling, job.scan.kspace
    if kspace is None:
        return sampling.simulated_coils or 1
    if sampling.combine_coils:
        return 1
    return min(sampling.virtual_coils or kspace.n_coils, kspace.n_coils)


def _about_image(error: Exception) -> str:
    return f"The zero-filled image could not be read ({error}); undersample again."


def _about_files(error: OSError) -> str:
    what = f"{error.strerror or error}: {error.filename or 'a file'}"
    return f"{what}; check the run folder under Preferences, its permissions and the space on the disk."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
