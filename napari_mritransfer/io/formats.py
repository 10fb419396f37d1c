"""`load` and `save`: the file's ending chooses the format."""

from collections.abc import Callable
from pathlib import Path

from napari_mritransfer.io import endings, mgh, nifti
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.scan import Scan

_READERS: dict[str, Callable[[Path], Scan]] = {
    ".nii": nifti.read,
    ".nii.gz": nifti.read,
    ".mgz": mgh.read,
    ".mgh": mgh.read,
}


def load(path: str | Path) -> Scan:
    """Read one file.

    Parameters
    ----------
    path
        A 3-D or 4-D image: .nii, .nii.gz, .mgz or .mgh, in any case.

    Raises
    ------
    UnreadableScan
        For every file that cannot become a scan, whatever is wrong with it.
    """
    path = Path(path)
    reader = _READERS.get(endings.ending(path))
    if reader is None and path.is_dir():
        raise UnreadableScan(f"{path} is a folder; name one of the files in it.")
    if reader is None:
        raise UnreadableScan(
            f"{path.name or path} is none of the files read here; convert it to one of {', '.join(endings.READABLE)}."
        )
    return reader(path)


def save(scan: Scan, path: str | Path) -> None:
    """Write a scan to NIfTI with the affine, header and voxel order of the file it came from.

    Parameters
    ----------
    scan
        Its image is written as float32 or complex64, unscaled; everything else the header said is kept.
    path
        .nii or .nii.gz; an existing file is replaced once the new one is complete.

    Raises
    ------
    ValueError
        If the ending is another one, or voxels are NaN or infinite.
    OSError
        If the folder is missing or full.
    """
    path = Path(path)
    if endings.ending(path) not in endings.NIFTI:
        raise ValueError(f"{path.name or path} is no NIfTI name; end it in .nii or .nii.gz.")
    nifti.write(scan, path)
