"""What the "Compare reconstructions" dock asks for, and the command that it turns into."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.study.methods import PRETRAINED, REFERENCE, ZERO_FILLED
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.widgets.session import Undersampled
from napari_mritransfer.zoo.card import DEFAULT_MODEL

_NO_RUNS = {REFERENCE, ZERO_FILLED, PRETRAINED, *(method.name for method in CLASSICAL)}
_COILS_ALONE = "sense"  # with one coil it is the zero-filled image again


@dataclass(frozen=True, slots=True)
class CompareInputs:
    """The form of the dock.

    Attributes
    ----------
    measurement
        What all methods start from.
    ticked
        Methods from left to right: ``reference``, ``zero-filled``, classical ones, ``pretrained`` and run folders.
    model
        Zoo name of the network that ``pretrained`` is; empty for the one that the ticked runs began as, or the zoo's
        default without runs.
    device
        As in the preferences.
    """

    measurement: Undersampled
    ticked: tuple[str, ...]
    model: str = ""
    device: str = "auto"

    @property
    def shows_reference(self) -> bool:
        """Whether the fully sampled image gets a cell."""
        return REFERENCE in self.ticked and self.measurement.has_reference

    def command(self, out: Path) -> dict[str, Any]:
        """What the worker is told; the results go to `out`.

        Raises
        ------
        BadInput
            If nothing is ticked that can be reconstructed, or a ticked run cannot be read.
        """
        methods = [self._method(name) for name in self.ticked if name != REFERENCE]
        if not methods:
            raise BadInput("Nothing is ticked that could be compared; tick at least one method beside the reference.")
        return {
            "command": "compare",
            "scan": str(self.measurement.scan),
            "methods": methods,
            "merge_seeds": False,  # every ticked row is a cell
            "model": self.model or DEFAULT_MODEL,
            "sampling": self.measurement.sampling.as_record(),
            "out": str(out),
            "peak": "volume",
            "device": self.device,
        }

    def _method(self, name: str) -> str:
        """`pretrained` by its own name where ticked runs began elsewhere: there it would mean what they began as."""
        if name != PRETRAINED or not self.model:
            return name
        runs = [Path(one) for one in self.ticked if one not in _NO_RUNS]
        origins = {RunDirectory(run).config().model for run in runs}
        return PRETRAINED if origins <= {self.model} else self.model


def unavailable_classical(n_coils: int) -> dict[str, str]:
    """Which classical methods cannot be had for a measurement of so many coils, and why, in a few words."""
    if find_spec("sigpy") is None:
        lacking = {method.name: "needs sigpy" for method in CLASSICAL if method.name != _COILS_ALONE}
    else:
        lacking = {}
    return lacking | ({_COILS_ALONE: "needs several coils"} if n_coils == 1 else {})
