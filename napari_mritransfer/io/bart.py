"""BART's .cfl and .hdr: complex numbers in one file, the lengths of sixteen named dimensions in the other."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_mritransfer.io.array_axes import Peak, middle_plane, peak
from napari_mritransfer.io.array_options import ArrayOptions
from napari_mritransfer.io.arrays import scan_of
from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.io.byte_source import opened
from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.provenance import facts_of, with_facts
from napari_mritransfer.io.scan import Scan
from napari_mritransfer.io.stored_array import ArrayInFile, Transposed

_LONGEST_HEADER = 1 << 20  # bytes; BART writes the whole command history
_MOST_DIMENSIONS = 32
_CREATOR = "napari-mritransfer"  # which writes k-space alone
_MARK = "# Mritransfer "  # our own sections: BART keeps to the ones it knows
# https://codeberg.org/mri/bart, src/misc/mri.h: what the numbered dimensions are
_COIL, _MAPS, _SLICE = 3, 4, 13
_FRAMES = {5: "echo times", 6: "coefficients", 10: "time", 11: "time", 12: "levels", 14: "averages"}


def read(path: Path, options: ArrayOptions) -> Scan:
    """Read a pair of files that either of them names.

    Of dimensions 0 to 2 (read, phase 1, phase 2) two have to be longer than 1; the later one is ky, the earlier kx.

    Raises
    ------
    UnreadableScan
        In one sentence, before memory is allocated.
    """
    header, numbers = path.with_suffix(".hdr"), path.with_suffix(".cfl")
    if path.suffix.isupper():
        header, numbers = path.with_suffix(".HDR"), path.with_suffix(".CFL")
    with opened(header, compressed=False) as source:
        text = source.read(_LONGEST_HEADER).decode("utf-8", errors="replace")
    sections = _sections(text)
    shape = _dimensions(sections, header)
    with opened(numbers, compressed=False) as source:
        source.require(math.prod(shape) * 8)
        surplus = source.capacity - math.prod(shape) * 8
    stored = Transposed(ArrayInFile(numbers, 0, shape[::-1], np.dtype("<c8")))
    notes = ["The .cfl goes on after the numbers its .hdr announces; the rest is ignored."] if surplus else []
    if options.axes is None:
        words = _words(shape, path)
        is_ours = sections.get("# Creator") == _CREATOR
        is_image = options.space == "image" or (
            options.space is None and not is_ours and peak(middle_plane(stored, tuple(words))) is Peak.NOWHERE
        )
        if is_image and shape[_COIL : _COIL + 1] not in ((), (1,)):
            raise UnreadableScan(
                f"{path.name} seems to hold images of {shape[_COIL]} single coils; combine them, or choose kspace."
            )
        prefix = "" if is_image else "k"
        named = ",".join(f"{prefix}{word}" if word in ("y", "x") else word for word in words)
        if is_image:
            named = named.replace("coil", "frame")
        is_guess = not is_ours and options.space is None
        options = ArrayOptions(None, named, "image" if is_image else "kspace")
        if len(shape) > _MAPS and shape[_MAPS] > 1:
            notes.append(f"The {shape[_MAPS]} maps are shown as frames.")
        if is_guess:
            notes.append(f"It was taken for {'an image' if is_image else 'k-space'} by where its energy is.")
    own = {key[len(_MARK) :].lower(): value for key, value in sections.items() if key.startswith(_MARK)}
    return with_facts(scan_of(stored, path, options, notes=notes), own)


def write(scan: Scan, path: Path) -> None:
    """Write k-space as BART's dimensions: kx 0, ky 1, coils 3, frames 10, slices 13.

    Raises
    ------
    BadInput
        If the scan has no k-space.
    OSError
        If the folder is missing or full.
    """
    kspace = scan.kspace_for(path)
    frames, slices, coils, rows, columns = kspace.shape
    shape = [columns, rows, 1, coils, *[1] * 6, frames, 1, 1, slices, 1, 1]
    sections: Mapping[str, str] = {
        "# Dimensions": " ".join(map(str, shape)),
        "# Creator": _CREATOR,
        **{f"{_MARK}{key}": value for key, value in facts_of(scan).items()},
    }
    # the numbers first: a .hdr without its .cfl would be opened, a .cfl without its .hdr is not
    with replacing(path.with_suffix(".cfl")) as temporary, temporary.open("wb") as file:
        for index in range(slices):
            for frame in range(frames):
                file.write(np.ascontiguousarray(kspace.slice(frame, index), dtype="<c8").data)
    with replacing(path.with_suffix(".hdr")) as temporary:
        temporary.write_text("".join(f"{key}\n{value}\n" for key, value in sections.items()), "utf-8", newline="\n")


def _sections(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        if line.startswith("#"):
            key = line.strip()
        elif line.strip() and key not in found:
            found[key] = line.strip()
    return found


def _dimensions(sections: Mapping[str, str], header: Path) -> tuple[int, ...]:
    parts = sections.get("# Dimensions", "").split()
    if not parts or len(parts) > _MOST_DIMENSIONS or not all(part.isascii() and part.isdigit() for part in parts):
        raise UnreadableScan(
            f"{header.name} has no line of lengths under '# Dimensions', so it is no BART header or a damaged one; "
            "copy it again."
        )
    sizes = [int(part[:20]) for part in parts]
    if min(sizes) < 1:
        raise UnreadableScan(f"{header.name} announces an axis of length 0, so it is damaged; copy it again.")
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)


def _words(shape: tuple[int, ...], path: Path) -> list[str]:
    """A word for each dimension."""
    long = [axis for axis in range(min(3, len(shape))) if shape[axis] > 1]
    if len(long) != 2:
        raise UnreadableScan(
            f"{path.name} has {len(long)} of the read and phase-encode dimensions longer than 1, and two are read; "
            "choose a word for each axis, or transform it along the readout and save it slice by slice."
        )
    words = ["frame"] * len(shape)
    words[long[0]], words[long[1]] = "x", "y"
    for axis in range(3, len(shape)):
        if axis == _COIL:
            words[axis] = "coil"
        elif axis == _SLICE:
            words[axis] = "slice"
        elif shape[axis] > 1 and axis != _MAPS and axis not in _FRAMES:
            raise UnreadableScan(
                f"{path.name} has {shape[axis]} entries in BART's dimension {axis}, which has no place in a scan; "
                "extract one with 'bart slice', or choose a word for each axis."
            )
    return words
