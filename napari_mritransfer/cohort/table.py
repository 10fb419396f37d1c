"""A cohort: who was scanned, where the images lie, and everything that a table says of each scan."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_mritransfer.cohort import bids
from napari_mritransfer.cohort.rows import Rows, read_rows
from napari_mritransfer.io.endings import READABLE
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.slices import subject_of

SUBJECT_COLUMNS = ("participant_id", "subject_id", "subject", "participant", "patient_id", "patient", "sub", "id")
SESSION_COLUMNS = ("session_id", "session", "ses", "visit", "timepoint")
IMAGE_COLUMNS = ("path", "image", "image_path", "file", "filename", "file_path", "filepath", "nifti", "t1w", "scan")
"""Names by which columns are known, in any case, the first of them first."""


@dataclass(frozen=True, slots=True)
class CohortScan:
    """One image of one subject.

    Attributes
    ----------
    subject
        Whose it is.
    session
        Of several visits; empty where there is only one.
    path
        The image, whether it exists or not; None where none is named.
    values
        The table's text by column; empty where it is missing.
    line
        The table's line, counted from 1.
    """

    subject: str
    session: str
    path: Path | None
    values: Mapping[str, str] = field(hash=False)
    line: int

    @property
    def name(self) -> str:
        """Subject and session for people."""
        return f"{self.subject} {self.session}".strip()


@dataclass(frozen=True, slots=True)
class Cohort:
    """A table of scans.

    Attributes
    ----------
    source
        The table's file.
    columns
        All columns, those of sessions included.
    scans
        In the table's order.
    simulated
        Whether the folder's description says that nobody was scanned.
    label_columns
        The columns that name neither subject, session nor image: what could be predicted.
    notes
        One-sentence remarks on how the table was read.
    """

    source: Path
    columns: tuple[str, ...]
    scans: tuple[CohortScan, ...]
    simulated: bool
    label_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody once, in the table's order."""
        return tuple(dict.fromkeys(scan.subject for scan in self.scans))

    def column(self, name: str) -> str:
        """A column as the table spells it; capitals do not matter unless there are several.

        Raises
        ------
        BadInput
            If there is no such column; the sentence names those that there are.
        """
        found = _column(self.columns, (name,))
        if found is None:
            known = ", ".join(self.label_columns[:20]) or "none besides subject and image"
            raise BadInput(f"{self.source.name} has no column '{name}'; choose one of: {known}.")
        return found


def read_cohort(path: str | Path, *, image_column: str | None = None, subject_column: str | None = None) -> Cohort:
    """Read a cohort from a table, or from a folder laid out by BIDS.

    Paths in the table count from the table's folder. Without a column of paths the images are looked for where BIDS
    keeps them, one scan for each session; ``sub-…_sessions.tsv`` then overrides what the table says of the subject.

    Parameters
    ----------
    path
        A table (see `rows.read_rows`), or a folder that holds ``participants.tsv``.
    image_column, subject_column
        Where the usual names (`IMAGE_COLUMNS`, `SUBJECT_COLUMNS`) do not tell; empty is as good as None.

    Raises
    ------
    BadInput
        In one sentence, if the table cannot be read or does not say whose the images are and where they lie.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / bids.PARTICIPANTS).is_file():
            raise BadInput(f"{path} holds no {bids.PARTICIPANTS}; choose the table itself.")
        path = path / bids.PARTICIPANTS
    rows = read_rows(path)
    for wanted in (image_column, subject_column):
        if wanted and _column(rows.columns, (wanted,)) is None:
            raise BadInput(f"{path.name} has no column '{wanted}'; it has: {', '.join(rows.columns)}.")
    images = _column(rows.columns, (image_column,) if image_column else IMAGE_COLUMNS) or _column_of_paths(rows)
    subjects = _column(rows.columns, (subject_column,) if subject_column else SUBJECT_COLUMNS)
    sessions = _column(rows.columns, SESSION_COLUMNS)
    if images is None and subjects is None:
        raise _no_images(rows)
    if subjects is not None:
        _refuse_nameless(rows, subjects)
    columns, notes = rows.columns, list(rows.notes)
    if images is not None:
        scans = _scans_by_path(rows, images, subjects, sessions, notes)
    else:
        assert subjects is not None
        scans, columns = _scans_by_folder(rows, subjects, sessions, notes)
    labels = tuple(name for name in columns if name not in (images, subjects, sessions))
    return Cohort(path, columns, tuple(scans), bids.is_simulated(path.parent), labels, tuple(notes))


def _column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `names` that is a column: spelled so, else in other capitals."""
    lower = {name.lower(): name for name in reversed(columns)}
    return next((name if name in columns else lower[name.lower()] for name in names if name.lower() in lower), None)


