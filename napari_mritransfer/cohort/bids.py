"""Where a folder laid out by BIDS keeps a subject's T1-weighted images and what it says of sessions."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from napari_mritransfer.cohort.rows import read_rows
from napari_mritransfer.io.errors import BadInput

PARTICIPANTS = "participants.tsv"
IMAGES = "sub-*/[ses-*/]anat/*_T1w.nii[.gz]"
"""What is looked for, in words."""

_IMAGE = re.compile(r".+_T1w\.nii(\.gz)?")
_PLAIN = re.compile(r"[\w.+-]+")  # one folder's name and nothing above it


def subject_folders(folder: Path) -> tuple[str, ...]:
    """Names of all ``sub-…`` folders, sorted."""
    return tuple(sorted(path.name for path in folder.glob("sub-*") if path.is_dir()))


def folder_name(subject: str) -> str:
    """A subject's folder, whether the table writes ``sub-01`` or ``01``."""
    return subject if subject.startswith("sub-") else f"sub-{subject}"


def images_of(folder: Path, subject: str) -> dict[str, Path]:
    """A subject's T1-weighted image in each session; the session is empty where the subject's folder has none.

    Raises
    ------
    BadInput
        If one session holds several, and nothing says which is meant.
    """
    if not _PLAIN.fullmatch(subject):
        return {}
    own = folder / folder_name(subject)
    sessions = {"": own, **{path.name: path for path in sorted(own.glob("ses-*")) if path.is_dir()}}
    found: dict[str, Path] = {}
    for session, place in sessions.items():
        images = sorted(path for path in (place / "anat").glob("*_T1w.nii*") if _IMAGE.fullmatch(path.name))
        if len(images) > 1:
            names = ", ".join(path.name for path in images[:4])
            raise BadInput(
                f"{own.name} has {len(images)} T1-weighted images {f'in {session} ' if session else ''}({names}), and "
                f"nothing says which to take; name one in a column 'path' of the table."
            )
        if images:
            found[session] = images[0]
    return found


def session_values(folder: Path, subject: str) -> dict[str, Mapping[str, str]]:
    """What ``sub-…_sessions.tsv`` says of each of a subject's sessions; nothing where there is no such file."""
    name = folder_name(subject)
    path = folder / name / f"{name}_sessions.tsv"
    if not _PLAIN.fullmatch(subject) or not path.is_file():
        return {}
    rows = read_rows(path)
    if "session_id" not in rows.columns:
        raise BadInput(f"{path.name} has no column 'session_id', so its lines belong to no session; add one.")
    values = (dict(zip(rows.columns, row, strict=True)) for row in rows.values)
    return {session_name(row.pop("session_id")): row for row in values}


def session_name(session: str) -> str:
    """A session's folder, whether a table writes ``ses-1`` or ``1``; empty stays empty."""
    return session if not session or session.startswith("ses-") else f"ses-{session}"


def is_simulated(folder: Path) -> bool:
    """Whether ``dataset_description.json`` says that the images were simulated."""
    try:
        record = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.get("simulated") is True
