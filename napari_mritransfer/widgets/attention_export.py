"""Attention maps, copied out for people: pictures, tables and NIfTIs. Without torch, and without the worker."""

import shutil
from collections.abc import Callable
from pathlib import Path

from napari_mritransfer.cohort.record import RECORD
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.export_folder import exporting
from napari_mritransfer.widgets.errand import ErrandStopped

_FOR_PEOPLE = ("*.png", "*.csv", "*.nii.gz", "*.json")  # arrays are for the viewer


def export_attention(folder: Path, to: Path, should_stop: Callable[[], bool]) -> list[str]:
    """Copy a folder of attention maps to one of its own, complete or not at all. Runs in a thread of napari's.

    Parameters
    ----------
    folder
        Holds attention.json.
    to
        New or empty folder, or that of an earlier export, which is replaced.

    Returns
    -------
    names
        Of the files in `to`.

    Raises
    ------
    BadInput
        If there are no maps any more, or `to` holds other files or is not accessible.
    ErrandStopped
        If `should_stop` said so; nothing was changed then.
    """
    if not (folder / RECORD).is_file():
        raise BadInput(f"{folder} holds no attention maps any more; let the network look at the scan again.")
    files = sorted(path for pattern in _FOR_PEOPLE for path in folder.glob(pattern))
    with exporting(to) as partial:
        for path in files:
            if should_stop():
                raise ErrandStopped
            shutil.copyfile(path, partial / path.name)
    return [path.name for path in files]
