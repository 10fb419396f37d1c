"""What may change when a slice-set network moves to another cohort or label. No torch until one is applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_mritransfer.training.config import BadConfig

if TYPE_CHECKING:
    from napari_mritransfer.networks.sliceset import SliceSet
    from napari_mritransfer.transfer.model import TransferReport


@dataclass(frozen=True, slots=True)
class CohortStrategy:
    """One row of the menu.

    Attributes
    ----------
    name, label, summary
        What users type; what they read; what learns, in one line.
    transfer
        Its name in `transfer.catalogue`.
    on_encoder
        Whether that is applied to the image encoder alone; all that follows it then learns.
    learning_rate
        Default of Adam; None where nothing learns.
    """

    name: str
    label: str
    summary: str
    transfer: str
    on_encoder: bool
    learning_rate: float | None


STRATEGIES: tuple[CohortStrategy, ...] = (
    CohortStrategy(
        "pretrained", "No transfer", "The network as it is; nothing learns.", "pretrained", False, None
    ),
    CohortStrategy(
        "frozen-encoder", "Frozen encoder",
        "The image encoder stays as it was pretrained; what joins the slices and predicts learns.",
        "pretrained", True, 1e-3,
    ),
    CohortStrategy(
        "lft", "Linear fine-tuning of the encoder (LFT)",
        "The encoder's weights stay; one scale per kernel and one shift per filter learn, and all that follows.",
        "lft", True, 1e-3,
    ),
    CohortStrategy(
        "ft", "Full fine-tuning (FT)", "Every weight goes on learning from its pretrained value.", "ft", False, 1e-3
    ),
    CohortStrategy(
        "scratch", "From scratch", "All weights are drawn anew and learn from this cohort alone.", "scratch", False,
        1e-3,
    ),
)  # fmt: skip


def cohort_strategy(name: str) -> CohortStrategy:
    """The row called `name`.

    Raises
    ------
    BadConfig
        If there is none.
    """
    for row in STRATEGIES:
        if row.name == name:
            return row
    raise BadConfig(f"There is no strategy called '{name}'; choose one of: {', '.join(s.name for s in STRATEGIES)}.")


def apply(network: "SliceSet", name: str, options: Mapping[str, object] | None = None) -> "TransferReport":
    """Let learn what the strategy says, in place.

    Raises
    ------
    BadConfig
        If the strategy or an option is unknown, or does not fit the network.
    """
    from napari_mritransfer.transfer.model import transfer

    row = cohort_strategy(name)
    try:
        return transfer(network, row.transfer, options, part=network.encoder_part if row.on_encoder else "")
    except (ValueError, TypeError) as error:
        raise BadConfig(str(error)) from error
