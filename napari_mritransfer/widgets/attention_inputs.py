"""What the "Slice attention" dock asks for, and the command that it turns into."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.widgets.session import Undersampled

_ENDINGS = (".nii.gz", ".nii", ".mgz")


@dataclass(frozen=True, slots=True)
class AttentionInputs:
    """The form of the dock.

    Attributes
    ----------
    scans
        Names and files of what to look at; empty with a `board`, and for a layer until its file is known.
    models
        Names of shipped networks, run folders or files; the same one twice counts once.
    board
        Folder of a comparison, whose reference and methods are looked at instead of `scans`.
    measurement
        What to reconstruct by `methods` and look at instead of `scans`, beside its reference.
    methods
        See `study.methods`.
    slicing
        How to cut the scans; None for the way the network was trained.
    sanity
        Whether to find out if the map matters to the prediction, which takes longer.
    device
        As in the preferences.
    """

    scans: tuple[tuple[str, Path], ...]
    models: tuple[str, ...]
    board: Path | None = None
    measurement: Undersampled | None = None
    methods: tuple[str, ...] = ()
    slicing: str | None = None
    sanity: bool = False
    device: str = "auto"

    @property
    def title(self) -> str:
        """What is looked at, in a few words."""
        if self.board is not None:
            return "the comparison"
        if self.measurement is not None:
            return self.measurement.name
        return self.scans[0][0] if len(self.scans) == 1 else f"{len(self.scans)} scans"

    def of(self, name: str, path: Path) -> "AttentionInputs":
        """The same for one scan."""
        return replace(self, scans=((name, path),), board=None, measurement=None)

    def command(self, out: Path) -> dict[str, Any]:
        """What the worker is told; the maps go to `out`.

        Raises
        ------
        BadInput
            If there is nothing to look at, or nothing to look with.
        """
        models = list(dict.fromkeys(self.models))
        if not models:
            raise BadInput("There is no network to look with; add the run folder or the file of one.")
        if self.board is None and self.measurement is None and not self.scans:
            raise BadInput("There is no scan to look at; open one, or choose files.")
        looked_at: dict[str, Any] = {"board": str(self.board)}
        if self.measurement is not None:
            looked_at = {
                "scan": str(self.measurement.scan), "sampling": self.measurement.sampling.as_record(),
                "methods": [*self.methods],
            }  # fmt: skip
        elif self.board is None:
            looked_at = {"inputs": [{"name": name, "path": str(path)} for name, path in self.scans]}
        return {
            "command": "attend",
            **looked_at,
            "models": models,
            "slicing": self.slicing,
            "map": True,
            "sanity": self.sanity,
            "out": str(out),
            "device": self.device,
        }


def named(files: Sequence[Path]) -> tuple[tuple[str, Path], ...]:
    """Files with names that tell them apart: without ending, and numbered where two are alike."""
    taken: set[str] = set()
    found = []
    for file in dict.fromkeys(files):
        ending = next((one for one in _ENDINGS if file.name.lower().endswith(one)), file.suffix)
        stem = name = file.name[: len(file.name) - len(ending)] or file.name
        number = 1
        while name in taken:
            number += 1
            name = f"{stem} {number}"
        taken.add(name)
        found.append((name, file))
    return tuple(found)
