"""The XML header that ISMRMRD defined and fastMRI took over: what of it makes an image.

References
----------
Inati et al.: ISMRM raw data format, MRM 2017, https://doi.org/10.1002/mrm.26089; schema/ismrmrd.xsd.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from napari_mritransfer.io.errors import UnreadableScan

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_LARGEST_MATRIX = 1 << 16
_PLAUSIBLE_MM = (1e-3, 1e5)

Matrix = tuple[int, int, int]
Lengths = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a phase encode: the lowest and highest step, and the one that is DC."""

    minimum: int
    maximum: int
    centre: int


@dataclass(frozen=True, slots=True)
class MriHeader:
    """The first encoding of a measurement; x is the readout, y and z the phase encodes.

    Attributes
    ----------
    encoded_matrix, recon_matrix
        Samples and voxels along x, y, z.
    encoded_mm, recon_mm
        Fields of view along x, y, z.
    trajectory
        In lower case, such as ``"cartesian"``.
    step_1, step_2
        Limits of the steps along y and z, where the file names them.
    n_encodings
        How many encodings there are.
    strings
        User parameters that are text, by name.
    """

    encoded_matrix: Matrix
    encoded_mm: Lengths
    recon_matrix: Matrix
    recon_mm: Lengths
    trajectory: str
    step_1: Limits | None
    step_2: Limits | None
    n_encodings: int
    strings: Mapping[str, str]


def parsed(xml: bytes, name: str) -> MriHeader:
    """Parse a header; document types and entities are refused, for they can blow up to any size.

    Raises
    ------
    UnreadableScan
        If it is no such header or holds impossible sizes.
    """
    try:
        text = xml.rstrip(b"\0").decode("utf-8").strip()
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise UnreadableScan(
                f"The header of {name} defines XML entities, which no scanner writes; download the file again."
            )
        root = ElementTree.fromstring(text)
        encodings = _children(root, "encoding")
        encoded, recon = (_child(encodings[0], which) for which in ("encodedSpace", "reconSpace"))
        limits = _children(encodings[0], "encodingLimits")
        strings = {
            _text(one, "name"): _text(one, "value")
            for parameters in _children(root, "userParameters")
            for one in _children(parameters, "userParameterString")
        }
        return MriHeader(
            _matrix(encoded),
            _lengths(encoded),
            _matrix(recon),
            _lengths(recon),
            _text(encodings[0], "trajectory").lower(),
            _limits(limits, "kspace_encoding_step_1"),
            _limits(limits, "kspace_encoding_step_2"),
            len(encodings),
            strings,
        )
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        if isinstance(error, UnreadableScan):
            raise
        raise UnreadableScan(
            f"The header of {name} is no ISMRMRD header with matrix sizes and fields of view, or a damaged one; copy "
            "or download the file again."
        ) from None


def written(header: MriHeader, n_coils: int) -> str:
    """The header as XML of the ISMRMRD schema."""
    from ismrmrd import xsd  # half a second to import, and only writing needs it

    def space(matrix: Matrix, lengths: Lengths) -> object:
        return xsd.encodingSpaceType(
            matrixSize=xsd.matrixSizeType(**dict(zip("xyz", matrix, strict=True))),
            fieldOfView_mm=xsd.fieldOfViewMm(**dict(zip("xyz", lengths, strict=True))),
        )

    def limits(one: Limits | None) -> object:
        return None if one is None else xsd.limitType(minimum=one.minimum, maximum=one.maximum, center=one.centre)

    strings = [xsd.userParameterStringType(name=name, value=value) for name, value in header.strings.items()]
    document = xsd.ismrmrdHeader(
        acquisitionSystemInformation=xsd.acquisitionSystemInformationType(receiverChannels=n_coils),
        experimentalConditions=xsd.experimentalConditionsType(H1resonanceFrequency_Hz=0),  # required; 0: not known
        encoding=[
            xsd.encodingType(
                encodedSpace=space(header.encoded_matrix, header.encoded_mm),
                reconSpace=space(header.recon_matrix, header.recon_mm),
                encodingLimits=xsd.encodingLimitsType(
                    kspace_encoding_step_1=limits(header.step_1), kspace_encoding_step_2=limits(header.step_2)
                ),
                trajectory=xsd.trajectoryType(header.trajectory),
            )
        ],
        userParameters=xsd.userParametersType(userParameterString=strings) if strings else None,
    )
    return str(xsd.ToXML(document))


def _children(element: "Element", name: str) -> list["Element"]:
    return [child for child in element if child.tag.rpartition("}")[2] == name]


def _child(element: "Element", name: str) -> "Element":
    return _children(element, name)[0]


def _text(element: "Element", name: str) -> str:
    return (_child(element, name).text or "").strip()


def _matrix(space: "Element") -> Matrix:
    size = _child(space, "matrixSize")
    x, y, z = (int(_text(size, axis)) for axis in "xyz")
    if not all(1 <= length <= _LARGEST_MATRIX for length in (x, y, z)):
        raise ValueError
    return x, y, z


def _lengths(space: "Element") -> Lengths:
    size = _child(space, "fieldOfView_mm")
    x, y, z = (float(_text(size, axis)) for axis in "xyz")
    smallest, largest = _PLAUSIBLE_MM
    if not all(math.isfinite(length) and smallest <= length <= largest for length in (x, y, z)):
        raise ValueError
    return x, y, z


def _limits(elements: list["Element"], name: str) -> Limits | None:
    found = [one for element in elements for one in _children(element, name)]
    if not found:
        return None
    minimum, maximum, centre = (int(_text(found[0], which)) for which in ("minimum", "maximum", "center"))
    if not 0 <= minimum <= maximum < _LARGEST_MATRIX or not 0 <= centre < _LARGEST_MATRIX:
        raise ValueError
    return Limits(minimum, maximum, centre)
