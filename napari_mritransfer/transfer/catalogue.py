"""The menu of transfer strategies. No torch here: the GUI and `mritransfer strategies` read it.

A new strategy is one small file beside this one, with a function ``apply(model, **options)``, and one row below.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """One row of the menu.

    Attributes
    ----------
    name
        What users type; also the module in this package that implements it.
    label
        What users read.
    summary
        One line: what learns and what stays.
    reference
        Where it comes from.
    learning_rate
        Default of Adam, found by the search documented in docs/results.md; None where nothing is trained.
    options
        Option names with their defaults.
    """

    name: str
    label: str
    summary: str
    reference: str
    learning_rate: float | None
    options: Mapping[str, object] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether the strategy learns anything."""
        return self.learning_rate is not None


CATALOGUE: tuple[StrategyInfo, ...] = (
    StrategyInfo(
        "pretrained",
        "No transfer",
        "The pretrained network as it is; nothing learns.",
        "the baseline of every comparison",
        None,
    ),
    StrategyInfo(
        "scratch",
        "From scratch",
        "All weights forgotten and learned again from the target scans alone.",
        "the lower bound a transfer has to beat",
        3e-3,
    ),
    StrategyInfo(
        "ft",
        "Full fine-tuning (FT)",
        "Every weight goes on learning from its pretrained value.",
        "Dar et al., Magn Reson Med 2020",
        1e-3,
    ),
    StrategyInfo(
        "lft",
        "Linear fine-tuning (LFT)",
        "Weights stay frozen; one scale per kernel and one shift per filter learn.",
        "Bi et al., Front Neurosci 2023, doi 10.3389/fnins.2023.1202143",
        3e-3,
        {"granularity": "kernel", "shift": True, "add_biases": False},
    ),
)


def strategy(name: str) -> StrategyInfo:
    """The row called `name`.

    Raises
    ------
    ValueError
        If there is none.
    """
    for row in CATALOGUE:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in CATALOGUE)
    raise ValueError(f"There is no strategy called '{name}'; choose one of: {known}.")
