"""Stacks of planes that are computed when somebody looks at them: a 10 GB file is never a 10 GB array."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Compute = Callable[[tuple[int, ...]], NDArray[Any]]


class LazyStack:
    """Array-like ``(…, y, x)`` whose planes are computed on demand; napari and NumPy take it where they take an array.

    Indexing that leaves whole planes under one or more leading axes gives another lazy stack; indexing down to one
    plane computes it; `numpy.asarray` computes all of them.

    Parameters
    ----------
    lead
        Lengths of the axes before the plane.
    plane
        ``(y, x)``.
    dtype
        Of the planes.
    compute
        Called with one index per leading axis; returns the plane.
    """

    def __init__(self, lead: tuple[int, ...], plane: tuple[int, int], dtype: DTypeLike, compute: Compute) -> None:
        self.shape = (*lead, *plane)
        self.dtype = np.dtype(dtype)
        self._compute = compute

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that all planes together would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        """NumPy's basic indexing: whole numbers, slices and an ellipsis."""
        parts = self._full_index(index)
        lead, plane = parts[:-2], parts[-2:]
        choices = [_chosen(part, length) for part, length in zip(lead, self.shape[:-2], strict=True)]
        kept = [choice for choice in choices if isinstance(choice, range)]
        if not kept:
            return self._plane(tuple(choice for choice in choices if isinstance(choice, int)))[plane]
        view = LazyStack(
            tuple(len(choice) for choice in kept), (self.shape[-2], self.shape[-1]), self.dtype,
            lambda position: self._plane(_merged(choices, position)),
        )  # fmt: skip
        if all(isinstance(part, slice) and part == slice(None) for part in plane):
            return view
        return np.asarray(view)[(*[slice(None)] * len(kept), *plane)]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("Planes that are computed on demand cannot be had without a copy.")
        whole = np.empty(self.shape, dtype=self.dtype if dtype is None else dtype)
        for position in np.ndindex(self.shape[:-2]):
            whole[position] = self._plane(position)
        return whole

    def _plane(self, position: tuple[int, ...]) -> NDArray[Any]:
        return self._compute(position)

    def _full_index(self, index: Any) -> tuple[int | slice, ...]:
        parts = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in parts:
            place = parts.index(Ellipsis)
            parts[place : place + 1] = [slice(None)] * (self.ndim - len(parts) + 1)
        if len(parts) > self.ndim:
            raise IndexError(f"{len(parts)} indices are too many for {self.ndim} axes.")
        for part in parts:
            if not isinstance(part, int | np.integer | slice):
                raise IndexError(f"A lazy stack takes whole numbers and slices, not {type(part).__name__}.")
        given = (part if isinstance(part, slice) else int(part) for part in parts)
        return (*given, *[slice(None)] * (self.ndim - len(parts)))


def _chosen(part: int | slice, length: int) -> int | range:
    if isinstance(part, slice):
        return range(length)[part]
    if not -length <= part < length:
        raise IndexError(f"index {part} is out of bounds for an axis of {length}.")
    return part % length


def _merged(choices: list[int | range], position: tuple[int, ...]) -> tuple[int, ...]:
    running = iter(position)
    return tuple(choice if isinstance(choice, int) else choice[next(running)] for choice in choices)
