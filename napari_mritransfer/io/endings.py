"""What a file's name says about its content."""

from pathlib import Path

NIFTI = (".nii.gz", ".nii")
MGH = (".mgz", ".mgh")
HDF5 = (".h5", ".hdf5", ".mrd")
BART = (".cfl", ".hdr")
DICOM = (".dcm", ".ima")  # most have other names or none: the content tells
BARE = (".npy", ".npz", ".mat")  # arrays without a word on what they are
KSPACE = (".h5", ".mrd", ".cfl")  # what k-space is written to
READABLE = NIFTI + MGH + HDF5 + BART  # what the name alone promises to be a scan
KNOWN = READABLE + DICOM + BARE


def ending(path: Path) -> str:
    """The readable ending of `path` in lower case, or whatever follows the last dot; empty where there is none."""
    name = path.name.lower()
    return next((known for known in KNOWN if name.endswith(known)), path.suffix.lower())


def stem(path: Path) -> str:
    """The file's name without its ending: ``study1_T1W`` of ``study1_T1W.nii.gz``."""
    return path.name[: len(path.name) - len(ending(path))]


def is_compressed(path: Path) -> bool:
    """Whether the name promises gzip."""
    return ending(path) in (".nii.gz", ".mgz")
