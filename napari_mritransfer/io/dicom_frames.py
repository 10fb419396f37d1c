"""Images at one position, told apart: echoes, b-values, repetitions. They become frames."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from napari_mritransfer.io.dicom_header import Plane
from napari_mritransfer.io.errors import UnreadableScan

# slowest first, as contrasts come before phases and repetitions elsewhere
_LABELS = ("echo", "inversion", "flip", "b", "temporal")
_TOLD = {
    "echo": "echo times of {} ms",
    "inversion": "inversion times of {} ms",
    "flip": "flip angles of {}°",
    "b": "b-values of {} s/mm²",
    "temporal": "temporal positions {}",
    "acquisition": "acquisitions {}",
}
_MOST_TOLD = 16

Slices = Sequence[Sequence[Plane]]
Key = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Frames:
    """Complete volumes, ``planes[frame][slice]``, and what to say about them."""

    planes: tuple[tuple[Plane, ...], ...]
    notes: tuple[str, ...]


def told_apart(slices: Slices, name: str) -> Frames:
    """Give every slice's images their frames.

    What differs between images of one slice tells them apart: echo time, inversion time, flip angle, b-value, temporal
    position. Images with the same of all these follow each other by trigger time, acquisition, time and number, but
    only where every slice has as many of them. Frames that lack slices are left out.

    Parameters
    ----------
    slices
        The images at each position.
    name
        Of the series, for messages.

    Raises
    ------
    UnreadableScan
        If no frame is complete, or nothing says to which frames the images of incomplete ones belong.
    """
    if all(len(images) == 1 for images in slices):
        return Frames((tuple(images[0] for images in slices),), ())
    names = [label for label in _LABELS if _differs(slices, label)]
    if not _is_even(slices, names) and _differs(slices, "acquisition"):
        names.append("acquisition")
    sorted_slices = [_by_key(images, names) for images in slices]
    keys = sorted({key for one in sorted_slices for key in one})
    complete, n_left_out = [], 0
    for key in keys:
        counts = {len(one.get(key, ())) for one in sorted_slices}
        if len(counts) > 1 and counts - {0, 1}:
            raise _uneven(name)
        if counts != {max(counts)}:
            n_left_out += 1
            continue
        complete += [(key, tuple(one[key][turn] for one in sorted_slices)) for turn in range(max(counts))]
    if not complete:
        raise _uneven(name)
    notes = [_told(names, [key for key, _ in complete], len(complete))] if len(complete) > 1 else []
    if n_left_out:
        notes.append(
            f"{n_left_out} of {n_left_out + len(complete)} frames lack some of the {len(slices)} slices and are left "
            "out."
        )
    return Frames(tuple(planes for _, planes in complete), tuple(notes))


def _differs(slices: Slices, label: str) -> bool:
    return any(len({image.labels.get(label) for image in images}) > 1 for images in slices)


def _is_even(slices: Slices, names: Sequence[str]) -> bool:
    """Whether every slice has as many images of each key."""
    found = [{key: len(images) for key, images in _by_key(one, names).items()} for one in slices]
    return all(one == found[0] for one in found)


def _by_key(images: Sequence[Plane], names: Sequence[str]) -> dict[Key, list[Plane]]:
    """In the order in which images with the same key follow each other."""
    found: dict[Key, list[Plane]] = defaultdict(list)
    for image in sorted(images, key=lambda image: (image.order, image.frame)):
        found[tuple(image.labels.get(name, -1.0) for name in names)].append(image)
    return dict(found)


def _told(names: Sequence[str], keys: Sequence[Key], n_frames: int) -> str:
    told = []
    for place, name in enumerate(names):
        values = list(dict.fromkeys(key[place] for key in keys))
        if len(values) > 1:
            shown = ", ".join(f"{value:.5g}" for value in values[:_MOST_TOLD])
            told.append(_TOLD[name].format(shown + (", …" if len(values) > _MOST_TOLD else "")))
    if len(set(keys)) < n_frames:
        told.append("repetitions in the order of their times and numbers")
    return f"The {n_frames} frames are {', and '.join(told)}."


def _uneven(name: str) -> UnreadableScan:
    return UnreadableScan(
        f"{name} has not the same number of images at every position, and nothing in the files says which belong "
        "together; copy the whole series, or choose a folder that holds nothing else."
    )
