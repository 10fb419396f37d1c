"""The real heads that simulated subjects are warped from: T1-weighted volumes on the common 2 mm grid."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mritransfer.io.errors import BadInput

TRAINING, VALIDATION, TEST_ONLY = "training", "validation", "test only"
"""What a head may be used for; nothing is ever trained or chosen on a test-only head."""

_FOLDER = Path(str(resources.files("napari_mritransfer") / "resources" / "heads"))
_REACH = 2  # voxels about the head in which a cubic spline still differs from zero


class UnknownHead(BadInput):
    """There is no head of that name."""


@dataclass(frozen=True)
class Head:
    """A head and where the things that change lie in it.

    Attributes
    ----------
    name
        Of the shipped file, such as ``"patient01"``.
    voxels
        ``(i, j, k)`` float32, white matter about 1, air exactly 0.
    affine
        ``(4, 4)`` voxel-to-world, MNI152 mm.
    role
        `TRAINING`, `VALIDATION` or `TEST_ONLY`.
    ventricles
        Centre lines of the right and the left lateral ventricle, ``(point, 3)`` mm each, from the frontal horn back.
    foci
        ``(2, 3)`` mm: the right and the left hippocampus, where the simulated disease acts.
    ventricle_offset_mm
        Widening that gives this head's ventricles the volume that all heads share at widening 0: people differ, and
        without it whose head it is would say more about the simulated age than the simulation does.
    source
        Where the volume comes from, in a sentence.
    licence
        Under which it came.
    """

    name: str
    voxels: NDArray[np.float32]
    affine: NDArray[np.float64]
    role: str
    ventricles: tuple[NDArray[np.float64], NDArray[np.float64]]
    foci: NDArray[np.float64]
    ventricle_offset_mm: float = 0.0
    source: str = ""
    licence: str = ""

    @cached_property
    def to_voxels(self) -> NDArray[np.float64]:
        """``(4, 4)`` world to voxel."""
        return np.asarray(np.linalg.inv(self.affine))

    @cached_property
    def spline(self) -> NDArray[np.float32]:
        """``(i, j, k)`` coefficients of the cubic spline through the voxels; nothing is smoothed by it."""
        return np.asarray(ndimage.spline_filter(self.voxels, order=3, output=np.float32))

    @cached_property
    def within_reach(self) -> NDArray[np.bool_]:
        """``(i, j, k)``: where the spline can differ from zero."""
        return np.asarray(ndimage.binary_dilation(self.voxels > 0, iterations=_REACH))


def head_names(*, roles: Collection[str] = (TRAINING, VALIDATION, TEST_ONLY)) -> tuple[str, ...]:
    """Names of the shipped heads in these roles, in a fixed order."""
    return tuple(name for name, entry in _entries().items() if entry["role"] in roles)


@lru_cache(maxsize=8)
def load_head(name: str) -> Head:
    """Read a shipped head.

    Raises
    ------
    UnknownHead
        If none has that name.
    """
    known = _entries()
    if name not in known:
        raise UnknownHead(f"There is no head '{name}'; choose one of {', '.join(known)}.")
    entry = known[name]
    image = nibabel.Nifti1Image.from_filename(_FOLDER / entry["file"])
    voxels = np.asarray(image.dataobj, dtype=np.float32) / np.float32(entry["white_matter"])
    return Head(
        name=name,
        voxels=voxels,
        affine=np.asarray(image.affine, dtype=np.float64),
        role=str(entry["role"]),
        ventricles=(np.array(entry["ventricles"]["right"]), np.array(entry["ventricles"]["left"])),
        foci=np.array([entry["foci"]["right"], entry["foci"]["left"]]),
        ventricle_offset_mm=float(entry["ventricle_offset_mm"]),
        source=str(entry["source"]),
        licence=str(entry["licence"]),
    )


@lru_cache(maxsize=1)
def _entries() -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((_FOLDER / "heads.json").read_text(encoding="utf-8"))["heads"]
    return entries
