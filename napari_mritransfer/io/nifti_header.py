"""The NIfTI header block as bytes: what it says, and a new one where a format has none."""

from dataclasses import dataclass
from typing import Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan

NIFTI1_SIZE = 348
NIFTI2_SIZE = 540
LARGEST_HEADER = 16 << 20  # extensions included; real ones are kilobytes

# Single-file magic; "ni1" and "ni2" are halves of .hdr/.img pairs.
_MAGIC = {NIFTI1_SIZE: b"n+1", NIFTI2_SIZE: b"n+2"}
_LAYOUT = {NIFTI1_SIZE: nib.nifti1.header_dtype, NIFTI2_SIZE: nib.nifti2.header_dtype}
_EXTENSION_FLAG = bytes(4)  # "no extensions follow"
_NUMBER_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    32: "c8",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
    1792: "c16",
}
_COLOUR_TYPES = (128, 2304)  # RGB24, RGBA32
_UNIT_MM = {1: 1e3, 2: 1.0, 3: 1e-3}  # NIFTI_UNITS_METER, _MM, _MICRON
_LARGEST_NIFTI1_DIM = 32767


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """A header block with a known size and byte order.

    Attributes
    ----------
    fields
        Every field under its NIfTI name, in the file's byte order.
    """

    fields: Any  # numpy.void, which has no typed access by name

    @classmethod
    def parse(cls, block: bytes, name: str) -> "NiftiHeader":
        """Recognise the version and byte order by the header's own size, its first number.

        Parameters
        ----------
        block
            At least the header's bytes; `header_size` of the first four says how many.

        Raises
        ------
        UnreadableScan
            If this is no single-file NIfTI-1 or NIfTI-2 header.
        """
        size, order = recognised(block, name)
        if len(block) < size:
            raise UnreadableScan(
                f"{name} ends within its {size}-byte header, so it was cut off; copy or download it again."
            )
        header = cls(np.frombuffer(block[:size], dtype=np.dtype(_LAYOUT[size]).newbyteorder(order))[0])
        magic = bytes(header.fields["magic"])
        if magic in (b"ni1", b"ni2"):
            raise UnreadableScan(f"{name} is one half of an .hdr/.img pair; convert the pair to a single .nii file.")
        if magic != _MAGIC[size]:
            raise UnreadableScan(
                f"{name} lacks the NIfTI signature, so it is an ANALYZE file or damaged; convert it to NIfTI again."
            )
        return header

    @property
    def version(self) -> int:
        """1 or 2."""
        return 1 if self.fields.dtype.itemsize == NIFTI1_SIZE else 2

    @property
    def dims(self) -> list[int]:
        """Announced number of voxels per axis, unchecked; as many as the header says, at most 7."""
        n_axes = int(self.fields["dim"][0])
        return [int(size) for size in self.fields["dim"][1 : 1 + min(max(n_axes, 0), 7)]]

    @property
    def slice_axis(self) -> int | None:
        """The file's axis of the slices (0 to 2) where ``dim_info`` names it."""
        return self._axis_in_dim_info(4)

    @property
    def phase_axis(self) -> int | None:
        """The file's axis of the phase encoding (0 to 2) where ``dim_info`` names it."""
        return self._axis_in_dim_info(2)

    @property
    def unit_mm(self) -> float:
        """The unit of length in mm; mm where the header is silent."""
        return _UNIT_MM.get(int(self.fields["xyzt_units"]) & 7, 1.0)

    def voxel_type(self, name: str) -> np.dtype[Any]:
        """Type on disk in the file's byte order.

        Raises
        ------
        UnreadableScan
            For colour images and types that hold no plain numbers.
        """
        code = int(self.fields["datatype"])
        if code in _COLOUR_TYPES:
            raise UnreadableScan(f"{name} is a colour (RGB) image; export it as a greyscale image of the MR signal.")
        if code not in _NUMBER_TYPES:
            raise UnreadableScan(
                f"{name} stores its voxels as NIfTI type {code}, which is not read here; convert it to float32."
            )
        return np.dtype(_NUMBER_TYPES[code]).newbyteorder("<" if self._is_little_endian else ">")

    def voxel_offset(self, name: str) -> int:
        """Bytes from the start of the file to its voxels.

        Raises
        ------
        UnreadableScan
            If the offset lies within the header, between bytes or absurdly far behind.
        """
        offset = float(self.fields["vox_offset"])
        smallest = self.fields.dtype.itemsize + len(_EXTENSION_FLAG)
        if not (smallest <= offset <= LARGEST_HEADER and offset.is_integer()):
            raise UnreadableScan(
                f"{name} announces its voxels at byte {offset:g}, so its header is damaged; convert or copy it again."
            )
        return int(offset)

    def scaling(self, name: str) -> tuple[float, float]:
        """``(slope, inter)`` of the voxel values; (1, 0) where the header asks for none.

        Raises
        ------
        UnreadableScan
            If there is a slope but the intercept is not finite.
        """
        slope, inter = float(self.fields["scl_slope"]), float(self.fields["scl_inter"])
        if slope == 0 or not np.isfinite(slope):
            return 1.0, 0.0
        if not np.isfinite(inter):
            raise UnreadableScan(
                f"{name} adds no finite number to its voxels; correct scl_inter in its header or convert it again."
            )
        return slope, inter

    def affine(self, name: str) -> NDArray[np.float64]:
        """``(4, 4)`` voxel-to-world in the header's unit: sform, else qform, else centred by voxel size.

        Raises
        ------
        UnreadableScan
            If the rotation in the header is impossible.
        """
        fields = self.fields.copy()
        # What nibabel repairs with a line on the terminal when it loads a file itself.
        fields["pixdim"][1:4] = np.abs(fields["pixdim"][1:4])
        if fields["pixdim"][0] not in (-1, 1):
            fields["pixdim"][0] = 1
        block, order = fields.tobytes(), "<" if self._is_little_endian else ">"
        header = (
            nib.Nifti1Header(block, endianness=order, check=False)
            if self.version == 1
            else nib.Nifti2Header(block, endianness=order, check=False)
        )
        try:
            with np.errstate(all="ignore"):
                return np.asarray(header.get_best_affine(), dtype=np.float64)
        except (ValueError, nib.spatialimages.HeaderDataError, np.linalg.LinAlgError):
            raise UnreadableScan(
                f"{name} gives an impossible orientation (quaternion); convert it again from the original images."
            ) from None

    @property
    def names_sides(self) -> bool:
        """Whether the header says how the voxels lie in the patient; without, the affine is centred by voxel size."""
        return int(self.fields["qform_code"]) > 0 or int(self.fields["sform_code"]) > 0

    @property
    def _is_little_endian(self) -> bool:
        order: str = self.fields.dtype["sizeof_hdr"].byteorder
        return order == "<" or (order == "=" and np.little_endian)

    def _axis_in_dim_info(self, shift: int) -> int | None:
        number = int(self.fields["dim_info"]) >> shift & 3
        return number - 1 if number else None


