"""Numbers as soft labels over bins, as SFCN learns them. No torch here."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from napari_mritransfer.io.errors import BadInput

Numbers = NDArray[np.floating[Any]] | Sequence[float]

_MOST = 512
_COUNT = 40  # as published


@dataclass(frozen=True, slots=True)
class Bins:
    """Equal bins over a range of a label, in its unit.

    Attributes
    ----------
    start, width, count
        Bin k runs from ``start + k * width`` to ``start + (k + 1) * width``.
    sigma
        Standard deviation of the soft labels.

    References
    ----------
    Peng et al., Medical Image Analysis 2021, doi 10.1016/j.media.2020.101871.
    """

    start: float = 42.0
    width: float = 1.0
    count: int = _COUNT
    sigma: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no range, such as a file of a stranger may say."""
        numbers = (self.start, self.width, self.sigma)
        if not (all(math.isfinite(n) for n in numbers) and self.width > 0 and self.sigma > 0):
            raise ValueError(f"Bins of width {self.width:g} and sigma {self.sigma:g} from {self.start:g} cannot work.")
        if not 2 <= self.count <= _MOST:
            raise ValueError(f"{self.count} bins cannot work; choose from 2 to {_MOST}.")

    @classmethod
    def over(cls, values: Numbers, count: int = _COUNT) -> "Bins":
        """Bins over these values and a tenth of their range on either side; sigma is one bin, as published."""
        low, high = float(np.min(values)), float(np.max(values))
        margin = 0.1 * (high - low) or 1.0
        width = (high - low + 2 * margin) / count
        return cls(low - margin, width, count, width)

    @classmethod
    def from_text(cls, text: str) -> "Bins | None":
        """``first edge/last edge/count`` as people type it, sigma being one bin unless it follows; None if empty.

        Raises
        ------
        BadInput
            If it is something else.
        """
        if not text.strip():
            return None
        try:
            start, stop, count, *sigma = text.split("/")
            width = (float(stop) - float(start)) / int(count)
            return cls(float(start), width, int(count), float(*sigma) if sigma else width)
        except (ValueError, TypeError, ZeroDivisionError):
            raise BadInput(f"'{text}' are no bins; give first edge/last edge/count, such as 6/90/42.") from None

    def as_text(self) -> str:
        """The inverse of `from_text`."""
        sigma = "" if self.sigma == self.width else f"/{self.sigma!r}"
        return f"{self.start:.12g}/{self.stop:.12g}/{self.count}{sigma}"

    @property
    def stop(self) -> float:
        """Where the last bin ends."""
        return self.start + self.count * self.width

    @property
    def centres(self) -> NDArray[np.float64]:
        """``(bin,)`` in the label's unit."""
        return np.asarray(self.start + self.width * (np.arange(self.count) + 0.5))

    def soft(self, values: Numbers) -> NDArray[np.float64]:
        """``(n, bin)``: what a normal distribution about each value leaves in every bin.

        As published, what lies beyond the first and the last bin is lost, so that a row sums to 1 or less.
        """
        edges = self.start + self.width * np.arange(self.count + 1)
        cumulative = ndtr((edges - np.asarray(values, dtype=np.float64)[:, None]) / self.sigma)
        return np.asarray(np.diff(cumulative, axis=1))

    def expected(self, log_probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """``(n,)``: the mean of ``(n, bin)`` distributions over the bins."""
        return np.asarray(np.exp(np.asarray(log_probabilities, dtype=np.float64)) @ self.centres)

    def holds(self, values: Numbers) -> NDArray[np.bool_]:
        """``(n,)``: whether each value lies within the bins."""
        numbers = np.asarray(values, dtype=np.float64)
        return np.asarray((numbers >= self.start) & (numbers <= self.stop))

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; ``Bins.from_record`` reads it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Bins":
        """The inverse of `as_record`.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
        return cls(float(record["start"]), float(record["width"]), int(record["count"]), float(record["sigma"]))
