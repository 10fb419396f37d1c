"""What a DICOM file says about its images, as numbers: nothing else leaves this module, and pixels are not read.

Only the tags below are read. Names, dates of birth and numbers of patients are not among them; of the few texts only
known words are kept. Identifiers serve to tell files apart and are never shown.

References
----------
DICOM PS3.3, C.7.6.2 (image plane), C.7.6.3 (image pixel), C.7.6.16 (functional groups), C.8.3 and C.8.13 (MR).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mritransfer.io.dicom_bytes import BoundedFile, refuse_long_deflated, syntax_of, told_as_damage, uid_of
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
_LONGEST_TEXT = 64
_LARGEST_NUMBER = 2**31
_SEQUENCES = {"SE": "spin echo", "IR": "inversion recovery", "GR": "gradient echo", "EP": "echo planar"}
KINDS = {
    "M": "magnitude", "P": "phase", "R": "real part", "I": "imaginary part", "MAGNITUDE": "magnitude", "PHASE": "phase",
    "REAL": "real part", "IMAGINARY": "imaginary part", "WATER": "water", "W": "water", "FAT": "fat", "F": "fat",
    "IN_PHASE": "in phase", "OPP_PHASE": "opposed phase", "ADC": "ADC", "TRACEW": "trace", "FA": "anisotropy",
}  # fmt: skip

Numbers = tuple[float, ...]


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

    refuse_long_deflated(path)
    with told_as_damage(path), BoundedFile(path) as opened:
        data = dcmread(opened, stop_before_pixels=True, force=force, specific_tags=_READ)
        return _header(data, path)


def _header(data: "Dataset", path: Path) -> DicomFile:
    number = _number(data.get("SeriesNumber"))
    machine = machine_words(_text(data.get("Manufacturer")), _text(data.get("ManufacturerModelName")))
    tesla = _number(data.get("MagneticFieldStrength"))
    rows, columns = (_whole(data.get(name)) for name in ("Rows", "Columns"))
    has_pixels = 0 < rows < 1 << 16 and 0 < columns < 1 << 16 and "SOPClassUID" in data
    image_type = (*(word.upper() for word in _words(data.get("ImageType"))), *_kind_of_ge(data))
    return DicomFile(
        path=path,
        series=_text(data.get("SeriesInstanceUID")),
        instance=_text(data.get("SOPInstanceUID")),
        number=None if number is None or abs(number) > _LARGEST_NUMBER else int(number),
        modality=_text(data.get("Modality")),
        words=description_words(f"{_text(data.get('SeriesDescription'))} {_text(data.get('ProtocolName'))}"),
        machine=" ".join(part for part in (f"{tesla:.3g} T" if tesla else "", machine) if part),
        sequence=_sequence(data),
        photometric=_text(data.get("PhotometricInterpretation")) or "MONOCHROME2",
        samples=_whole(data.get("SamplesPerPixel")) or 1,
        bits=_whole(data.get("BitsAllocated")),
        syntax=syntax_of(data),
        is_lossy=_text(data.get("LossyImageCompression")) == "01",
        is_mosaic=_MOSAIC in image_type,
        has_pixels=has_pixels,
        is_cut=not has_pixels and _calls_itself_image(data),
        n_bytes=path.stat().st_size,
        planes=tuple(_planes(data, path, (rows, columns), image_type)) if has_pixels else (),
    )


def _calls_itself_image(data: "Dataset") -> bool:
    return uid_of(_text(data.file_meta.get("MediaStorageSOPClassUID"))).name.endswith("Image Storage")


def _kind_of_ge(data: "Dataset") -> tuple[str, ...]:
    if _GE_KIND not in data or _GE_CREATOR not in data or _text(data[_GE_CREATOR].value) != _GE_MAKES:
        return ()
    value = data[_GE_KIND].value
    number = int.from_bytes(value[:2], "little") if isinstance(value, bytes) else _whole(value)
    return (_GE_KINDS[number],) if 0 <= number < len(_GE_KINDS) else ()


def _sequence(data: "Dataset") -> str:
    dimensions = _text(data.get("MRAcquisitionType"))
    codes = [_SEQUENCES[code] for code in _words(data.get("ScanningSequence")) if code in _SEQUENCES]
    return " ".join([*([dimensions] if dimensions in ("2D", "3D") else []), ", ".join(codes)]).strip()


def _planes(data: "Dataset", path: Path, size: tuple[int, int], image_type: tuple[str, ...]) -> Iterator[Plane]:
    whole = {name: data[name].value for name in _OF_PLANE if name in data}
    shared = data.get("SharedFunctionalGroupsSequence") or []
    whole.update(_grouped(shared[0]) if len(shared) else {})
    groups = data.get("PerFrameFunctionalGroupsSequence") or []
    n_frames = _whole(data.get("NumberOfFrames")) or 1
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
        if element.VR == "SQ" and len(element.value):
            item = element.value[0]
            found.update({name: item[name].value for name in _OF_PLANE if name in item})
    return found


def _plane(
    tags: Mapping[str, Any], path: Path, frame: int, size: tuple[int, int], image_type: tuple[str, ...]
) -> Plane:
    def first(*names: str) -> float | None:
        return next((found for name in names if (found := _number(tags.get(name))) is not None), None)

    kind = tuple(word.upper() for word in _words(tags.get("FrameType"))) or image_type
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
        position=_numbers(tags.get("ImagePositionPatient"), 3),
        directions=_numbers(tags.get("ImageOrientationPatient"), 6),
        spacing=_numbers(tags.get("PixelSpacing"), 2),
        slice_mm=first("SpacingBetweenSlices", "SliceThickness"),
        slope=1.0 if slope is None else slope,
        inter=0.0 if inter is None else inter,
        kind=(*kind[2:], _text(tags.get("ComplexImageComponent")), _text(tags.get("StackID"))),
        labels={name: value for name, value in labels.items() if value is not None},
        order=(
            first("NominalCardiacTriggerDelayTime", "TriggerTime") or 0.0,
            labels["acquisition"] or 0.0,
            _text(tags.get("FrameAcquisitionDateTime")) or _text(tags.get("AcquisitionTime")),
            first("InstanceNumber") or 0.0,
        ),
        repetition_ms=first("RepetitionTime"),
        phase_encode=_text(tags.get("InPlanePhaseEncodingDirection")),
    )


def _words(value: Any) -> list[str]:
    several = [] if value is None else [value] if isinstance(value, str) else list(value)
    return [str(one).strip()[:_LONGEST_TEXT] for one in several]


def _text(value: Any) -> str:
    return " ".join(_words(value))


def _whole(value: Any) -> int:
    number = _number(value)
    return 0 if number is None else int(number)


def _number(value: Any) -> float | None:
    """The first of a tag's numbers; None where there is none, or none that is finite."""
    numbers = _numbers(value, None)
    return numbers[0] if numbers else None


def _numbers(value: Any, count: int | None) -> Numbers | None:
    if value is None or value == "":
        return None
    several = [value] if isinstance(value, str | int | float) else list(value)
    try:
        found = tuple(float(one) for one in several)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(math.isfinite(one) for one in found) or (count is not None and len(found) != count):
        return None
    return found
