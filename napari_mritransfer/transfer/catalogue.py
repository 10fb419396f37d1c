"""The menu of transfer strategies. No torch here: the GUI and `mritransfer strategies` read it.

A new strategy is one small file beside this one, with a function ``apply(model, **options)``, and one row below. The
file has the row's name, with underscores.
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
        Default of Adam, see docs/strategies.md; None where nothing is trained.
    options
        Option names with their defaults.
    keeps_base
        Whether all that is learned stands beside the pretrained weights, none of which changes.
    merges
        Whether the result fits into the plain network's weights.
    """

    name: str
    label: str
    summary: str
    reference: str
    learning_rate: float | None
    options: Mapping[str, object] = field(default_factory=dict)
    keeps_base: bool = False
    merges: bool = True

    @property
    def module(self) -> str:
        """Of this package, where it is implemented."""
        return self.name.replace("-", "_")

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
        keeps_base=True,
    ),
    StrategyInfo(
        "last-layers",
        "Last layers",
        "The last quarter of the layers goes on learning; no gradient reaches what comes before.",
        "Yosinski et al., NeurIPS 2014, arXiv:1411.1792",
        1e-3,
        {"share": 0.25},
    ),
    StrategyInfo(
        "first-layers",
        "First layers",
        "The first quarter of the layers goes on learning, for targets whose images differ and whose task does not.",
        "Lee et al., surgical fine-tuning, ICLR 2023, arXiv:2210.11466",
        1e-3,
        {"share": 0.25},
    ),
    StrategyInfo(
        "bias",
        "Biases",
        "One number per filter, its bias, goes on learning.",
        "Ben Zaken et al., BitFit, ACL 2022, arXiv:2106.10199",
        1e-2,
        {"add_biases": False},
    ),
    StrategyInfo(
        "norm",
        "Normalisation",
        "Scale and shift of the normalisation layers go on learning; for networks that have such layers.",
        "Frankle et al., ICLR 2021, arXiv:2003.00152",
        3e-3,
    ),
    StrategyInfo(
        "ssf",
        "Scale and shift (SSF)",
        "Weights stay frozen; one scale and one shift per channel learn, after every layer and norm.",
        "Lian et al., NeurIPS 2022, arXiv:2210.08823",
        1e-2,
        {"add_biases": False},
        keeps_base=True,
    ),
    StrategyInfo(
        "lora",
        "Low rank (LoRA)",
        "Weights stay frozen; a product of two thin matrices learns, which is added to each.",
        "Hu et al., ICLR 2022, arXiv:2106.09685",
        1e-2,
        {"rank": 4},
        keeps_base=True,
    ),
    StrategyInfo(
        "conv-adapter",
        "Convolutional adapters",
        "Weights stay frozen; a thin detour beside each layer learns. It stays a part of the network.",
        "Chen et al., CVPR workshops 2024, arXiv:2208.07463",
        1e-2,
        {"compression": 4},
        keeps_base=True,
        merges=False,
    ),
    StrategyInfo(
        "l2-sp",
        "Full, held back (L2-SP)",
        "Every weight goes on learning, and pays for the distance from its pretrained value.",
        "Li et al., ICML 2018, arXiv:1802.01483",
        1e-3,
        {"strength": 0.01},
        keeps_base=True,
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
