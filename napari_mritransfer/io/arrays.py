"""From an array in a file to a `Scan`: the axes a person named, or guessed and told, or asked for."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.array_axes import Guess, Peak, guessed_axes, middle_plane, peak
from napari_mritransfer.io.array_options import AmbiguousArray, ArrayOptions, Candidate, Space, parsed_axes
from napari_mritransfer.io.endings import stem
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.kspace import LARGEST_BYTES, KSpace
from napari_mritransfer.io.scan import Image, Origin, Scan
from napari_mritransfer.io.stored_array import StoredArray
from napari_mritransfer.physics.extent import missing_along

_LEAST_LONG = 4  # what is shorter along its second longest axis is a table of echo times, not an image


def could_be_scan(shape: Sequence[int], dtype: np.dtype[Any]) -> bool:
    """Whether an array's numbers and lengths leave open that it is an image or k-space."""
    longest = sorted(shape)[-2:]
    return dtype.kind in "biufc" and len(longest) == 2 and longest[0] >= _LEAST_LONG


def candidate(name: str, stored: StoredArray) -> Candidate:
    """What a person is shown of an array."""
    return Candidate(name, stored.shape, stored.dtype.name)


def chosen(path: Path, found: Sequence[Candidate], options: ArrayOptions) -> str:
    """The name of the array to read.

    Raises
    ------
    AmbiguousArray
        If several could be meant and none was named, or the one that was named is not there.
    UnreadableScan
        If there is none.
    """
    if not found:
        raise UnreadableScan(f"{path.name} holds no array that could be an image or k-space; save the array itself.")
    names = [one.name for one in found]
    listed = ", ".join(str(one) for one in found)
    if options.variable is not None:
        if options.variable in names:
            return options.variable
        raise AmbiguousArray(
            f"{path.name} holds no array {options.variable!r} that could be a scan; choose one of {listed}.", found
        )
    if len(found) == 1:
        return names[0]
    largest = max(found, key=lambda one: ("complex" in one.dtype, math.prod(one.shape)))
    raise AmbiguousArray(
        f"{path.name} holds several arrays that could be meant; choose one of {listed}.",
        found,
        replace(options, variable=largest.name),
    )


def scan_of(
    stored: StoredArray,
    path: Path,
    options: ArrayOptions,
    *,
    variable: str = "",
    notes: Sequence[str] = (),
) -> Scan:
    """The scan that an array is, read lazily where it is k-space.

    Raises
    ------
    AmbiguousArray
        If its axes, or whether it is k-space, cannot be told and were not named.
    UnreadableScan
        If its numbers are no numbers, or an image is larger than 16 GiB.
    BadInput
        If the axes that were named do not fit.
    """
    one = candidate(variable, stored)
    if not could_be_scan(stored.shape, stored.dtype):
        raise UnreadableScan(f"{path.name} holds {one}, which is neither an image nor k-space; choose another array.")
    is_complex = stored.dtype.kind == "c"
    remarks = [*notes]
    if options.axes is not None:
        axes, space = parsed_axes(options.axes, stored.shape, options.space)
        guess = Guess(axes, True)
    else:
        space = options.space
        guess = _first_guess(stored, path, one, options)
    if space == "kspace" and not is_complex:
        raise UnreadableScan(f"{path.name} holds real numbers, which k-space has not; choose image, or another array.")
    energy = _finite(middle_plane(stored, guess.axes), path) if is_complex else None
    place = Peak.NOWHERE if energy is None else peak(energy)
    if space is None:
        space = _space_of(place, path, one, options, guess)
        if is_complex:
            remarks.append(f"Whether this is k-space or an image was guessed from where its energy is: {_said(space)}.")
    if options.axes is None:
        # coils of k-space are the echoes of an image: the words depend on the space, which is known only now
        guess = guessed_axes(stored.shape, is_complex=is_complex, space=space) or guess
        words = ", ".join(_words(guess.axes, space))
        if not guess.is_clear:
            raise AmbiguousArray(
                f"The axes of {one} in {path.name} cannot be told from their lengths; choose them, for example "
                f"{words.replace(' ', '')}.",
                [one],
                ArrayOptions(variable or None, words.replace(" ", ""), space),
            )
        remarks.append(f"The axes were guessed: {words}; give them by name if that is wrong.")
    if space == "image":
        return _image_scan(stored, guess.axes, path, remarks)
    is_shifted = place is Peak.CORNER
    if is_shifted:
        remarks.append("The k-space has its centre in the corners; it was shifted to the middle.")
    kspace = kspace_of(stored, guess.axes, is_shifted=is_shifted)
    # lines are left out along the phase encode, never along the readout
    axis = None if energy is None else missing_along(energy > 0)
    return Scan.from_kspace(kspace, phase_encode=axis, name=stem(path), path=path, notes=remarks)


