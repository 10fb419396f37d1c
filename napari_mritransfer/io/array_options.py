"""What a person can say about a file that does not say all itself: which array or series, and what its axes are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from napari_mritransfer.io.errors import BadInput, UnreadableScan

Space = Literal["kspace", "image"]

WORDS = ("frame", "slice", "coil", "ky", "kx", "y", "x")
_LETTERS = {"f": "frame", "s": "slice", "c": "coil", "y": "y", "x": "x"}


@dataclass(frozen=True, slots=True)
class ArrayOptions:
    """The choices that make a bare array, or one of several series, a scan; None leaves a choice to the program.

    Attributes
    ----------
    variable
        Name of the array in a file of several, such as ``"kspace"`` or ``"data.images"``.
    axes
        A word for each axis in the file's order: ``"coil,ky,kx"`` (k-space), ``"slice,y,x"`` (image), or letters of
        frame, slice, coil, y and x: ``"cyx"``.
    space
        Needed beside letters only, which do not tell k-space from an image.
    series
        Of DICOM: which of several, as `SeriesChoice.candidates` calls it, such as ``"8"``.
    """

    variable: str | None = None
    axes: str | None = None
    space: Space | None = None
    series: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One array of a file: its name (empty where it has none), the lengths of its axes, and its type."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name or 'the array'} ({' x '.join(map(str, self.shape))}, {self.dtype})"


class AmbiguousArray(UnreadableScan):
    """A file that could be read in more than one way: choose, and load it again with the choice.

    Attributes
    ----------
    candidates
        The arrays that could be meant; one where only its axes are in question.
    guess
        The most plausible reading, to start a person's choice from; None where there is none.
    """

    def __init__(self, message: str, candidates: Sequence[Candidate], guess: ArrayOptions | None = None) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)
        self.guess = guess


def parsed_axes(text: str, shape: Sequence[int], space: Space | None) -> tuple[tuple[str, ...], Space | None]:
    """The words of `ArrayOptions.axes`, one an axis, with ``y`` and ``x`` for ``ky`` and ``kx`` too, and the space.

    Raises
    ------
    BadInput
        If a word is unknown or repeated, the in-plane pair is missing, or the number of words is not that of the axes.
    """
    cleaned = text.strip().lower()
    words = [word.strip() for word in cleaned.split(",")]
    if len(words) == 1 and set(cleaned) <= set(_LETTERS):
        words = [_LETTERS[letter] for letter in cleaned]
    unknown = [word for word in words if word not in WORDS]
    if unknown:
        raise BadInput(f"{unknown[0]!r} names no axis; use {', '.join(WORDS)}, or letters such as cyx.")
    if len(words) != len(shape):
        raise BadInput(
            f"{text!r} names {len(words)} axes, but the array has {len(shape)} ({' x '.join(map(str, shape))}); name "
            "each of them."
        )
    pairs = {"kspace": {"ky", "kx"}, "image": {"y", "x"}}
    named = {word for word in words if word in {"ky", "kx", "y", "x"}}
    said = next((one for one, pair in pairs.items() if named & pair and one == "kspace"), None)
    if named not in pairs.values():
        raise BadInput(f"{text!r} has to name ky and kx for k-space, or y and x for an image.")
    plain = tuple(word.removeprefix("k") for word in words)
    repeated = [word for word in ("slice", "coil", "y", "x") if plain.count(word) > 1]
    if repeated:
        raise BadInput(f"{text!r} names {repeated[0]} twice; only frame can be more than one axis.")
    if said == "kspace" and space == "image":
        raise BadInput(f"{text!r} names axes of k-space, but an image was asked for; say y and x, or kspace.")
    if said == "kspace":
        return plain, "kspace"
    # y and x in full words mean an image; letters leave it open
    return plain, space or ("image" if "," in cleaned else None)
