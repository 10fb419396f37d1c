"""What a DICOM file says about its images, as numbers: nothing else leaves this module, and pixels are not read.

Only the tags below are read. Names, dates of birth and numbers of patients are not among them; of the few texts only
known words are kept. Identifiers serve to tell files apart and are never shown.

References
----------
DICOM PS3.3, C.7.6.2 (image plane), C.7.6.3 (image pixel), C.7.6.16 (functional groups), C.8.3 and C.8.13 (MR).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mritransfer.io.dicom_bytes import BoundedFile, refuse_long_deflated, syntax_of, told_as_damage, uid_of
from napari_mritransfer.io.dicom_values import Numbers, number_of, numbers_of, text_of, whole_of, words_of
from napari_mritransfer.io.dicom_words import description_words, machine_words
from napari_mritransfer.io.errors import UnreadableScan

if TYPE_CHECKING:
    from pydicom import Dataset

_TOP = (
    "ImageType", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality",
    "SeriesDescription", "ProtocolName", "Manufacturer", "ManufacturerModelName",
    "ScanningSequence", "MRAcquisitionType", "MagneticFieldStrength", "InPlanePhaseEncodingDirection",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "LossyImageCompression", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_OF_PLANE = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "RescaleSlope", "RescaleIntercept", "EchoTime", "EffectiveEchoTime", "EchoNumbers", "RepetitionTime",
    "InversionTime", "FlipAngle", "DiffusionBValue", "TemporalPositionIdentifier", "TemporalPositionIndex",
    "TriggerTime", "NominalCardiacTriggerDelayTime", "AcquisitionNumber", "FrameAcquisitionNumber", "AcquisitionTime",
    "FrameAcquisitionDateTime", "InstanceNumber", "FrameType", "ComplexImageComponent", "StackID",
    "InPlanePhaseEncodingDirection",
)  # fmt: skip
# GE says magnitude, phase, real or imaginary part in a tag of its own, and nowhere else
_GE_CREATOR, _GE_KIND, _GE_MAKES = 0x00430010, 0x0043102F, "GEMS_PARM_01"
_GE_KINDS = ("M", "P", "R", "I")
_MOSAIC = "MOSAIC"
_READ: list[Any] = [*_TOP, *_OF_PLANE, _GE_CREATOR, _GE_KIND]
_MOST_FRAMES = 1 << 17
_LARGEST_NUMBER = 2**31
_SEQUENCES = {"SE": "spin echo", "IR": "inversion recovery", "GR": "gradient echo", "EP": "echo planar"}
KINDS = {
    "M": "magnitude", "P": "phase", "R": "real part", "I": "imaginary part", "MAGNITUDE": "magnitude", "PHASE": "phase",
    "REAL": "real part", "IMAGINARY": "imaginary part", "WATER": "water", "W": "water", "FAT": "fat", "F": "fat",
    "IN_PHASE": "in phase", "OPP_PHASE": "opposed phase", "ADC": "ADC", "TRACEW": "trace", "FA": "anisotropy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """One image of a file, which may hold several.

    Attributes
    ----------
    path, frame
        The file, and which of its images.
    size
        Rows and columns.
    position, directions
        LPS mm of the centre of the first pixel; unit vectors along a row (columns count up), then down a column.
    spacing
        mm between rows, and between columns.
    slice_mm
        From one slice to the next, or how thick one is.
    slope, inter
        ``stored * slope + inter`` is the value.
    kind
        What tells its images from others of the series, such as magnitude from phase; never shown.
    labels
        What may tell images at one position apart, by `dicom_frames`' names.
    order
        For images that nothing else tells apart: trigger time, acquisition, time, number.
    tile
        First row and column of it in the file's picture, where that is a mosaic.
    """

    path: Path
    frame: int
    size: tuple[int, int]
    position: Numbers | None
    directions: Numbers | None
    spacing: Numbers | None
    slice_mm: float | None
    slope: float
    inter: float
    kind: tuple[str, ...]
    labels: Mapping[str, float]
    order: tuple[float, float, str, float]
    repetition_ms: float | None
    phase_encode: str
    tile: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class DicomFile:
    """One file: where it belongs, how its pixels are stored, and its images.

    Attributes
    ----------
    series, instance
        Identifiers, never shown.
    number
        Of the series, as on the console.
    words, machine, sequence
        Known words of the description, and maker, model and field strength; names of the pulse sequence.
    has_pixels
        Whether there can be an image in it at all.
    is_cut
        Whether it calls itself an image, but ends before it says how large that is.
    n_bytes
        Size of the file.
    """

    path: Path
    series: str
    instance: str
    number: int | None
    modality: str
    words: str
    machine: str
    sequence: str
    photometric: str
    samples: int
    bits: int
    syntax: str
    is_lossy: bool
    is_mosaic: bool
    has_pixels: bool
    is_cut: bool
    n_bytes: int
    planes: tuple[Plane, ...]


def read_header(path: Path, *, force: bool = False) -> DicomFile:
    """Read what is known before the pixels.

    Parameters
    ----------
    force
        Whether to try a file without the word DICM at byte 128.

    Raises
    ------
    UnreadableScan
        If it is no DICOM file, or a damaged one.
    """
    from pydicom import dcmread  # a sixth of a second to import, and only DICOM needs it

    from napari_mritransfer.io import dicom_mosaic  # which takes planes apart, so it imports this module

    refuse_long_deflated(path)
    with told_as_damage(path), BoundedFile(path) as opened:
        data = dcmread(opened, stop_before_pixels=True, force=force, specific_tags=[*_READ, *dicom_mosaic.TAGS])
        file = _header(data, path)
        slices = dicom_mosaic.slices_of(data, file.planes[0]) if file.is_mosaic and len(file.planes) == 1 else ()
        # a mosaic whose slices are found is one no more
        return replace(file, planes=slices, is_mosaic=False) if slices else file


def _header(data: "Dataset", path: Path) -> DicomFile:
    number = number_of(data.get("SeriesNumber"))
    machine = machine_words(text_of(data.get("Manufacturer")), text_of(data.get("ManufacturerModelName")))
    tesla = number_of(data.get("MagneticFieldStrength"))
    rows, columns = (whole_of(data.get(name)) for name in ("Rows", "Columns"))
    has_pixels = 0 < rows < 1 << 16 and 0 < columns < 1 << 16 and "SOPClassUID" in data
    image_type = (*(word.upper() for word in words_of(data.get("ImageType"))), *_kind_of_ge(data))
    return DicomFile(
        path=path,
        series=text_of(data.get("SeriesInstanceUID")),
        instance=text_of(data.get("SOPInstanceUID")),
        number=None if number is None or abs(number) > _LARGEST_NUMBER else int(number),
        modality=text_of(data.get("Modality")),
        words=description_words(f"{text_of(data.get('SeriesDescription'))} {text_of(data.get('ProtocolName'))}"),
        machine=" ".join(part for part in (f"{tesla:.3g} T" if tesla else "", machine) if part),
        sequence=_sequence(data),
        photometric=text_of(data.get("PhotometricInterpretation")) or "MONOCHROME2",
        samples=whole_of(data.get("SamplesPerPixel")) or 1,
        bits=whole_of(data.get("BitsAllocated")),
        syntax=syntax_of(data),
        is_lossy=text_of(data.get("LossyImageCompression")) == "01",
        is_mosaic=_MOSAIC in image_type,
        has_pixels=has_pixels,
        is_cut=not has_pixels and _calls_itself_image(data),
        n_bytes=path.stat().st_size,
        planes=tuple(_planes(data, path, (rows, columns), image_type)) if has_pixels else (),
    )


def _calls_itself_image(data: "Dataset") -> bool:
    return uid_of(text_of(data.file_meta.get("MediaStorageSOPClassUID"))).name.endswith("Image Storage")


def _kind_of_ge(data: "Dataset") -> tuple[str, ...]:
    if _GE_KIND not in data or _GE_CREATOR not in data or text_of(data[_GE_CREATOR].value) != _GE_MAKES:
        return ()
    value = data[_GE_KIND].value
    number = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else whole_of(value)
    return (_GE_KINDS[number],) if 0 <= number < len(_GE_KINDS) else ()


def _sequence(data: "Dataset") -> str:
    dimensions = text_of(data.get("MRAcquisitionType"))
    codes = [_SEQUENCES[code] for code in words_of(data.get("ScanningSequence")) if code in _SEQUENCES]
    return " ".join([*([dimensions] if dimensions in ("2D", "3D") else []), ", ".join(codes)]).strip()


def _planes(data: "Dataset", path: Path, size: tuple[int, int], image_type: tuple[str, ...]) -> Iterator[Plane]:
    whole = {name: data[name].value for name in _OF_PLANE if name in data}
    shared = data.get("SharedFunctionalGroupsSequence") or []
    whole.update(_grouped(shared[0]) if len(shared) else {})
    groups = data.get("PerFrameFunctionalGroupsSequence") or []
    n_frames = whole_of(data.get("NumberOfFrames")) or 1
    if n_frames > _MOST_FRAMES or (len(groups) and len(groups) != n_frames):
        raise UnreadableScan(
            f"{path.name} announces {n_frames:,} images and describes {len(groups):,}; copy or export it again."
        )
    for frame in range(n_frames):
        yield _plane({**whole, **_grouped(groups[frame])} if len(groups) else whole, path, frame, size, image_type)


def _grouped(group: "Dataset") -> dict[str, Any]:
    """What the functional groups of one image say, each of which is a sequence of one item."""
    found: dict[str, Any] = {}
    for element in group:
        # Philips keeps positions of its own, half a pixel away, in private ones
        if element.VR == "SQ" and not element.tag.is_private and len(element.value):
            item = element.value[0]
            found.update({name: item[name].value for name in _OF_PLANE if name in item})
    return found


def _plane(
    tags: Mapping[str, Any], path: Path, frame: int, size: tuple[int, int], image_type: tuple[str, ...]
) -> Plane:
    def first(*names: str) -> float | None:
        return next((found for name in names if (found := number_of(tags.get(name))) is not None), None)

    kind = tuple(word.upper() for word in words_of(tags.get("FrameType"))) or image_type
    labels = {
        "echo": first("EffectiveEchoTime", "EchoTime", "EchoNumbers"),
        "inversion": first("InversionTime"),
        "flip": first("FlipAngle"),
        "b": first("DiffusionBValue"),
        "temporal": first("TemporalPositionIndex", "TemporalPositionIdentifier"),
        "acquisition": first("FrameAcquisitionNumber", "AcquisitionNumber"),
    }
    slope, inter = first("RescaleSlope"), first("RescaleIntercept")
    return Plane(
        path=path,
        frame=frame,
        size=size,
        position=numbers_of(tags.get("ImagePositionPatient"), 3),
        directions=numbers_of(tags.get("ImageOrientationPatient"), 6),
        spacing=numbers_of(tags.get("PixelSpacing"), 2),
        slice_mm=first("SpacingBetweenSlices", "SliceThickness"),
        slope=1.0 if slope is None else slope,
        inter=0.0 if inter is None else inter,
        kind=(*kind[2:], text_of(tags.get("ComplexImageComponent")), text_of(tags.get("StackID"))),
        labels={name: value for name, value in labels.items() if value is not None},
        order=(
            first("NominalCardiacTriggerDelayTime", "TriggerTime") or 0.0,
            labels["acquisition"] or 0.0,
            text_of(tags.get("FrameAcquisitionDateTime")) or text_of(tags.get("AcquisitionTime")),
            first("InstanceNumber") or 0.0,
        ),
        repetition_ms=first("RepetitionTime"),
        phase_encode=text_of(tags.get("InPlanePhaseEncodingDirection")),
    )
