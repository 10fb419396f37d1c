"""Results of a re-use, copied out for people: report, pictures and tables. Without torch, and without the worker."""

import shutil
from collections.abc import Callable
from pathlib import Path

from napari_mritransfer.cohort.reuse.record import RESULTS
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.export_folder import exporting
from napari_mritransfer.widgets.errand import ErrandStopped

_FOR_PEOPLE = ("*.html", "*.png", "*.csv", "*.json")  # fits and networks are for going on


def export_reuse(folder: Path, to: Path, should_stop: Callable[[], bool]) -> list[str]:
    """Copy the results of a re-use to a folder of their own, complete or not at all. Runs in a thread of napari's.

    Parameters
    ----------
    folder
        Holds results.json.
    to
        New or empty folder, or that of an earlier export, which is replaced.

    Returns
    -------
    names
        Of the files in `to`.

    Raises
    ------
    BadInput
        If there are no results any more, or `to` holds other files or is not accessible.
    ErrandStopped
        If `should_stop` said so; nothing was changed then.
    """
    if not (folder / RESULTS).is_file():
        raise BadInput(f"{folder} holds no results any more; run the re-use again.")
    files = sorted(path for pattern in _FOR_PEOPLE for path in folder.glob(pattern))
    with exporting(to) as partial:
        for path in files:
            if should_stop():
                raise ErrandStopped
            shutil.copyfile(path, partial / path.name)
    return [path.name for path in files]
