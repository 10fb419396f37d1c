"""What a network predicts: a number with its unit, a yes or no, or one of several classes. No torch here."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Task = Literal["regression", "binary", "classes"]
TASKS: tuple[Task, ...] = get_args(Task)

_UNITS = {"age": "years", "weight": "kg", "height": "cm"}


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a cohort.

    Attributes
    ----------
    name
        Its column.
    task
        Which kind of question it is.
    unit
        Of numbers; may be empty.
    classes
        Names in the order of the outputs; of a binary label the second one is what the logit speaks for.
    mean, std
        Of numbers, over the training scans: networks predict (value − mean) ÷ std.
    """

    name: str
    task: Task = "regression"
    unit: str = ""
    classes: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense, such as a file of a stranger may say."""
        count = len(self.classes)
        fits = {"regression": count == 0, "binary": count == 2, "classes": count >= 2}
        is_number = math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0
        if not fits.get(self.task, False) or not is_number:
            raise ValueError(f"'{self.name}' is no label: task {self.task}, {count} classes, sd {self.std:g}.")

    @classmethod
    def of_numbers(cls, name: str, values: Sequence[float]) -> "Label":
        """A number, with the mean and the standard deviation of these values (years for ages)."""
        std = float(np.std(values))
        return cls(name, "regression", _UNITS.get(name.lower(), ""), (), float(np.mean(values)), std or 1.0)

    @property
    def outputs(self) -> int:
        """How many outputs a network needs."""
        return len(self.classes) if self.task == "classes" else 1

    def values(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """What network outputs ``(n, outputs)`` mean: values in the label's unit, or the classes' probabilities.

        Returns
        -------
        values
            ``(n,)`` for numbers, ``(n, classes)`` summing to 1 otherwise.
        """
        raw = np.asarray(outputs, dtype=np.float64)
        if self.task == "regression":
            return np.asarray(raw[:, 0] * self.std + self.mean)
        if self.task == "binary":
            second = 1 / (1 + np.exp(-np.clip(raw[:, 0], -700, 700)))
            return np.stack([1 - second, second], axis=1)
        shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def text(self, value: NDArray[np.float64] | float) -> str:
        """One prediction for people: ``63.2 years``, ``diseased, 87 %``."""
        if self.task == "regression":
            return f"{float(value):.1f} {self.unit}".rstrip()
        chances = np.asarray(value)
        best = int(chances.argmax())
        return f"{self.classes[best]}, {chances[best]:.0%}".replace("%", " %")

    def number(self, value: NDArray[np.float64] | float) -> float:
        """One prediction as a number to take differences of: the value, or the chance of the last class."""
        return float(value) if self.task == "regression" else float(np.asarray(value)[-1])

    @property
    def number_name(self) -> str:
        """What `number` is, for people."""
        return self.name if self.task == "regression" else f"chance of '{self.classes[-1]}'"

    def difference_text(self, difference: float) -> str:
        """A difference of two `number`s for people: ``+1.4 years``, ``-12 percentage points``."""
        if self.task == "regression":
            return f"{round(difference, 1) + 0.0:+.1f} {self.unit}".rstrip()  # nothing is +0.0, not -0.0
        return f"{round(100 * difference) + 0.0:+.0f} percentage points"

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return dataclasses.asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Label":
        """The inverse of `as_record`.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is something else.
        """
        return cls(
            str(record["name"]), record.get("task", "regression"), str(record.get("unit", "")),
            tuple(str(name) for name in record.get("classes", ())), float(record.get("mean", 0.0)),
            float(record.get("std", 1.0)),
        )  # fmt: skip
