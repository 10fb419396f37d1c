"""What the user set under Preferences > Plugins."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari.settings import get_plugin_settings

View = Literal["radiological", "neurological"]

PLUGIN = "napari-mritransfer"


@dataclass(frozen=True)
class Preferences:
    """The plugin's preferences.

    Attributes
    ----------
    device
        ``"auto"``, ``"cpu"``, ``"cuda:0"``, …
    run_folder
        Where runs and comparisons are kept; it need not exist yet.
    default_rate
        Sampled fraction that forms start with, in [0.05, 1].
    view
        Which side the patient's right is shown on.
    """

    device: str
    run_folder: Path
    default_rate: float
    view: View


def preferences() -> Preferences:
    """The preferences as they are now; the manifest's defaults where the plugin is not registered with napari."""
    stored = _stored()
    folder = str(getattr(stored, "run_folder", "")).strip()
    return Preferences(
        device=str(getattr(stored, "device", "")).strip() or "auto",
        run_folder=Path(folder).expanduser() if folder else Path.home() / "mritransfer-runs",
        default_rate=float(getattr(stored, "default_rate", 0.25)),
        view=getattr(stored, "view", "radiological"),
    )


def when_view_changes(call: Callable[[View], None]) -> None:
    """From now on, `call` with the preferred view whenever the user changes it. GUI thread."""
    stored = _stored()
    if stored is not None:
        stored.events.view.connect(lambda event: call(event.value))


def _stored() -> Any | None:
    try:
        return get_plugin_settings(PLUGIN).general
    except KeyError:
        return None
