"""The one number a job steers by, in words. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """What a validation measures.

    Attributes
    ----------
    name, unit
        Such as "PSNR" and "dB"; `unit` may be empty.
    higher_is_better
        False for an error.
    """

    name: str
    unit: str = ""
    higher_is_better: bool = True

    @property
    def label(self) -> str:
        """Of an axis or a column: ``PSNR (dB)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def text(self, score: float) -> str:
        """A score for people: ``31.20 dB``."""
        return f"{score:.2f} {self.unit}".rstrip()

    def improves(self, score: float, best: float | None) -> bool:
        """Whether `score` is better than the best before it; the first one is."""
        if best is None:
            return True
        return score > best if self.higher_is_better else score < best

    def best_of(self, curve: Sequence[tuple[int, float]]) -> tuple[int, float] | None:
        """The (step, score) of the best validation, the first of equals; None of none."""
        choose = max if self.higher_is_better else min
        return choose(curve, key=lambda point: point[1], default=None)


PSNR = Metric("PSNR", "dB")
