"""The run directory: config.json, environment.json, events.jsonl, metrics.json beside the checkpoints."""

import json
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.events import Event, Started, as_record, from_record, renewed
from napari_mritransfer.training.metric import Metric
from napari_mritransfer.training.settings import Settings

Config = TypeVar("Config", bound=Settings)

BEST, LAST, STATE = "best.safetensors", "last.safetensors", "state.safetensors"
PREVIEW = "preview.npy"
_PACKAGES = (
    "napari-mritransfer", "torch", "lightning-fabric", "monai", "numpy", "nibabel", "scikit-image", "scikit-learn",
    "safetensors", "scipy", "matplotlib",
)  # fmt: skip


class RunDirectory(Generic[Config]):
    """One job's folder; every file in it is whole at any moment.

    Parameters
    ----------
    folder
        Need not be there yet.
    kind
        The class of its settings; a fine-tuning job's if omitted.
    """

    @overload
    def __init__(self: "RunDirectory[FinetuneConfig]", folder: Path) -> None: ...
    @overload
    def __init__(self, folder: Path, kind: type[Config]) -> None: ...
    def __init__(self, folder: Path, kind: type[Any] = FinetuneConfig) -> None:
        self.folder = folder
        self.kind: type[Config] = kind
        self.config_path = folder / "config.json"
        self.events_path = folder / "events.jsonl"
        self.metrics_path = folder / "metrics.json"

    def begin(self, config: Config) -> None:
        """Claim a folder for a job: a new one, or that of a job that failed before it had a model.

        Raises
        ------
        BadConfig
            If a run is there already.
        """
        if self._holds_other_files():
            raise BadConfig(f"{self.folder} holds other files; choose a new folder for the run.")
        if any(self.folder.glob("*.safetensors")):
            raise BadConfig(f"{self.folder} already holds a run; resume it with --resume or choose another folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events_path.unlink(missing_ok=True)
        write_text(self.folder / "environment.json", json.dumps(environment(), indent=2))
        write_text(self.config_path, config.as_json())

    def _holds_other_files(self) -> bool:
        if not self.folder.is_dir():
            return self.folder.exists()
        ours = {self.config_path.name, self.events_path.name, "environment.json"}
        # hidden: the temporary file of a job that was killed while it wrote its first one
        names = {path.name for path in self.folder.iterdir() if not path.name.startswith(".")}
        return not self.config_path.is_file() and not names <= ours

    def config(self) -> Config:
        """The job's configuration.

        Raises
        ------
        BadConfig
            If there is no run in the folder, or its configuration cannot be read.
        """
        if not self.config_path.is_file():
            raise BadConfig(f"{self.folder} holds no run to resume; start a new one.")
        return self.kind.from_json(self.config_path.read_text(encoding="utf-8"))

    def is_finished(self) -> bool:
        """Whether the run has nothing left to do."""
        outcome = self.metrics()
        return outcome is not None and bool(outcome["finished"]) and not (self.folder / STATE).exists()

    def keep_events_until(self, step: int) -> None:
        """Forget events after `step`: a resumed job will tell them again."""
        if not self.events_path.exists():
            return
        kept = []
        for line in self.events_path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                break  # the line that was being written when the process was killed
            if record.get("step", 0) <= step and record["event"] not in ("Stopped", "Failed", "Done"):
                kept.append(line)
        write_text(self.events_path, "".join(f"{line}\n" for line in kept))

    def recorder(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """A callback that writes each event down before passing it on."""

        def record(event: Event) -> None:
            # a step's line need not survive a power cut; flushing each one would cost more than the step
            with self.events_path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(as_record(event)) + "\n")
            on_event(event)

        return record

    def events(self) -> list[dict[str, Any]]:
        """The events recorded so far, with today's names."""
        lines = self.events_path.read_text(encoding="utf-8").splitlines() if self.events_path.exists() else []
        return [renewed(json.loads(line)) for line in lines if line.endswith("}")]

    def curve(self) -> list[tuple[int, float]]:
        """(step, score) of every validation so far."""
        return [(e["step"], e["score"]) for e in self.events() if e["event"] == "EpochDone"]

    def metric(self) -> Metric:
        """What its scores measure, as far as it has told."""
        told = [from_record(event) for event in self.events() if event["event"] == "Started"]
        return next((event.measures() for event in told if isinstance(event, Started)), Metric("score"))

    def write_metrics(self, record: dict[str, Any]) -> None:
        """Write the outcome."""
        write_text(self.metrics_path, json.dumps(record, indent=2))

    def metrics(self) -> dict[str, Any] | None:
        """The outcome, or None while the job is unfinished."""
        if not self.metrics_path.is_file():
            return None
        return dict(json.loads(self.metrics_path.read_text(encoding="utf-8")))


def environment() -> dict[str, str]:
    """Versions and machine, for whoever wants to repeat the run."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"python": platform.python_version(), "system": platform.platform(), **versions}