def recognised(start: bytes, name: str) -> tuple[int, Literal["<", ">"]]:
    """Size of the header in bytes and its byte order (``"<"`` or ``">"``), from its first four bytes.

    Raises
    ------
    UnreadableScan
        If they are no NIfTI header's.
    """
    orders: tuple[Literal["<"], Literal[">"]] = ("<", ">")
    for order in orders:
        size = int(np.frombuffer(start[:4].ljust(4, b"\0"), dtype=order + "i4")[0])
        if size in _LAYOUT:
            return size, order
    raise UnreadableScan(
        f"{name} does not start with a NIfTI header, so it is another kind of file or damaged; convert it to NIfTI or "
        "download it again."
    )


def new_header(
    shape: tuple[int, ...],
    affine: NDArray[np.floating[Any]],
    zooms: tuple[float, float, float],
    *,
    stored: np.dtype[Any] | None = None,
    repetition_s: float = 0.0,
    names_sides: bool = True,
) -> bytes:
    """A header block for voxels whose source had none: scanner coordinates in mm, NIfTI-1 where the sizes allow it.

    Parameters
    ----------
    shape
        ``(i, j, k)`` or ``(i, j, k, frame)``.
    affine
        ``(4, 4)`` voxel-to-world, RAS+ mm; kept to float32 precision.
    zooms
        Voxel size along i, j, k in mm.
    stored
        Type on disk, float32 where omitted.
    repetition_s
        Time between frames.
    names_sides
        Whether to record `affine`; it has to be `centred_affine` if not.
    """
    header = nib.Nifti1Header() if max(shape) <= _LARGEST_NIFTI1_DIM else nib.Nifti2Header()
    header.set_data_dtype(np.dtype(np.float32) if stored is None else stored.newbyteorder("="))
    header.set_data_shape(shape)
    if names_sides:
        header.set_qform(affine, code=1)
        header.set_sform(affine, code=1)
    header.set_xyzt_units("mm", "sec")
    header["pixdim"][1:4] = zooms
    header["pixdim"][4] = repetition_s
    header["vox_offset"] = len(header.binaryblock) + len(_EXTENSION_FLAG)
    return bytes(header.binaryblock) + _EXTENSION_FLAG


def header_for_writing(
    block: bytes, shape: tuple[int, ...], stored: np.dtype[Any], affine: NDArray[np.float64]
) -> bytes:
    """`block` with everything it says kept, but for what new voxels force: type, scaling, frames.

    Parameters
    ----------
    block
        Header and extensions as they stood before the voxels.
    shape
        ``(i, j, k)`` or ``(i, j, k, frame)`` of the new voxels.
    stored
        float32 or complex64; the byte order stays the file's.
    affine
        Written to the sform if the block says otherwise, by more than float32's rounding.
    """
    name = "The header"
    header = NiftiHeader.parse(block, name)
    fields = header.fields.copy()
    ones = [1] * 7
    if [*header.dims, *ones][:7] != [*shape, *ones][:7]:  # a file's own trailing axes of one voxel stay
        fields["dim"][:] = [len(shape), *shape, *([1] * (7 - len(shape)))]
    fields["datatype"] = {"f": 16, "c": 32}[stored.kind]
    fields["bitpix"] = 8 * stored.itemsize
    fields["scl_slope"], fields["scl_inter"] = 1, 0
    if not np.allclose(header.affine(name), affine, rtol=1e-6, atol=1e-6):
        for row, key in enumerate(("srow_x", "srow_y", "srow_z")):
            fields[key] = affine[row]
        fields["sform_code"] = max(int(fields["sform_code"]), 1)
    return bytes(fields.tobytes()) + block[fields.dtype.itemsize :]


def centred_affine(shape: tuple[int, ...], zooms: tuple[float, float, float]) -> NDArray[np.float64]:
    """``(4, 4)`` that NIfTI takes for voxels nobody gave an orientation: i to the left, j forward, k up, centred.

    Parameters
    ----------
    shape
        ``(i, j, k, …)``.
    zooms
        Voxel size along i, j, k in mm.
    """
    header = nib.Nifti2Header()
    header.set_data_shape(shape[:3])
    header.set_zooms(zooms)
    return np.asarray(header.get_base_affine(), dtype=np.float64)
