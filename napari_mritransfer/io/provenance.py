"""What a scan knows and a format has no word for: written beside it in our own words, so that it survives reloading.

Above all where the numbers came from: k-space made from magnitudes must never come back as a raw acquisition.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.axes import Axes, is_usable
from napari_mritransfer.io.kspace import KSpace
from napari_mritransfer.io.scan import NO_SIDES, NO_SPACING, Origin, Scan

_LONGEST = 1 << 20  # characters
_UNKNOWN = "unknown"
PhaseEncode = Literal["y", "x"] | None


def facts_of(scan: Scan, *, measured: NDArray[np.bool_] | None = None) -> dict[str, str]:
    """Short strings by name, without line breaks; only what a reader would not find out by itself.

    Parameters
    ----------
    measured
        ``(ky, kx)`` bool that the file itself declares; None where it declares nothing and zeros have to tell.
    """
    facts = {"origin": str(scan.origin)} if scan.origin is not Origin.RAW else {}
    facts["phase_encode"] = scan.phase_encode or _UNKNOWN
    if scan.sides_known:
        facts["affine"] = json.dumps(scan.affine.tolist())
    facts["spacing_mm"] = _UNKNOWN if NO_SPACING in scan.notes else json.dumps(list(scan.spacing_mm))
    kspace = scan.kspace
    if kspace is not None:
        if kspace.image_matrix != kspace.shape[-2:]:
            facts["image_matrix"] = json.dumps(list(kspace.image_matrix))
        if kspace.declared is not None if measured is None else not np.array_equal(kspace.measured(), measured):
            facts["measured"] = _run_lengths(kspace.measured())
    return facts


def with_facts(scan: Scan, facts: Mapping[str, str]) -> Scan:
    """The scan with what our own words say of it; what is missing, damaged or does not fit is passed over."""
    known = {key: value for key, value in facts.items() if len(value) <= _LONGEST}
    if known.get("origin") in {str(origin) for origin in Origin}:
        origin = Origin(known["origin"])
        told = [f"The file says that its numbers are {origin}."] if origin is not scan.origin else []
        scan = replace(scan, origin=origin, notes=(*scan.notes, *told))
    if known.get("phase_encode") in ("y", "x", _UNKNOWN):
        named = None if known["phase_encode"] == _UNKNOWN else known["phase_encode"]
        scan = replace(scan, phase_encode=cast(PhaseEncode, named))
    spacing = _spacing(known.get("spacing_mm"))
    if scan.kspace is not None and not scan.sides_known:
        # made anew: the affine that is made up depends on both
        scan = Scan.from_kspace(
            _known(scan.kspace, known),
            spacing_mm=spacing or (None if NO_SPACING in scan.notes else scan.spacing_mm),
            phase_encode=scan.phase_encode,
            origin=scan.origin,
            name=scan.name,
            path=scan.path,
            notes=[note for note in scan.notes if note not in (NO_SIDES, NO_SPACING)],
        )
    if known.get("spacing_mm") == _UNKNOWN and NO_SPACING not in scan.notes:
        scan = replace(scan, notes=(*scan.notes, NO_SPACING))
    if scan.kspace is not None and scan.sides_known:
        kspace = _known(scan.kspace, known)
        image = scan.image if kspace is scan.kspace else cast(NDArray[np.float32], kspace.image())
        scan = replace(scan, kspace=kspace, image=image, spacing_mm=spacing or scan.spacing_mm)
    affine = _numbers(known.get("affine"), (4, 4))
    if affine is not None and is_usable(affine):
        notes = tuple(note for note in scan.notes if note not in (NO_SIDES, NO_SPACING))
        scan = replace(scan, affine=affine, axes=Axes.as_acquired(affine), sides_known=True, notes=notes)
    return scan


def _known(kspace: KSpace, facts: Mapping[str, str]) -> KSpace:
    rows, columns = kspace.shape[-2:]
    declared = _mask(facts.get("measured"), (rows, columns))
    matrix = _numbers(facts.get("image_matrix"), (2,))
    fits = matrix is not None and 1 <= matrix[0] <= rows and 1 <= matrix[1] <= columns
    if declared is None and not fits:
        return kspace
    return kspace.described(
        declared=kspace.declared if declared is None else declared,
        padded=kspace.padded,
        image_matrix=(int(matrix[0]), int(matrix[1])) if fits and matrix is not None else kspace.image_matrix,
    )


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    found = _numbers(text, (3,))
    if found is None or not (found > 0).all():
        return None
    slice_mm, y_mm, x_mm = (float(length) for length in found)
    return slice_mm, y_mm, x_mm


def _numbers(text: str | None, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if text is None:
        return None
    try:
        found = np.array(json.loads(text), dtype=np.float64)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None
    return found if found.shape == shape and np.isfinite(found).all() else None


def _run_lengths(mask: NDArray[np.bool_]) -> str:
    """Lengths of the stretches of equal values, row after row, the first of them unmeasured."""
    stretches = [len([*same]) for _, same in groupby(mask.ravel())]
    return " ".join(map(str, ([0] if mask.flat[0] else []) + stretches))


def _mask(text: str | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    parts = (text or "").split()
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
        return None
    lengths = [int(part) for part in parts]
    if sum(lengths) != shape[0] * shape[1]:
        return None
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape)
