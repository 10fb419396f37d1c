"""Which slices teach and which judge. No torch here."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# BIDS's sub-<label>; otherwise with a number, or everybody in a folder "subjects" would be the same person
_SUBJECT = re.compile(
    r"(?:^|[^a-z])(sub-[a-z0-9]+|(?:subject|subj|sub|patient)[-_ ]?\d[a-z0-9]*)", re.IGNORECASE
)
_LEAST_TISSUE = 0.02  # of a slice's voxels; a slice of air teaches nothing


def tissue_slices(image: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Indices of slices that show something.

    Parameters
    ----------
    image
        ``(slice, y, x)`` magnitude.

    Returns
    -------
    indices
        Slices in which more than 2 % of the voxels exceed 10 % of the volume's 99.9th percentile.
    """
    bright = np.quantile(image, 0.999)
    return np.flatnonzero((image > 0.1 * bright).mean(axis=(1, 2)) > _LEAST_TISSUE)


def evenly_spaced(candidates: Sequence[int] | NDArray[np.intp], count: int) -> list[int]:
    """`count` of the candidates, spread over their whole range; all of them if there are fewer."""
    if count >= len(candidates):
        return [int(i) for i in candidates]
    positions = (np.arange(count) + 0.5) / count * len(candidates)
    return [int(candidates[int(p)]) for p in positions]


def share_evenly(total: int, parts: int) -> list[int]:
    """`total` slices over `parts` scans, the first ones getting the odd ones: (5, 2) gives [3, 2]."""
    return [total // parts + (i < total % parts) for i in range(parts)]


def subject_of(path: str | Path) -> str:
    """Whose scan this is, as far as its path tells.

    The first component from the end that names a subject (``sub-01``, ``patient03_T2W.nii.gz``, …); without any, the
    file itself, so that two unnamed files count as two subjects.
    """
    for part in reversed(Path(path).parts):
        if found := _SUBJECT.search(part):
            return found.group(1).lower()
    return str(Path(path).resolve())


def validation_scans(train: Sequence[str], validation: Sequence[str]) -> tuple[list[str], str]:
    """The scans that may judge, and a warning where they are not independent.

    With more than one subject, scans of training subjects are left out.

    Returns
    -------
    scans, warning
        Never empty; the warning is one sentence or empty.
    """
    trained = {subject_of(path) for path in train}
    independent = [path for path in validation if subject_of(path) not in trained]
    if independent:
        left_out = len(validation) - len(independent)
        return independent, f"{left_out} validation scan(s) of training subjects were left out." if left_out else ""
    return list(validation), "Validation is on the same subject as training, so it flatters the transfer."
