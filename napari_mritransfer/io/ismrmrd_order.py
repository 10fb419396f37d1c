"""Which acquisition of an ISMRMRD file is which line of which slice: read off the headers, without any samples."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.io.errors import UnreadableScan
from napari_mritransfer.io.mri_header import Limits, MriHeader

# Bits of the acquisition flags, counted from 1, as ismrmrd.h does.
_NOISE, _CALIBRATION, _CALIBRATION_AND_IMAGING, _REVERSE = 19, 20, 21, 22
_NO_IMAGE = {
    _NOISE: "noise", 23: "navigator", 24: "phase correction", 26: "feedback", 27: "dummy", 28: "feedback",
    29: "surface coil", 30: "phase stabilisation", 31: "phase stabilisation",
}  # fmt: skip
_LARGEST_PLANE = 1 << 26  # samples: 8192 x 8192
_FRAME_COUNTERS = ("contrast", "phase", "repetition", "set")  # the last counts fastest


@dataclass(frozen=True, slots=True)
class Lines:
    """Acquisitions of one slice or slab: arrays of one length."""

    acquisition: NDArray[np.intp]
    ky: NDArray[np.intp]
    kz: NDArray[np.intp]
    start: NDArray[np.intp]
    reverse: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Order:
    """How acquisitions become k-space.

    Attributes
    ----------
    lines
        By (frame, slice).
    shape
        (frame, slice, coil, kz, ky, kx); kz is 1 in two dimensions.
    samples
        Kept of each readout: first and last in the acquisition, and the number of samples stored.
    declared
        ``(ky, kx)`` bool, True where measured in any slice.
    noise
        Acquisitions that hold noise alone.
    first_of_slice
        An acquisition of each slice, for its geometry.
    notes
        What was skipped, averaged or filled in.
    """

    lines: dict[tuple[int, int], Lines]
    shape: tuple[int, int, int, int, int, int]
    samples: tuple[int, int, int]
    declared: NDArray[np.bool_]
    noise: NDArray[np.intp]
    first_of_slice: list[int]
    notes: list[str]


def sorted_lines(heads: NDArray[Any], header: MriHeader, name: str) -> Order:
    """Sort acquisitions into frames, slices and lines, DC at ``n // 2`` of each axis of k-space.

    Frames are the contrasts (echoes), phases, repetitions and sets that occur, in this order, the last fastest.
    Calibration lines stand in where no imaging line was acquired.

    Parameters
    ----------
    heads
        ``(acquisition,)`` structured as ismrmrd.h's acquisition header.

    Raises
    ------
    UnreadableScan
        If there is nothing to make an image of, or the headers contradict each other.
    """
    flags = heads["flags"].astype(np.uint64)
    skipped = _any_flag(flags, _NO_IMAGE)
    others = heads["encoding_space_ref"] != 0
    image = np.flatnonzero(~skipped & ~others)
    if not image.size:
        raise UnreadableScan(f"{name} holds no acquisition that is part of an image; choose another file.")
    calibration = _any_flag(flags, [_CALIBRATION]) & ~_any_flag(flags, [_CALIBRATION_AND_IMAGING])
    n_x, n_y, n_z = header.encoded_matrix
    if n_x * n_y > _LARGEST_PLANE:
        raise UnreadableScan(f"{name} announces a plane of {n_x} x {n_y} samples, so it is damaged; copy it again.")
    counters = heads["idx"][image]
    frames, frame = np.unique(np.stack([counters[key] for key in _FRAME_COUNTERS], axis=1), axis=0, return_inverse=True)
    slices, index = np.unique(counters["slice"], return_inverse=True)
    ky = _centred(counters["kspace_encode_step_1"], header.step_1, n_y, "phase-encode", name)
    kz = _centred(counters["kspace_encode_step_2"], header.step_2, n_z, "partition", name)
    coils, first, last, stored = _agreeing(heads[image], name)
    reverse = _any_flag(flags[image], [_REVERSE])
    start = _starts(heads[image], (first, last, stored), reverse, n_x, name)
    place = np.ravel_multi_index((frame.ravel(), index.ravel(), kz, ky), (len(frames), len(slices), n_z, n_y))
    is_line = ~calibration[image]
    used = is_line | ~np.isin(place, place[is_line])
    notes = _remarks(flags, others, len(frames), place, used & ~is_line, place[used])
    lines = {
        (f, s): Lines(image[own], ky[own], kz[own], start[own], reverse[own])
        for f in range(len(frames))
        for s in range(len(slices))
        for own in [np.flatnonzero(used & (frame.ravel() == f) & (index.ravel() == s))]
    }
    declared = np.zeros((n_y, n_x), dtype=bool)
    for line, begin in zip(ky[used], start[used], strict=True):
        declared[line, begin : begin + last - first] = True
    if n_z > 1:
        _refuse_gaps(lines, len(slices), n_z, name)
    return Order(
        lines,
        (len(frames), len(slices), coils, n_z, n_y, n_x),
        (first, last, stored),
        declared,
        np.flatnonzero(_any_flag(flags, [_NOISE])),
        [int(image[np.argmax(index.ravel() == s)]) for s in range(len(slices))],
        notes,
    )


def _any_flag(flags: NDArray[np.uint64], bits: Iterable[int]) -> NDArray[np.bool_]:
    wanted = np.uint64(sum(1 << (bit - 1) for bit in bits))
    return np.asarray((flags & wanted) != 0, dtype=np.bool_)


def _centred(steps: NDArray[Any], limits: Limits | None, n: int, word: str, name: str) -> NDArray[np.intp]:
    """Steps to indices with DC at ``n // 2``."""
    found = steps.astype(np.intp) - (n // 2 if limits is None else limits.centre) + n // 2
    if found.min() < 0 or found.max() >= n:
        raise UnreadableScan(
            f"{name} has {word} steps from {steps.min()} to {steps.max()}, which do not fit a matrix of {n}; correct "
            "its header or convert it again."
        )
    return found


def _agreeing(heads: NDArray[Any], name: str) -> tuple[int, int, int, int]:
    """Coils, first and last sample kept, and samples stored: the same in all acquisitions."""
    keys = ("active_channels", "discard_pre", "discard_post", "number_of_samples")
    rows = np.unique(np.stack([heads[key] for key in keys], axis=1), axis=0)
    if len(rows) > 1:
        raise UnreadableScan(
            f"{name} changes the number of coils or samples between acquisitions; split it by encoding first."
        )
    coils, before, after, stored = (int(value) for value in rows[0])
    if coils < 1 or stored - before - after < 1:
        raise UnreadableScan(f"{name} announces acquisitions without samples, so it is damaged; copy it again.")
    return coils, before, stored - after, stored


def _starts(
    heads: NDArray[Any], samples: tuple[int, int, int], reverse: NDArray[np.bool_], n_x: int, name: str
) -> NDArray[np.intp]:
    """Where each readout begins along kx: an asymmetric echo is shorter than the matrix."""
    first, last, stored = samples
    if last - first == n_x:  # whole readouts: some converters leave the centre at 0
        return np.zeros(len(heads), dtype=np.intp)
    centre = heads["center_sample"].astype(np.intp)
    begin = np.where(reverse, n_x // 2 - (stored - 1 - centre) + stored - last, n_x // 2 - centre + first)
    if begin.min() < 0 or begin.max() + last - first > n_x:
        raise UnreadableScan(
            f"{name} has readouts of {last - first} samples about sample {centre[0]}, which do not fit the encoded "
            f"matrix of {n_x}; correct its header or convert it again."
        )
    return begin


def _refuse_gaps(lines: dict[tuple[int, int], Lines], n_slabs: int, n_z: int, name: str) -> None:
    if n_slabs > 1:
        raise UnreadableScan(f"{name} holds {n_slabs} three-dimensional slabs; split it into one file each.")
    for one in lines.values():
        if len(np.unique(one.kz * (1 << 16) + one.ky)) != n_z * len(np.unique(one.ky)):
            raise UnreadableScan(
                f"{name} is undersampled along its partitions, which are not reconstructed here; choose an acquisition "
                "that is fully sampled along them, or reconstruct it elsewhere."
            )


def _remarks(
    flags: NDArray[np.uint64],
    others: NDArray[np.bool_],
    n_frames: int,
    all_places: NDArray[np.intp],
    stand_in: NDArray[np.bool_],
    used_places: NDArray[np.intp],
) -> list[str]:
    notes = []
    for word in dict.fromkeys(_NO_IMAGE.values()):
        count = int(_any_flag(flags, [bit for bit, what in _NO_IMAGE.items() if what == word]).sum())
        if count and word != "noise":
            notes.append(f"{count} {word} acquisitions were left out.")
    if others.any():
        notes.append(f"{int(others.sum())} acquisitions of further encodings were left out.")
    if stand_in.any():
        notes.append(f"{int(stand_in.sum())} calibration lines were used where no imaging line was acquired.")
    most = int(np.unique(used_places, return_counts=True)[1].max()) if all_places.size else 1
    if most > 1:
        notes.append(f"Lines acquired up to {most} times were averaged.")
    if n_frames > 1:
        notes.append("Frames are contrasts, phases, repetitions and sets, in this order, the last fastest.")
    return notes
