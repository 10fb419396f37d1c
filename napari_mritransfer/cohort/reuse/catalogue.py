"""The menu of ways to re-use a pretrained network on a small cohort. No torch here."""

from dataclasses import dataclass
from typing import Literal

from napari_mritransfer.cohort.label import Task
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.transfer.catalogue import CATALOGUE

Kind = Literal["baseline", "direct", "features", "classical", "network"]
"""What a method learns from: labels alone, nothing, frozen features, voxels, or volumes through a network."""

_BOTH: tuple[Task, ...] = ("regression", "binary", "classes")
_CLASSES: tuple[Task, ...] = ("binary", "classes")


@dataclass(frozen=True, slots=True)
class ReuseMethod:
    """One row of the menu.

    Attributes
    ----------
    name, label, summary
        What users type; what they read; what learns from what, in one line.
    kind
        See `Kind`.
    tasks
        Kinds of label that it predicts.
    transfer
        Of networks: the row of `transfer.catalogue` for the feature extractor, or for the whole network with ``ft`` and
        ``scratch``.
    learning_rate
        Of networks: default of AdamW for all that learns.
    """

    name: str
    label: str
    summary: str
    kind: Kind
    tasks: tuple[Task, ...] = _BOTH
    transfer: str = ""
    learning_rate: float | None = None


BASELINE = ReuseMethod(
    "baseline", "Mean or majority", "The training subjects' mean, or their most frequent class, for everybody.",
    "baseline",
)  # fmt: skip
"""In every table, asked for or not."""

_FIXED: tuple[ReuseMethod, ...] = (
    ReuseMethod("direct", "Direct", "The network's own prediction; nothing learns.", "direct"),
    ReuseMethod(
        "features-ridge", "Features, ridge", "Frozen features, ridge regression.", "features", ("regression",)
    ),
    ReuseMethod(
        "features-logistic", "Features, logistic", "Frozen features, logistic regression.", "features", _CLASSES
    ),
    ReuseMethod("features-svm", "Features, support vectors", "Frozen features, a support vector machine.", "features"),
    ReuseMethod("features-gp", "Features, Gaussian process", "Frozen features, a Gaussian process.", "features"),
    ReuseMethod(
        "final-layer", "Final layer", "Frozen features; the network's last layer learns.", "network",
        transfer="pretrained", learning_rate=1e-2,
    ),
    ReuseMethod(
        "step", "Final layer, then all", "The last layer learns first, then every weight.", "network", transfer="ft",
        learning_rate=1e-3,
    ),
    ReuseMethod(
        "full", "Full fine-tuning (FT)", "Every weight goes on learning from its pretrained value.", "network",
        transfer="ft", learning_rate=1e-3,
    ),
)  # fmt: skip
_LAST: tuple[ReuseMethod, ...] = (
    ReuseMethod(
        "scratch", "From scratch", "All weights are drawn anew and learn from this cohort alone.", "network",
        transfer="scratch", learning_rate=1e-3,
    ),
    ReuseMethod(
        "classical", "Classical", "Voxels to principal components, the most correlated of these, an elastic net.",
        "classical",
    ),
)  # fmt: skip
_ELSEWHERE = ("pretrained", "scratch", "ft")  # have a row of their own above


def reuse_methods(task: Task | None = None) -> tuple[ReuseMethod, ...]:
    """All rows in the order of the menu, or those for one kind of label; the baseline is none of them."""
    transferred = tuple(
        ReuseMethod(row.name, row.label, row.summary, "network", transfer=row.name, learning_rate=row.learning_rate)
        for row in CATALOGUE
        if row.name not in _ELSEWHERE and row.merges  # each fold's network is kept as plain weights
    )
    rows = (*_FIXED, *transferred, *_LAST)
    return rows if task is None else tuple(row for row in rows if task in row.tasks)


def reuse_method(name: str) -> ReuseMethod:
    """The row called `name`, that of the baseline included.

    Raises
    ------
    BadConfig
        If there is none.
    """
    rows = (BASELINE, *reuse_methods())
    for row in rows:
        if row.name == name:
            return row
    raise BadConfig(f"There is no method called '{name}'; choose one of: {', '.join(row.name for row in rows[1:])}.")


def usual_methods(task: Task) -> tuple[str, ...]:
    """Those that take seconds once the features are there."""
    quick = ("direct", "features-ridge", "features-logistic", "final-layer", "classical")
    return tuple(row.name for row in reuse_methods(task) if row.name in quick)
