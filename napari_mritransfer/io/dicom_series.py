"""Which DICOM files belong together, and which of several series is meant."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.dicom_bytes import is_dicom, may_be_dicom
from napari_mritransfer.io.dicom_header import KINDS, DicomFile, Plane, read_header
from napari_mritransfer.io.dicom_pixels import refuse_unreadable
from napari_mritransfer.io.dicom_values import Numbers
from napari_mritransfer.io.errors import UnreadableScan

_MOST_FILES = 50_000
_SAME_DIRECTION = 1e-4  # of a unit vector: 0.03 mm at the edge of a head
_SAME_SPACING = 1e-3
_MOST_TOLD = 12


@dataclass(frozen=True, slots=True)
class Series:
    """What can be said of a series without saying who it is of.

    Attributes
    ----------
    label
        What `load` takes for ``series``: the number on the console; ``"8.2"`` where several have one number.
    description
        Known words of its description, and what its numbers say.
    n_files, n_images
        How many there are.
    size
        Rows and columns.
    n_bytes
        Of all files.
    """

    label: str
    description: str
    n_files: int
    n_images: int
    size: tuple[int, int]
    n_bytes: int

    def __str__(self) -> str:
        files = f"{self.n_files} {'file' if self.n_files == 1 else 'files'}"
        rows, columns = self.size
        parts = [self.description, files, f"{self.n_images} x {rows} x {columns}", f"{self.n_bytes / 1e6:.1f} MB"]
        return f"{self.label} ({', '.join(part for part in parts if part)})"


class SeriesChoice(UnreadableScan):
    """Several series could be meant: choose one, and load it with ``series``.

    Attributes
    ----------
    candidates
        The series that are there.
    """

    def __init__(self, message: str, candidates: Sequence[Series]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


@dataclass(frozen=True, slots=True)
class Group:
    """Images of one size, direction and kind from one series: what can be a scan."""

    label: str
    files: tuple[DicomFile, ...]
    planes: tuple[Plane, ...]

    @property
    def first(self) -> DicomFile:
        """The file that stands for all."""
        return self.files[0]

    @property
    def kind(self) -> str:
        """Such as magnitude or phase; empty where nothing known is said."""
        return next((KINDS[word] for word in self.planes[0].kind if word in KINDS), "")

    def described(self) -> Series:
        """What to show to somebody who has to choose."""
        file, plane = self.first, self.planes[0]
        echoes = sorted({one.labels["echo"] for one in self.planes if "echo" in one.labels})
        times = f"TE {echoes[0]:.4g}{f'–{echoes[-1]:.4g}' if len(echoes) > 1 else ''} ms" if echoes else ""
        parts = [file.words, self.kind, file.sequence, times]
        return Series(
            self.label, " ".join(part for part in parts if part), len(self.files), len(self.planes), plane.size,
            sum(one.n_bytes for one in self.files),
        )  # fmt: skip


def holds_dicom(folder: Path, *, at_most: int = 2000) -> bool:
    """Whether a DICOM file is among the first files of a folder and of those in it."""
    return any(is_dicom(path) for path, _ in zip(_files_in(folder), range(at_most), strict=False))


def found_at(path: Path) -> tuple[list[Group], list[str]]:
    """The series at a path, in the order of their numbers, and remarks on files that were left out.

    Parameters
    ----------
    path
        A folder, with those in it; or a file, with the files beside it that are of its series.

    Raises
    ------
    UnreadableScan
        If there is none.
    """
    if not path.is_dir():
        is_forced = not is_dicom(path)
        if is_forced and not may_be_dicom(path):
            with opened(path, compressed=False):  # says it if the file is missing, empty or no file
                raise UnreadableScan(f"{path.name} is no DICOM file, whatever its name says; choose another one.")
        named = read_header(path, force=is_forced)
        refuse_unreadable(named)
        beside, n_damaged = _headers(_siblings(path), force=is_forced) if named.series else ([], 0)
        files = [named, *(file for file in beside if file.series == named.series)]
    else:
        every = [*_files_in(path)]
        if len(every) > _MOST_FILES:
            raise UnreadableScan(f"{path.name} holds more than {_MOST_FILES:,} files; choose the folder of one series.")
        paths = [one for one in every if is_dicom(one)]
        is_forced = not paths
        paths = paths or [one for one in every if one.parent == path and may_be_dicom(one)]
        if not paths:
            raise UnreadableScan(f"{path.name} is a folder without DICOM files; choose a file inside it.")
        files, n_damaged = _headers(paths, force=is_forced)
        if not files:
            refuse_unreadable(read_header(paths[0], force=is_forced))  # says what is wrong with it
        files = [file for file in files if file.has_pixels]
        if not files:
            raise UnreadableScan(f"{path.name} is a folder without DICOM images; choose another one.")
    unique = list({file.instance or str(file.path): file for file in reversed(files)}.values())[::-1]
    notes = []
    if len(unique) < len(files):
        notes.append(f"Copies of the same image were left out: {_files(len(files) - len(unique))}.")
    if n_damaged:
        notes.append(f"Damaged DICOM files of the folder were left out: {_files(n_damaged)}.")
    return _grouped(unique), notes


def chosen(groups: Sequence[Group], path: Path, label: str | None) -> Group:
    """The series that is meant.

    Raises
    ------
    SeriesChoice
        If several could be, or none has the label.
    """
    if label is not None:
        for group in groups:
            if group.label == label.strip():
                return group
        raise SeriesChoice(f"{path.name} holds no series {label[:20]!r}; {_choose(groups)}.", _described(groups))
    if not path.is_dir():  # the file itself says which of its series' stacks is meant
        own = [group for group in groups if any(plane.path == path for plane in group.planes)]
        groups = own or groups
    if len(groups) > 1:
        raise SeriesChoice(f"{path.name} holds {len(groups)} series; {_choose(groups)}.", _described(groups))
    return groups[0]


def _choose(groups: Sequence[Group]) -> str:
    told = [str(one) for one in _described(groups)]
    more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    return f"choose a series by its number: {', '.join(told[:_MOST_TOLD])}{more}"


def _described(groups: Sequence[Group]) -> list[Series]:
    return [group.described() for group in groups]


def _files(number: int) -> str:
    return f"{number} {'file' if number == 1 else 'files'}"


def _files_in(folder: Path) -> Iterator[Path]:
    """Files of a folder and of those in it, by name, one more than are read; links to folders are not followed."""
    n_yielded = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if n_yielded > _MOST_FILES:
                return
            yield Path(place, name)
            n_yielded += 1


def _siblings(path: Path) -> list[Path]:
    """Files in the same folder that are DICOM in the same way, with or without saying so."""
    belongs = is_dicom if is_dicom(path) else may_be_dicom
    try:
        names = sorted(os.listdir(path.parent))
    except OSError:  # a file may be readable where its folder cannot be listed
        return []
    return [one for name in names[:_MOST_FILES] if name != path.name and belongs(one := path.parent / name)]


def _headers(paths: Sequence[Path], *, force: bool) -> tuple[list[DicomFile], int]:
    """What can be read, and how many cannot."""
    files, n_damaged = [], 0
    for path in paths:
        try:
            file = read_header(path, force=force)
            n_damaged += file.is_cut
            files += [] if file.is_cut else [file]
        except UnreadableScan:
            n_damaged += 1
    return files, n_damaged


def _grouped(files: Sequence[DicomFile]) -> list[Group]:
    groups: list[tuple[dict[Path, DicomFile], list[Plane]]] = []
    by_series: dict[str, list[int]] = {}
    for file in files:
        places = by_series.setdefault(file.series, [])
        for plane in file.planes:
            place = next((one for one in places if _is_alike(groups[one][1][0], plane)), None)
            if place is None:
                place = len(groups)
                places.append(place)
                groups.append(({}, []))
            groups[place][0][file.path] = file
            groups[place][1].append(plane)
    found = [(tuple(parts.values()), tuple(planes)) for parts, planes in groups]
    found.sort(key=lambda one: (one[0][0].number is None, one[0][0].number or 0))
    numbers = ["none" if one[0].number is None else str(one[0].number) for one, _ in found]
    return [
        Group(
            number if numbers.count(number) == 1 else f"{number}.{1 + numbers[:place].count(number)}", parts, planes
        )
        for place, (number, (parts, planes)) in enumerate(zip(numbers, found, strict=True))
    ]  # fmt: skip


def _is_alike(one: Plane, other: Plane) -> bool:
    return (
        one.size == other.size
        and one.kind == other.kind
        and _is_near(one.directions, other.directions, _SAME_DIRECTION, 0)
        and _is_near(one.spacing, other.spacing, 0, _SAME_SPACING)
    )


def _is_near(one: Numbers | None, other: Numbers | None, absolute: float, relative: float) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other, rtol=relative, atol=absolute))