def _column_of_paths(rows: Rows) -> str | None:
    """The one column whose values end like images."""
    found = [
        name
        for name, values in zip(rows.columns, zip(*rows.values, strict=True), strict=True)
        if any(values) and all(not value or value.lower().endswith(READABLE) for value in values)
    ]
    if len(found) > 1:
        raise BadInput(
            f"{rows.source.name} has several columns of image files ({', '.join(found)}); say which one is meant, or "
            "call it 'path'."
        )
    return found[0] if found else None


def _refuse_nameless(rows: Rows, subjects: str) -> None:
    place = rows.columns.index(subjects)
    nameless = [line for line, row in zip(rows.lines, rows.values, strict=True) if not row[place]]
    if nameless:
        raise BadInput(
            f"Line {nameless[0]} of {rows.source.name} has nothing in column '{subjects}', so nobody knows whose scan "
            "it is; fill it in or remove the line."
        )


def _no_images(rows: Rows) -> BadInput:
    return BadInput(
        f"{rows.source.name} has no column of image files (looked for {', '.join(IMAGE_COLUMNS)}, and for values that "
        f"end in {', '.join(READABLE[:2])} …) and no images lie beside it as BIDS has them ({bids.IMAGES}); add a "
        "column 'path'."
    )


def _scans_by_path(
    rows: Rows, images: str, subjects: str | None, sessions: str | None, notes: list[str]
) -> list[CohortScan]:
    scans = []
    for line, row in zip(rows.lines, rows.values, strict=True):
        values = dict(zip(rows.columns, row, strict=True))
        text = values[images]
        subject = values[subjects] if subjects else subject_of(text) if _names_subject(text) else text
        image = _resolved(rows.source.parent, text) if text else None
        scans.append(CohortScan(subject, values[sessions] if sessions else "", image, values, line))
    if subjects is None:
        unnamed = [scan.line for scan in scans if not scan.subject]
        if unnamed:
            raise BadInput(
                f"Line {unnamed[0]} of {rows.source.name} names neither a subject nor an image; fill it in or remove "
                "the line."
            )
        named = sum(_names_subject(scan.subject) for scan in scans)
        notes.append(
            f"No column names the subjects (looked for {', '.join(SUBJECT_COLUMNS)}): they are taken from the names of "
            f"the files, of which {named} of {len(scans)} name one; every other file counts as a person of its own."
        )
    return scans


def _names_subject(text: str) -> bool:
    """Whether a path says whose scan it is, as far as `subject_of` can tell."""
    return subject_of(text) != str(Path(text).resolve())


def _resolved(folder: Path, text: str) -> Path:
    path = folder / os.path.expanduser(text)
    if "\\" in text and not os.path.exists(path):  # written on Windows
        path = folder / text.replace("\\", "/")
    return path


def _scans_by_folder(
    rows: Rows, subjects: str, sessions: str | None, notes: list[str]
) -> tuple[list[CohortScan], tuple[str, ...]]:
    folder = rows.source.parent
    scans: list[CohortScan] = []
    columns = dict.fromkeys(rows.columns)
    for line, row in zip(rows.lines, rows.values, strict=True):
        values = dict(zip(rows.columns, row, strict=True))
        subject = values[subjects]
        images: dict[str, Path | None] = {**bids.images_of(folder, subject)}
        if sessions and values[sessions]:  # a line for each session: it speaks of its own only
            session = bids.session_name(values[sessions])
            images = {session: images.get(session)}
        by_session = bids.session_values(folder, subject)
        for session, image in (images or {"": None}).items():
            own = {name: value for name, value in by_session.get(session, {}).items() if value}
            columns |= dict.fromkeys(by_session.get(session, ()))
            scans.append(CohortScan(subject, session, image, values | own, line))
    if all(scan.path is None for scan in scans):
        raise _no_images(rows)
    listed = {bids.folder_name(scan.subject) for scan in scans}
    unlisted = [name for name in bids.subject_folders(folder) if name not in listed and bids.images_of(folder, name)]
    if unlisted:
        notes.append(f"{len(unlisted)} subject(s) have images but no line in the table: {_some(unlisted)}.")
    empty = dict.fromkeys(columns, "")
    complete = [CohortScan(one.subject, one.session, one.path, {**empty, **one.values}, one.line) for one in scans]
    return complete, tuple(columns)


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")
