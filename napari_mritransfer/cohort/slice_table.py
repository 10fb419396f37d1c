"""Weights of slices as a table for spreadsheets."""

import csv
import io
from collections.abc import Sequence

from napari_mritransfer.cohort.record import View

_COLUMNS = (
    "view", "input", "model", "slicing", "slice", "position_mm", "present", "weight", "relative", "mean_relative",
    "relative_minus_mean", "changed", "contribution",
)  # fmt: skip


def as_csv(views: Sequence[View]) -> str:
    """A row a slice of each view, counted from 0 in the order of the common grid; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for view in views:
        for index, weight in enumerate(view.weights):
            maybe = (view.mean_relative, view.relative_minus_mean, view.changed, view.contributions)
            mean, own, changed, part = ("" if values is None else values[index] for values in maybe)
            writer.writerow((
                view.name, view.input, view.model, view.slicing, index, f"{view.positions_mm[index]:g}",
                view.present[index], weight, view.relative[index], mean, own, changed, part,
            ))  # fmt: skip
    return text.getvalue()
