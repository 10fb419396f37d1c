"""The stored numbers of DICOM images, decoded by pydicom after their sizes were weighed against the file's."""

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from napari_mritransfer.io.dicom_bytes import BoundedFile, syntax_of, told_as_damage, uid_of
from napari_mritransfer.io.dicom_header import DicomFile, Plane
from napari_mritransfer.io.errors import UnreadableScan

_BEST_RUN = 64  # RLE: two bytes stand for at most 128
_BEST_COMPRESSION = 1032  # a black image in any of the others
_COLOURS = ("PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT",
            "YBR_RCT", "HSV", "ARGB", "CMYK")  # fmt: skip
_GREY = ("MONOCHROME1", "MONOCHROME2")
_OPENJPEG = ("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")  # JPEG 2000, and its high-throughput kind
_PIXELS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip


def refuse_unreadable(file: DicomFile) -> None:
    """Refuse what cannot become an image with one number a voxel, before its pixels are read.

    Raises
    ------
    UnreadableScan
        For files without an image, colours, mosaics, missing decoders, and sizes beyond what the file can hold.
    """
    name = file.path.name
    if file.is_cut:
        raise UnreadableScan(f"{name} ends before it says how large its image is, so it was cut off; copy it again.")
    if not file.has_pixels:
        raise UnreadableScan(f"{name} is a DICOM file without an image in it; choose one of the images.")
    if file.photometric not in _GREY or file.samples != 1:
        colours = f"colour images ({file.photometric})" if file.photometric in _COLOURS else "colour images"
        raise UnreadableScan(f"{name} holds {colours}, not one number a voxel; choose the series they were made from.")
    if file.is_mosaic:
        raise UnreadableScan(
            f"{name} is a mosaic, many slices in one picture, without Siemens' header that says where they are; "
            "convert the original files with dcm2niix."
        )
    if file.bits not in (8, 16, 32, 64):
        raise UnreadableScan(f"{name} stores {file.bits} bits a voxel, which is not read here; export it with 16 bits.")
    _refuse_syntax(file)
    rows, columns = file.planes[0].size
    announced = rows * columns * file.bits // 8 * len(file.planes)
    if announced > file.n_bytes * _largest_ratio(file.syntax):
        raise UnreadableScan(
            f"{name} is too small ({file.n_bytes:,} bytes) for the {announced:,} bytes of pixels that it announces, so "
            "it was cut off or its header is damaged; copy it again."
        )


def stored_frames(file: DicomFile, planes: Sequence[Plane]) -> Iterator[NDArray[Any]]:
    """The stored numbers of some of a file's images, ``(row, column)`` each, in the order of `planes`.

    Raises
    ------
    UnreadableScan
        If they are damaged or cut off.
    """
    from pydicom import dcmread
    from pydicom.pixels.utils import iter_pixels

    with told_as_damage(file.path), BoundedFile(file.path) as opened:
        data = dcmread(opened, force=True, specific_tags=list(_PIXELS))
        data.file_meta.TransferSyntaxUID = uid_of(syntax_of(data))
        if planes[0].tile is not None:
            picture = next(iter(iter_pixels(data, raw=True, indices=[0])))
            frames = iter([_tile(picture, plane) for plane in planes])
        else:
            frames = iter(iter_pixels(data, raw=True, indices=[plane.frame for plane in planes]))
    for plane in planes:
        with told_as_damage(file.path):
            frame = next(frames)
            if frame.shape != plane.size or frame.dtype.kind not in "iuf":
                raise ValueError
        yield frame


def _tile(picture: NDArray[Any], plane: Plane) -> NDArray[Any]:
    (row, column), (n_rows, n_columns) = plane.tile or (0, 0), plane.size
    return picture[row : row + n_rows, column : column + n_columns]


def _refuse_syntax(file: DicomFile) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    syntax = uid_of(file.syntax)
    named = f"as {syntax.name}" if syntax.name != syntax else "in a way that is not in the standard"
    with told_as_damage(file.path):
        try:
            decoder = get_decoder(syntax)
        except NotImplementedError:
            raise UnreadableScan(
                f"{file.path.name} is compressed {named}, which is not read here; decompress it with gdcmconv --raw."
            ) from None
        if decoder.is_available:
            return
    package = "pylibjpeg-openjpeg" if file.syntax.startswith(_OPENJPEG) else "pylibjpeg-libjpeg"
    raise UnreadableScan(
        f"{file.path.name} is compressed {named}, and no decoder for it is installed; install pylibjpeg and "
        f"{package}, or decompress it with gdcmconv --raw or dcmdjpeg."
    )


def _largest_ratio(syntax: str) -> int:
    from pydicom.uid import RLELossless

    uid = uid_of(syntax)
    if uid == RLELossless:
        return _BEST_RUN
    return _BEST_COMPRESSION if uid.is_deflated or uid.is_encapsulated else 1
