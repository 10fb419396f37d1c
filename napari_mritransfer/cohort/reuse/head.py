"""What an SFCN ends in: bins or classes, kept where the label is the same one and new where it is not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.model import SfcnModel, class_order

_LEAST_CHANCE = 1e-3  # of a bin in which nobody is: a new head has to begin somewhere


@dataclass(frozen=True, slots=True)
class Head:
    """What the outputs mean.

    Attributes
    ----------
    label
        What is predicted, with its classes in the table's order.
    bins
        Of numbers; None for classes.
    order
        Of a kept head for classes: where each output lies among the label's classes; None for numbers and new heads.
    is_new
        Whether the last layer has to be drawn anew.
    sentence
        What was done about it.
    """

    label: Label
    bins: Bins | None
    order: tuple[int, ...] | None
    is_new: bool
    sentence: str

    @property
    def label_of_outputs(self) -> Label:
        """The label with its classes in the order of the outputs, as a file of the network has to say it."""
        if self.order is None:
            return self.label
        return replace(self.label, classes=tuple(self.label.classes[place] for place in self.order))

    @property
    def outputs(self) -> int:
        """Bins or classes."""
        return len(self.label.classes) if self.bins is None else self.bins.count

    def targets(self, values: NDArray[np.float64]) -> Tensor:
        """``(n, outputs)`` distributions for ``(n,)`` numbers or indices of classes."""
        if self.bins is not None:
            return torch.from_numpy(self.bins.soft(values)).float()
        one_hot = np.eye(len(self.label.classes))[np.asarray(values, dtype=np.intp)]
        return torch.from_numpy(one_hot if self.order is None else one_hot[:, list(self.order)]).float()

    def predictions(self, log_probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """``(n,)`` numbers, or ``(n, classes)`` chances in the label's order."""
        if self.bins is not None:
            return self.bins.expected(log_probabilities)
        chances = np.exp(np.asarray(log_probabilities, dtype=np.float64))
        if self.order is None:
            return np.asarray(chances)
        sorted_out = np.empty_like(chances)
        sorted_out[:, list(self.order)] = chances
        return sorted_out

    def bias(self, values: NDArray[np.float64]) -> Tensor:
        """``(outputs,)``: log-probabilities of the training labels, which a new head begins with."""
        mean = self.targets(values).double().mean(0) + _LEAST_CHANCE
        return (mean / mean.sum()).log().float()


def head_for(
    base: SfcnModel | None, label: Label, values: NDArray[np.float64], asked: Bins | None = None, *, anew: bool = False
) -> Head:
    """The head for a label: the network's own where it predicts the same, else a new one.

    Parameters
    ----------
    base
        What is re-used.
    label
        To predict.
    values
        ``(n,)`` of the training subjects, numbers or indices of classes.
    asked
        Bins that the user wants; None for the network's own, or those over the training labels.
    anew
        Whether all weights are drawn anew anyway.
    """
    same = base is not None and is_same_label(base.label, label)
    if label.task == "regression":
        own = base.facts.bins if base is not None and same else None
        fits = own is not None and bool(own.holds(values).all())
        if own is not None and (asked == own or (asked is None and fits)):
            return Head(label, own, None, anew, "The network's own bins and last layer are kept.")
        bins = asked or Bins.over(values)
        why = "" if own is None or asked is not None else (
            f" {int((~own.holds(values)).sum())} of {len(values)} training labels lie outside the network's own, "
            f"{own.start:g} to {own.stop:g}."
        )  # fmt: skip
        return Head(label, bins, None, True, f"The last layer is new, for {_described(bins, label)}.{why}")
    order = class_order(base.label, label.classes) if base is not None and same else None
    if order is not None:
        return Head(label, None, order, anew, "The network's own last layer is kept.")
    return Head(label, None, None, True, f"The last layer is new, for the classes {', '.join(label.classes)}.")


def is_same_label(own: Label, other: Label) -> bool:
    """Whether two labels are one and the same, whatever their capitals."""
    both_numbers = (own.task == "regression") == (other.task == "regression")
    return own.name.lower() == other.name.lower() and both_numbers


def outside(bins: Bins, values: Sequence[float] | NDArray[np.float64], label: Label, who: str) -> str:
    """A warning about labels that `who` cannot predict; empty if there are none."""
    count = int((~bins.holds(values)).sum())
    if not count:
        return ""
    between = f"{bins.start:g} to {bins.stop:g} {label.unit}".rstrip()
    return f"{count} of {len(values)} scans have '{label.name}' outside {between}, which {who} cannot predict."


def _described(bins: Bins, label: Label) -> str:
    unit = f" {label.unit}".rstrip()
    return f"{bins.count} bins of {bins.width:.3g}{unit} from {bins.start:.4g} to {bins.stop:.4g}{unit}"
