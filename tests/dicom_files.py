"""DICOM files of heads that never were: made with pydicom, oblique, with voxels whose world position is known."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # nibabel calls its DICOM readers experimental
    from nibabel.nicom import dicomwrappers as dicomwrappers

OBLIQUE = np.linalg.qr(np.array([[0.9, 0.2, -0.3], [-0.25, 0.92, 0.2], [0.3, -0.1, 0.95]]))[0]
# columns run along u, rows along v (both LPS), slices along the normal w of the two
U, V = OBLIQUE[:, 0] * np.sign(OBLIQUE[0, 0]), OBLIQUE[:, 1] * np.sign(OBLIQUE[1, 1])
W = np.cross(U, V)
CORNER = np.array([-31.7, 22.4, -55.1])  # LPS mm of the first voxel
ROW_MM, COLUMN_MM, SLICE_MM = 0.8, 1.3, 4.5
ROWS, COLUMNS, SLICES = 10, 8, 5
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


def place(index, step=SLICE_MM):
    """LPS mm of the first voxel of a slice."""
    return CORNER + index * step * W


def value_of(lps):
    """What a voxel at an LPS position ``(..., 3)`` holds: linear, so that rounding is all that differs."""
    return 1000 + lps @ np.array([2.0, -3.0, 5.0])


def slice_pixels(index, *, slope=1.0, inter=0.0, dtype=np.uint16, factor=1.0):
    """Stored numbers whose scaled value is `value_of` times a factor, ``(ROWS, COLUMNS)``."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    lps = place(index) + columns[..., None] * COLUMN_MM * U + rows[..., None] * ROW_MM * V
    return np.rint((factor * value_of(lps) - inter) / slope).astype(dtype)


def classic(pixels, position, *, instance, series=SERIES, syntax=ExplicitVRLittleEndian, directions=(U, V), **tags):
    """One image in one file; `tags` add to the usual ones or replace them, and remove them where they are None."""
    data = Dataset()
    data.SOPClassUID = MRImageStorage
    data.SOPInstanceUID = f"{series}.{instance}"
    data.StudyInstanceUID, data.SeriesInstanceUID = STUDY, series
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 3, instance
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    data.ImagePositionPatient = [f"{one:.9g}" for one in position]
    data.ImageOrientationPatient = [f"{one:.9g}" for one in np.concatenate(directions)]
    data.PixelSpacing = [ROW_MM, COLUMN_MM]
    data.SliceThickness = SLICE_MM
    data.EchoTime, data.RepetitionTime, data.FlipAngle, data.MagneticFieldStrength = 12.5, 2000, 90, 3
    described(data, pixels)
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return with_meta(data, syntax)


def described(data, pixels):
    """The pixels, and the tags that say how they are stored."""
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    data["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"


def with_meta(data, syntax=ExplicitVRLittleEndian):
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    return data


def written(data, path):
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return Path(path)


def write_series(folder, *, order=None, indices=range(SLICES), first_instance=1, prefix="IM", change=None, **tags):
    """A file a slice, named and numbered in the order of `order` (places in `indices`); returns the paths."""
    folder.mkdir(exist_ok=True)
    indices = list(indices)
    paths = []
    for number, which in enumerate(range(len(indices)) if order is None else order):
        index = indices[which]
        data = classic(slice_pixels(index), place(index), instance=first_instance + number, **tags)
        if change is not None:
            change(data, index)
        paths.append(written(data, folder / f"{prefix}{number:04}"))
    return paths


def enhanced(*, n_frames=2, shared_orientation=True, order=None):
    """All slices of several echoes in one file, in any order; echo ``n`` holds ``n + 1`` times the values."""
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = EnhancedMRImageStorage, f"{SERIES}.77"
    data.StudyInstanceUID, data.SeriesInstanceUID = STUDY, SERIES
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 7, 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    combined = [(frame, index) for frame in range(n_frames) for index in range(SLICES)]
    combined = combined if order is None else [combined[one] for one in order]
    data.NumberOfFrames = len(combined)
    orientation, measures, scaling, position = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [f"{one:.9g}" for one in np.concatenate([U, V])]
    measures.PixelSpacing, measures.SliceThickness = [ROW_MM, COLUMN_MM], SLICE_MM
    measures.SpacingBetweenSlices = SLICE_MM
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    if shared_orientation:
        shared.PlaneOrientationSequence = [orientation]
    data.SharedFunctionalGroupsSequence = [shared]
    pixels, groups = [], []
    for frame, index in combined:
        group, position, echo, scaling, content = (Dataset() for _ in range(5))
        position.ImagePositionPatient = [f"{one:.9g}" for one in place(index)]
        echo.EffectiveEchoTime = 10.0 * (frame + 1)
        scaling.RescaleSlope, scaling.RescaleIntercept, scaling.RescaleType = 0.5, 10, "US"
        content.StackID, content.InStackPositionNumber = "1", index + 1
        content.DimensionIndexValues = [1, index + 1, frame + 1]
        group.PlanePositionSequence, group.MREchoSequence = [position], [echo]
        group.PixelValueTransformationSequence, group.FrameContentSequence = [scaling], [content]
        if not shared_orientation:
            group.PlaneOrientationSequence = [orientation]
        groups.append(group)
        pixels.append(slice_pixels(index, slope=0.5, inter=10, factor=frame + 1))
    data.PerFrameFunctionalGroupsSequence = groups
    # what nibabel's reader asks for
    index_item, organisation = Dataset(), Dataset()
    organisation.DimensionOrganizationUID = f"{STUDY}.9"
    pointers = [("StackID", "FrameContentSequence"), ("InStackPositionNumber", "FrameContentSequence"),
                ("EffectiveEchoTime", "MREchoSequence")]  # fmt: skip
    items = []
    for name, sequence in pointers:
        index_item = Dataset()
        index_item.DimensionIndexPointer = pydicom.datadict.tag_for_keyword(name)
        index_item.FunctionalGroupPointer = pydicom.datadict.tag_for_keyword(sequence)
        index_item.DimensionOrganizationUID = organisation.DimensionOrganizationUID
        items.append(index_item)
    data.DimensionIndexSequence = items
    data.DimensionOrganizationSequence = [organisation]
    described(data, np.stack(pixels))
    return with_meta(data)


def world_positions(scan):
    """RAS mm of every voxel, ``(slice, y, x, 3)``, by the scan's affine and axes alone."""
    shape = [scan.image.shape[1 + scan.axes.permutation.index(axis)] for axis in range(3)]
    indices = np.moveaxis(np.indices(shape), 0, -1)
    ras = indices @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    return np.stack([scan.axes.to_scan(ras[..., axis])[0] for axis in range(3)], axis=-1)


def small_files(folder):
    """A sound file of each way of storing, by its name; none belongs to another's series."""
    pixels = slice_pixels(0)
    for number, (name, syntax) in enumerate(
        [("classic.dcm", ExplicitVRLittleEndian), ("implicit.dcm", ImplicitVRLittleEndian),
         ("deflated.dcm", DeflatedExplicitVRLittleEndian), ("rle.dcm", RLELossless)]
    ):  # fmt: skip
        scaling = {"RescaleSlope": 2, "RescaleIntercept": 3}
        data = classic(pixels, place(0), instance=1, series=f"{SERIES}.{number + 1}", **scaling)
        if syntax == RLELossless:
            data.compress(RLELossless, generate_instance_uid=False)
        data.file_meta.TransferSyntaxUID = syntax
        written(data, folder / name)
    written(enhanced(), folder / "enhanced.dcm")
    return sorted(path.name for path in folder.iterdir())
