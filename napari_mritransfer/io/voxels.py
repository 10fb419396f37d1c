"""From the sizes a header announces to finite float32 or complex64 voxels: every check that can come first does."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.axes import is_usable, spacing_of
from napari_mritransfer.io.byte_source import ByteSource
from napari_mritransfer.io.errors import UnreadableScan

_LARGEST_BYTES = 16 << 30  # far above any clinical series; what announces more is a damaged header or not for a desktop
_AGREE = 0.01  # headers round the voxel size they give beside the affine
_PLAUSIBLE_MM = (1e-4, 1e4)  # from finer than MR microscopy to longer than a scanner's bore


def volume_shape(dims: Sequence[int], name: str) -> tuple[int, int, int, int]:
    """(i, j, k, frame) of a 3-D or 4-D image; axes of one voxel after the third are dropped.

    Raises
    ------
    UnreadableScan
        If the image is 2-D or has more than four axes, or an axis has no voxels.
    """
    sizes = [int(size) for size in dims]
    text = " x ".join(str(size) for size in sizes)
    if any(size < 1 for size in sizes):
        raise UnreadableScan(
            f"{name} announces a size of {text} voxels, so its header is damaged; convert or copy it again."
        )
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    if len(sizes) < 3:
        raise UnreadableScan(
            f"{name} holds a {len(sizes)}-D image ({text}); convert the whole series to one 3-D volume."
        )
    if len(sizes) > 4:
        raise UnreadableScan(f"{name} holds a {len(sizes)}-D image ({text}); split it into 3-D or 4-D volumes.")
    return sizes[0], sizes[1], sizes[2], sizes[3] if len(sizes) == 4 else 1


def read_voxels(
    source: ByteSource,
    shape: tuple[int, int, int, int],
    stored: np.dtype[Any],
    *,
    slope: float = 1.0,
    inter: float = 0.0,
) -> NDArray[Any]:
    """Read, scale and check the voxels that come next in `source`.

    Parameters
    ----------
    shape
        ``(i, j, k, frame)`` as `volume_shape` returns it.
    stored
        Type on disk, byte order included.
    slope, inter
        ``stored * slope + inter`` is the value.

    Returns
    -------
    voxels
        ``(i, j, k, frame)`` float32 or complex64, in the file's (Fortran) order, all finite.

    Raises
    ------
    UnreadableScan
        If the announced size is beyond the file or 16 GiB, or voxels are NaN or infinite.
    """
    target = np.dtype(np.complex64 if stored.kind == "c" else np.float32)
    n_voxels = math.prod(shape)
    source.require(n_voxels * stored.itemsize)
    if n_voxels * max(stored.itemsize, target.itemsize) > _LARGEST_BYTES:
        raise UnreadableScan(
            f"{source.name} announces {' x '.join(str(size) for size in shape)} voxels, more than the 16 GiB that are "
            "loaded at once; crop or split it."
        )
    try:
        raw = source.read_array(n_voxels * stored.itemsize).view(stored).reshape(shape, order="F")
        voxels = _scaled(raw, target, slope, inter)
    except MemoryError:
        raise UnreadableScan(
            f"{source.name} needs {n_voxels * target.itemsize / 2**30:.1f} GiB of free memory; close other programs or "
            "split it."
        ) from None
    # Integers without scaling are finite by themselves.
    not_finite = 0 if stored.kind in "iu" and (slope, inter) == (1, 0) else _count_not_finite(voxels)
    if not_finite:
        raise UnreadableScan(
            f"{source.name} holds {not_finite:,} voxels (of {n_voxels:,}) that are NaN, infinite or beyond float32's "
            "range; replace them, for example by 0, before loading."
        )
    return voxels


def spacing_mm(
    zooms: Sequence[float], affine: NDArray[np.floating[Any]], name: str, *, unit_mm: float = 1.0
) -> tuple[list[float], list[str]]:
    """Voxel size along i, j, k, and a remark where the header contradicts itself.

    Parameters
    ----------
    zooms
        Voxel size as the header gives it, in its unit; the sign is ignored.
    affine
        ``(4, 4)`` in the same unit; it wins where the two differ by more than 1 %.
    unit_mm
        The header's unit of length in mm.

    Raises
    ------
    UnreadableScan
        If the affine is singular or a voxel size is zero, not finite or absurd.
    """
    sizes = [abs(float(zoom)) for zoom in zooms]
    _refuse_absurd(sizes, name, unit_mm)
    if not is_usable(affine):
        raise UnreadableScan(
            f"{name} has an affine that cannot be inverted, so left and right are unknown; convert it again from the "
            "original images."
        )
    columns = [float(size) for size in spacing_of(affine)]
    _refuse_absurd(columns, name, unit_mm)
    if np.allclose(sizes, columns, rtol=_AGREE, atol=0):
        return [size * unit_mm for size in sizes], []
    remark = (
        f"The header gives a voxel size of {_sizes(sizes, unit_mm)} mm but its affine {_sizes(columns, unit_mm)} mm: "
        "the affine is used."
    )
    return [size * unit_mm for size in columns], [remark]


def stored_note(stored: np.dtype[Any]) -> list[str]:
    """A remark where so few bits were kept that they show in k-space."""
    if stored.itemsize > 1:
        return []
    return ["The voxels are stored in 8 bits: rounding adds noise to k-space made from them."]


def _scaled(raw: NDArray[Any], target: np.dtype[Any], slope: float, inter: float) -> NDArray[Any]:
    # Overflow becomes infinite and is counted by the caller, which can say it better than a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        if (slope, inter) == (1, 0):
            return raw.astype(target, order="F", copy=False)
        voxels = np.empty(raw.shape, dtype=target, order="F")
        wide = np.complex128 if target.kind == "c" else np.float64
        # Slice by slice: large integers need double precision, but not the whole volume at once.
        for k, frame in np.ndindex(raw.shape[2:]):
            voxels[..., k, frame] = raw[..., k, frame].astype(wide) * slope + inter
        return voxels


def _count_not_finite(voxels: NDArray[Any]) -> int:
    return sum(int(np.count_nonzero(~np.isfinite(voxels[..., frame]))) for frame in range(voxels.shape[-1]))


def _refuse_absurd(sizes: Sequence[float], name: str, unit_mm: float) -> None:
    smallest, largest = _PLAUSIBLE_MM
    if not all(smallest <= size * unit_mm <= largest for size in sizes):
        raise UnreadableScan(
            f"{name} gives a voxel size of {_sizes(sizes, unit_mm)} mm; correct it with a header editor or convert it "
            "again."
        )


def _sizes(sizes: Sequence[float], unit_mm: float) -> str:
    return " x ".join(f"{size * unit_mm:.4g}" for size in sizes)
