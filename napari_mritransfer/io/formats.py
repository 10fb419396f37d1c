"""`load` and `save`: the file's ending chooses the format."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari_mritransfer.io import bart, dicom, endings, fastmri, fastmri_write, ismrmrd_file, ismrmrd_write, mgh, nifti
from napari_mritransfer.io.array_options import ArrayOptions, Space
from napari_mritransfer.io.dicom_bytes import is_dicom, may_be_dicom
from napari_mritransfer.io.errors import BadInput, UnreadableScan
from napari_mritransfer.io.hdf5 import Hdf5File
from napari_mritransfer.io.matlab import read as read_matlab
from napari_mritransfer.io.matlab import read_arrays
from napari_mritransfer.io.numpy_file import read_npy, read_npz
from napari_mritransfer.io.scan import Scan

_READERS: dict[str, Callable[[Path], Scan]] = {
    ".nii": nifti.read,
    ".nii.gz": nifti.read,
    ".mgz": mgh.read,
    ".mgh": mgh.read,
}
_WRITERS: dict[str, Callable[[Scan, Path], None]] = {
    ".nii": nifti.write,
    ".nii.gz": nifti.write,
    ".h5": fastmri_write.write,
    ".mrd": ismrmrd_write.write,
    ".cfl": bart.write,
}


def load(
    path: str | Path,
    *,
    variable: str | None = None,
    axes: str | None = None,
    space: Space | None = None,
    series: str | None = None,
) -> Scan:
    """Read a file or a DICOM series; of k-space only the header and one slice, the rest when somebody looks.

    Parameters
    ----------
    path
        In any case: a 3-D or 4-D image (.nii, .nii.gz, .mgz, .mgh), fastMRI or ISMRMRD (.h5, .hdf5, .mrd), BART
        (.cfl or .hdr of a pair), or a bare array (.npy, .npz, .mat, or .h5 of neither kind). Or DICOM: a folder with
        those in it, or one file of a series, whatever it is called; the others beside it are taken along.
    variable, axes, space, series
        For bare arrays, and for several DICOM series: see `ArrayOptions`.

    Raises
    ------
    AmbiguousArray
        If a bare array can be read in several ways; it carries what could be meant.
    SeriesChoice
        If several DICOM series could be meant; it carries them.
    UnreadableScan
        For every file that cannot become a scan, whatever is wrong with it.
    BadInput
        If the options do not fit the file.
    """
    path = Path(path)
    options = ArrayOptions(variable, axes, space, series)
    known = endings.ending(path)
    if _is_dicom(path, known):
        _refuse_options(replace(options, series=None), path)
        return _within_memory(path, lambda: dicom.read(path, series))
    if series is not None:
        raise BadInput(f"{path.name} is no DICOM file or folder; leave out the choice of a series.")
    if known not in endings.KNOWN:
        raise UnreadableScan(
            f"{path.name or path} is none of the files read here; convert it to one of {', '.join(endings.KNOWN)}."
        )
    return _within_memory(path, lambda: _read_by_ending(path, known, options))


def save(scan: Scan, path: str | Path) -> None:
    """Write a scan; where its numbers came from is written along.

    Parameters
    ----------
    scan
        To NIfTI goes its image, as float32 or complex64, unscaled, with the affine, header and voxel order of the file
        it came from; to the other formats its k-space.
    path
        .nii or .nii.gz; .h5 (as fastMRI's), .mrd (ISMRMRD) or .cfl (BART, with its .hdr). An existing file is replaced
        once the new one is complete.

    Raises
    ------
    ValueError
        If the ending is another one, voxels are NaN or infinite, or the scan has no k-space for a file of k-space.
    OSError
        If the folder is missing or full.
    """
    path = Path(path)
    writer = _WRITERS.get(endings.ending(path))
    if writer is None:
        others = f"{', '.join(endings.KSPACE)}, " if scan.kspace is not None else ""
        raise BadInput(f"{path.name or path} is no name to save this under; end it in {others}.nii or .nii.gz.")
    writer(scan, path)


def _read_by_ending(path: Path, known: str, options: ArrayOptions) -> Scan:
    if known in _READERS:
        _refuse_options(options, path)
        return _READERS[known](path)
    if known in endings.HDF5:
        return _read_hdf5(path, options)
    if known in endings.BART:
        return bart.read(path, options)
    return {".npy": read_npy, ".npz": read_npz, ".mat": read_matlab}[known](path, options)


def _is_dicom(path: Path, known: str) -> bool:
    """By its ending where that is said; any other name has to be looked into."""
    if known in endings.DICOM or (path.is_dir() and known not in endings.KNOWN):
        return True
    return known not in endings.KNOWN and (is_dicom(path) or may_be_dicom(path))


def _within_memory(path: Path, read: Callable[[], Scan]) -> Scan:
    try:
        return read()
    except MemoryError:
        raise UnreadableScan(f"{path.name} needs more memory than is free; close other programs or split it.") from None


def _read_hdf5(path: Path, options: ArrayOptions) -> Scan:
    """FastMRI and ISMRMRD share their endings, so the content decides."""
    file = Hdf5File(path)
    group = ismrmrd_file.group_of(file)
    if group is not None:
        _refuse_options(options, path)
        return ismrmrd_file.read(file, group)
    if file.has("kspace") and options == ArrayOptions():
        return fastmri.read(file)
    del file
    return read_arrays(path, options)


def _refuse_options(options: ArrayOptions, path: Path) -> None:
    if options != ArrayOptions():
        raise BadInput(f"{path.name} says itself what its axes are; leave out the choice of array and axes.")
