"""Whether the images of a cohort are there, can be opened, and are as many as the table says."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_mritransfer.cohort.placement import Placement
from napari_mritransfer.cohort.problem import Problem, Severity, some
from napari_mritransfer.cohort.table import CohortScan
from napari_mritransfer.io import endings, load
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.nifti import Announced, announced

_FEWEST_VOXELS = 8  # along an axis: fewer are a slice, a slab or a map of something
_SAMPLES, _SAMPLE_BYTES = 16, 65536


def check_images(
    scans: Sequence[CohortScan],
    placement: Placement = "world",
    *,
    open_files: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Problem, ...]:
    """Look at every image, as far as its header unless something there is odd.

    Parameters
    ----------
    scans
        Of the table.
    placement
        How they will be placed, see `Preparation`.
    open_files
        Whether to look into the files at all; without, only that they exist is checked, and that none is named twice.
    on_progress
        Called with (done, total) after each scan; what it raises ends the checks.
    """
    problems: list[Problem] = []
    seen: list[CohortScan] = []
    frames: list[str] = []
    for done, scan in enumerate(scans, start=1):
        found = _problem_of(scan, placement, frames) if open_files else _absence(scan)
        if found is not None:
            problems.append(found)
        if found is None or found.severity is Severity.REMARK:
            seen.append(scan)
        if on_progress is not None:
            on_progress(done, len(scans))
    if frames:
        sentence = f"{len(frames)} scan(s) hold several frames ({some(frames)}): the first one will be used."
        problems.append(Problem("several frames", Severity.REMARK, sentence))
    return (*problems, *_same_images(seen, open_files))


def _absence(scan: CohortScan) -> Problem | None:
    if scan.path is None:
        return Problem.leaving_out(scan, "image missing", f"{scan.name} has no image; name one in the table or add it.")
    try:
        if scan.path.is_file():
            return None
    except (OSError, ValueError):  # a name that no file can have
        pass
    sentence = f"{scan.path} does not exist; correct the path or copy the image there."
    return Problem.leaving_out(scan, "image missing", sentence)


def _problem_of(scan: CohortScan, placement: Placement, frames: list[str]) -> Problem | None:
    absent = _absence(scan)
    if absent is not None or scan.path is None:
        return absent
    try:
        header = _look(scan.path)
    except BadInput as error:
        return Problem.leaving_out(scan, "image unreadable", str(error))
    *sizes, n_frames = header.shape
    text = " x ".join(str(size) for size in sizes)
    if min(sizes) == 1:
        sentence = f"{scan.path.name} is a single slice ({text} voxels); choose the whole volume."
        return Problem.leaving_out(scan, "image is 2-D", sentence)
    if min(sizes) < _FEWEST_VOXELS:
        sentence = f"{scan.path.name} has only {text} voxels; choose a volume of the whole head."
        return Problem.leaving_out(scan, "image too small", sentence)
    if n_frames > 1:
        frames.append(scan.name)
    if header.names_sides:
        return None
    if placement == "world":
        return Problem.leaving_out(
            scan, "orientation unknown",
            f"{scan.path.name} does not say how it lies in the patient; convert it again with its orientation, or use "
            "placement 'centre' and mind that left and right are a guess.",
        )  # fmt: skip
    sentence = f"{scan.path.name} does not say which side of the patient is which: left and right are a guess."
    return Problem("sides unknown", Severity.REMARK, sentence, scan.subject, scan.session, scan.line)


def _look(path: Path) -> Announced:
    if endings.ending(path) in endings.NIFTI:
        return announced(path)
    scan = load(path)
    i, j, k = (scan.image.shape[1 + scan.axes.permutation.index(axis)] for axis in range(3))
    return Announced((i, j, k, scan.image.shape[0]), scan.sides_known)


def _same_images(scans: Sequence[CohortScan], open_files: bool) -> list[Problem]:
    """Images that stand in the table more than once, under one name or, where files may be opened, several.

    One that is given to several people would be learned from and tested on, and whose it is nobody knows.
    """
    by_content: dict[str, list[CohortScan]] = {}
    alike = _alike(scans) if open_files else {}
    for scan in scans:
        assert scan.path is not None
        place = os.path.realpath(scan.path)
        by_content.setdefault(alike.get(place, place), []).append(scan)
    problems = []
    for same in by_content.values():
        owners = dict.fromkeys(scan.subject for scan in same)
        lines = f"Lines {', '.join(str(scan.line) for scan in same[:6])} name the same image"
        if len(owners) > 1:
            sentence = f"{lines} for different subjects ({some(owners)}): nobody knows whose it is; correct the paths."
            problems += [Problem.leaving_out(scan, "same image", sentence) for scan in same]
        else:
            sentence = f"{lines}, which counts once, in line {same[0].line}; correct the paths."
            problems += [Problem.leaving_out(scan, "same image", sentence) for scan in same[1:]]
    return problems


def _alike(scans: Sequence[CohortScan]) -> dict[str, str]:
    """For files that are equal byte for byte, one name for all of them."""
    by_look: dict[tuple[int, str], set[str]] = {}
    sizes: dict[int, set[str]] = {}
    for scan in scans:
        place = os.path.realpath(scan.path or "")
        sizes.setdefault(os.path.getsize(place), set()).add(place)
    for size, places in sizes.items():
        for place in places if len(places) > 1 else ():
            by_look.setdefault((size, _glimpse(place, size)), set()).add(place)
    names: dict[str, str] = {}
    for places in by_look.values():
        for place in places if len(places) > 1 else ():
            with open(place, "rb") as file:
                names[place] = hashlib.file_digest(file, "sha256").hexdigest()
    return names


def _glimpse(place: str, size: int) -> str:
    """A digest of pieces spread over a file, which tells two scans of one size apart without reading them whole."""
    digest = hashlib.sha256()
    with open(place, "rb") as file:
        for part in range(_SAMPLES):
            file.seek(part * max(size - _SAMPLE_BYTES, 0) // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()
