"""What is known about a simulated subject because it was made: causes, sizes, and the slices that they changed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.cohort.grid import SLICINGS
from napari_mritransfer.cohort.simulation.deformation import Deformation
from napari_mritransfer.cohort.simulation.draws import Anatomy
from napari_mritransfer.cohort.simulation.geometry import Geometry
from napari_mritransfer.cohort.simulation.scanner import Scanner

CHANGED_MM = 0.25
"""A slice counts as changed where something in it is displaced by more than this: an eighth of a voxel of 2 mm."""

_NOMINAL_WIDENING_MM = 5.0

Slices = Mapping[str, tuple[int, ...]]
Profiles = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Truth:
    """Everything about a simulated subject, as its sidecar file holds it.

    Attributes
    ----------
    head, head_role
        Which real head it is made of, and what that may be used for.
    site
        A, B or C.
    age, diseased
        The labels.
    seed, number
        What all chance depends on.
    biological_age
        The age that the ventricles tell.
    ventricle_widening_mm, ventricle_asymmetry_mm
        Mean of both sides from the size that all heads share; half the difference, right minus left.
    focal_peak_mm, focal_radius_mm
        Of every focal warp.
    focal
        Kind and centre (mm, in the head that the subject is made of) of each.
    head_size_percent, nod_degrees
        How the head differs from the one it is made of.
    scanner
        What the scanner did.
    spacing_mm, shape
        Of the grid that the slices below are counted on.
    changed
        Cause ("age", "disease", "chance": focal warps that are no disease) → slicing → slices displaced by more than
        `CHANGED_MM`, counted from 0. Of age: against the head as it is.
    carries
        Label → slicing → slices in which its effect lies in this subject, whether or not it shows there: disease as if
        the subject were diseased, age as if the ventricles widened by 5 mm.
    mean_displacement_mm
        Cause → slicing → mean length of the displacement in each slice.
    """

    head: str
    head_role: str
    site: str
    age: float
    diseased: bool
    seed: int
    number: int
    biological_age: float
    ventricle_widening_mm: float
    ventricle_asymmetry_mm: float
    focal_peak_mm: float
    focal_radius_mm: float
    focal: tuple[Mapping[str, Any], ...]
    head_size_percent: float
    nod_degrees: float
    scanner: Mapping[str, Any]
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]
    changed: Mapping[str, Slices]
    carries: Mapping[str, Slices]
    mean_displacement_mm: Mapping[str, Profiles]

    def as_json(self) -> str:
        """The sidecar's text; says first that it is simulated."""
        record = {"simulated": True, "says": _SAYS} | asdict(self)
        return json.dumps(record, indent=None, separators=(", ", ": ")) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Truth":
        """Read a sidecar."""
        record = json.loads(text)
        del record["simulated"], record["says"]
        for name in ("focal", "spacing_mm", "shape"):
            record[name] = tuple(record[name])
        for name in ("changed", "carries", "mean_displacement_mm"):
            record[name] = {
                cause: {slicing: tuple(values) for slicing, values in by_slicing.items()}
                for cause, by_slicing in record[name].items()
            }
        return cls(**record)


_SAYS = "A real head, deformed and degraded by a program; age and disease are simulated and say nothing about a person."


def gather(
    anatomy: Anatomy,
    deformation: Deformation,
    scanner: Scanner,
    geometry: Geometry,
    *,
    head: str,
    head_role: str,
    age: float,
    diseased: bool,
    seed: int,
    number: int,
) -> Truth:
    """Put together what is known once a subject is deformed."""
    is_disease = anatomy.focal[0] in anatomy.disease
    disease = deformation.disease_reach_mm if is_disease else np.zeros_like(deformation.focal_mm)
    causes = {"age": deformation.age_mm, "disease": disease, "chance": deformation.focal_mm - disease}
    reaches = {"age": _NOMINAL_WIDENING_MM * deformation.age_reach, "disease": deformation.disease_reach_mm}
    first = anatomy.focal[0]
    return Truth(
        head=head,
        head_role=head_role,
        site=scanner.site,
        age=age,
        diseased=diseased,
        seed=seed,
        number=number,
        biological_age=round(anatomy.biological_age, 3),
        ventricle_widening_mm=round(anatomy.widening_mm, 4),
        ventricle_asymmetry_mm=round(anatomy.asymmetry_mm, 4),
        focal_peak_mm=first.peak_mm,
        focal_radius_mm=first.radius_mm,
        focal=tuple(
            {
                "kind": warp.kind,
                "centre_mm": [round(value, 1) for value in warp.centre_mm],
                "disease": warp in anatomy.disease,
            }
            for warp in anatomy.focal
        ),
        head_size_percent=round(100 * anatomy.size, 2),
        nod_degrees=round(anatomy.nod_degrees, 2),
        scanner=scanner.as_record(),
        spacing_mm=geometry.spacing_mm,
        shape=geometry.shape,
        changed={cause: _changed(length) for cause, length in causes.items()},
        carries={label: _changed(length) for label, length in reaches.items()},
        mean_displacement_mm={cause: _profiles(length) for cause, length in causes.items()},
    )


def _changed(length: NDArray[np.float32]) -> Slices:
    found = length > CHANGED_MM
    return {
        slicing: tuple(int(index) for index in np.flatnonzero(found.any(axis=_others(axis))))
        for axis, slicing in enumerate(SLICINGS)
    }


def _profiles(length: NDArray[np.float32]) -> Profiles:
    return {
        slicing: tuple(round(float(value), 4) for value in length.mean(axis=_others(axis)))
        for axis, slicing in enumerate(SLICINGS)
    }


def _others(axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(3) if other != axis)