def kspace_of(stored: StoredArray, axes: tuple[str, ...], *, is_shifted: bool = False) -> KSpace:
    """Lazy k-space of an array whose axes are known.

    Parameters
    ----------
    axes
        ``frame``, ``slice``, ``coil``, ``y``, ``x``, one an axis; several frames count like digits, the last fastest.
    is_shifted
        Whether DC is at index 0 in the file and is to be moved to the middle.
    """
    frames = [length for word, length in zip(axes, stored.shape, strict=True) if word == "frame"]
    length = dict(zip(axes, stored.shape, strict=True))
    kept = [word for word in axes if word in ("coil", "y", "x")]
    order = [kept.index(word) for word in ("coil", "y", "x") if word in kept]

    def read_slice(frame: int, index: int) -> NDArray[np.complex64]:
        digits = iter(np.unravel_index(frame, frames) if frames else ())
        at = tuple(int(next(digits)) if word == "frame" else index if word == "slice" else slice(None) for word in axes)
        piece = stored.read(at).transpose(order)
        with np.errstate(over="ignore"):
            whole = np.ascontiguousarray(piece, dtype=np.complex64).reshape(-1, *piece.shape[-2:])
        return np.fft.fftshift(whole, axes=(-2, -1)) if is_shifted else whole

    shape = (math.prod(frames), length.get("slice", 1), length.get("coil", 1), length["y"], length["x"])
    return KSpace(shape, read_slice)


def _first_guess(stored: StoredArray, path: Path, one: Candidate, options: ArrayOptions) -> Guess:
    found = guessed_axes(stored.shape, is_complex=stored.dtype.kind == "c", space=options.space)
    if found is None:
        raise AmbiguousArray(
            f"The axes of {one} in {path.name} cannot be told; choose a word for each, such as slice,coil,ky,kx.",
            [one],
        )
    return found


def _space_of(place: Peak, path: Path, one: Candidate, options: ArrayOptions, guess: Guess) -> Space:
    if place is not Peak.UNCLEAR:
        return "image" if place is Peak.NOWHERE else "kspace"
    axes = options.axes or ",".join(_words(guess.axes, "kspace"))
    raise AmbiguousArray(
        f"Whether {one} in {path.name} is k-space or an image cannot be told from where its energy is; choose.",
        [one],
        replace(options, variable=one.name or None, axes=axes, space="kspace"),
    )


def _image_scan(stored: StoredArray, axes: tuple[str, ...], path: Path, notes: list[str]) -> Scan:
    if "coil" in axes:
        raise UnreadableScan(
            f"{path.name} would be images of single coils, which are not read; save their k-space, or combine them."
        )
    n_bytes = math.prod(stored.shape) * max(stored.dtype.itemsize, 8)
    if n_bytes > LARGEST_BYTES:
        raise UnreadableScan(f"{path.name} holds an image of more than the 16 GiB that are loaded at once; split it.")
    voxels = stored.read((slice(None),) * len(axes))
    frames = [axis for axis, word in enumerate(axes) if word == "frame"]
    slices = [axis for axis, word in enumerate(axes) if word == "slice"]
    ordered = voxels.transpose([*frames, *slices, axes.index("y"), axes.index("x")])
    n_slices = ordered.shape[len(frames)] if slices else 1
    stack = ordered.reshape(-1, n_slices, *ordered.shape[-2:])
    image: Image
    with np.errstate(over="ignore"):
        if voxels.dtype.kind == "c":
            image = np.ascontiguousarray(stack, np.complex64)
        else:
            image = np.ascontiguousarray(stack, np.float32)
    if not np.isfinite(image).all():
        raise _not_finite(path)
    origin = Origin.COIL_COMBINED if np.iscomplexobj(image) else Origin.MAGNITUDE
    return Scan.from_image(image, origin=origin, name=stem(path), path=path, notes=notes)


def _finite(energy: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    if not np.isfinite(energy).all():
        raise _not_finite(path)
    return energy


def _not_finite(path: Path) -> UnreadableScan:
    return UnreadableScan(
        f"{path.name} holds numbers that are NaN, infinite or beyond float32's range; replace them, for example by 0, "
        "and save it again."
    )


def _words(axes: Sequence[str], space: Space) -> list[str]:
    return [f"k{word}" if space == "kspace" and word in ("y", "x") else word for word in axes]


def _said(space: Space) -> str:
    return "k-space" if space == "kspace" else "an image"
