"""Where an export goes when people choose a folder that holds other things."""

from pathlib import Path

from napari_mritransfer.io.errors import BadInput


def export_folder(chosen: Path, name: str, kind: str) -> Path:
    """The folder itself if it is new or empty, else a new one inside, named after what is exported.

    People choose the folder in which they want to find the results, and it often holds other things.

    Raises
    ------
    BadInput
        If the folder cannot be read.
    """
    try:
        if not chosen.is_dir() or not any(chosen.iterdir()):
            return chosen
        number, folder = 1, chosen / f"{name}-{kind}"
        while folder.exists():
            number += 1
            folder = chosen / f"{name}-{kind}-{number}"
    except OSError as error:
        raise BadInput(f"{chosen} cannot be read ({error.strerror}); choose another folder to export to.") from error
    return folder
