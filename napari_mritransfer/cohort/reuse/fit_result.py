"""What one method said of the subjects of one fold. No torch here."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """Predictions of one fit, and what belongs to them.

    Attributes
    ----------
    method, size, repeat, fold, site
        See `plan.Fit`.
    rows
        ``(n,)`` tested rows.
    values
        ``(n,)`` numbers, or ``(n, classes)`` chances.
    corrected
        ``(n,)`` numbers corrected with the help of the true ones, see `calibration`; None where that was not asked for.
    gradients
        ``(n, features)`` of the prediction by the features, see `estimators.gradient`; None without features.
    learned_from
        Number of training rows.
    trainable
        Parameters of a network that learned; 0 of others.
    seconds
        It took.
    chosen
        Hyper-parameters by the inner cross-validation.
    said
        Sentences.
    """

    method: str
    size: int
    repeat: int
    fold: int
    site: str
    rows: tuple[int, ...]
    values: NDArray[np.float64]
    corrected: NDArray[np.float64] | None = None
    gradients: NDArray[np.float64] | None = None
    learned_from: int = 0
    trainable: int = 0
    seconds: float = 0.0
    chosen: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Readable by `from_json`."""
        record = {
            "method": self.method, "size": self.size, "repeat": self.repeat, "fold": self.fold, "site": self.site,
            "rows": list(self.rows), "values": self.values.tolist(), "corrected": _listed(self.corrected),
            "gradients": _listed(self.gradients), "learned_from": self.learned_from, "trainable": self.trainable,
            "seconds": self.seconds, "chosen": dict(self.chosen), "said": list(self.said),
        }  # fmt: skip
        return json.dumps(record)

    @classmethod
    def from_json(cls, text: str) -> "FitResult":
        """The inverse of `as_json`.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
        record = json.loads(text)
        values = np.asarray(record["values"], dtype=np.float64)
        rows = tuple(int(row) for row in record["rows"])
        if len(values) != len(rows) or not np.isfinite(values).all():
            raise ValueError("its predictions are no numbers")
        return cls(
            str(record["method"]), int(record["size"]), int(record["repeat"]), int(record["fold"]),
            str(record["site"]), rows, values, _array(record["corrected"]), _array(record["gradients"]),
            int(record["learned_from"]), int(record["trainable"]), float(record["seconds"]), dict(record["chosen"]),
            tuple(str(sentence) for sentence in record["said"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """All that one method with one size of training set said, over all folds and repeats, beside the truth.

    Attributes
    ----------
    method, size
        See `plan.Fit`.
    rows, repeats, folds
        ``(n,)`` of each prediction.
    true
        ``(n,)`` numbers, or indices of classes.
    values
        ``(n,)`` numbers, or ``(n, classes)`` chances.
    corrected
        ``(n,)`` or None, see `FitResult`.
    groups
        ``(n,)`` whose they are.
    seconds
        Of all fits together.
    """

    method: str
    size: int
    rows: NDArray[np.intp]
    repeats: NDArray[np.intp]
    folds: NDArray[np.intp]
    true: NDArray[np.float64]
    values: NDArray[np.float64]
    corrected: NDArray[np.float64] | None
    groups: tuple[str, ...]
    seconds: float

    @property
    def models(self) -> NDArray[np.intp]:
        """``(n,)`` which of the models that were learned made each prediction."""
        return self.repeats * (int(self.folds.max(initial=0)) + 1) + self.folds


def tested(results: Sequence[FitResult], true: NDArray[np.float64], groups: Sequence[str]) -> tuple[Tested, ...]:
    """Results of the same method and size as one each, in the order in which these first come.

    Parameters
    ----------
    results
        Of all folds.
    true
        ``(row,)`` of everybody.
    groups
        ``(row,)``.
    """
    kinds: dict[tuple[str, int], list[FitResult]] = {}
    for result in results:
        kinds.setdefault((result.method, result.size), []).append(result)
    return tuple(_joined(parts, true, groups) for parts in kinds.values())


def _joined(parts: Sequence[FitResult], true: NDArray[np.float64], groups: Sequence[str]) -> Tested:
    parts = sorted(parts, key=lambda part: (part.repeat, part.fold))
    rows = np.concatenate([np.asarray(part.rows, dtype=np.intp) for part in parts])
    corrected = [part.corrected for part in parts if part.corrected is not None]
    return Tested(
        parts[0].method, parts[0].size, rows,
        np.concatenate([np.full(len(part.rows), part.repeat, dtype=np.intp) for part in parts]),
        np.concatenate([np.full(len(part.rows), part.fold, dtype=np.intp) for part in parts]),
        true[rows], np.concatenate([part.values for part in parts]),
        np.concatenate(corrected) if len(corrected) == len(parts) else None, tuple(groups[row] for row in rows),
        math.fsum(part.seconds for part in parts),
    )  # fmt: skip


def _listed(array: NDArray[np.float64] | None) -> list[Any] | None:
    return None if array is None else array.tolist()


def _array(value: Any) -> NDArray[np.float64] | None:
    return None if value is None else np.asarray(value, dtype=np.float64)
