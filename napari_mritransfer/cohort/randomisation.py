"""Whether a map of slices depends on what a network learned, and on the chance that it learned with."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mritransfer.cohort.attention import rank_correlation
from napari_mritransfer.cohort.contributions import shares_of
from napari_mritransfer.cohort.encoded import Encoded, encode_volume
from napari_mritransfer.cohort.model import CohortModel
from napari_mritransfer.cohort.prediction import Prediction
from napari_mritransfer.networks.sliceset import SliceSet

_MAKES_CODES = "encoder_2d"  # the part of a slice-set network that slices and their positions go through
_SAME_MAP = 0.5  # rank correlation from which two maps tell the same story
_WHOLE_NETWORKS = 3  # draws that let the encoder run again, which takes longest


@dataclass(frozen=True, slots=True)
class Randomised:
    """Rank correlations of a map with those of the network with shuffled weights; None where a map has no ranks.

    Attributes
    ----------
    behind_encoder
        Pooling and head shuffled, one value a draw.
    everything
        The encoder and the positions too.
    """

    behind_encoder: tuple[float | None, ...]
    everything: tuple[float | None, ...]

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        parts, stays = [], False
        for what, draws in (("pooling and head", self.behind_encoder), ("all weights", self.everything)):
            known = [value for value in draws if value is not None]
            if known:
                parts.append(f"{np.mean(known):.2f} with {what} shuffled ({min(known):.2f} to {max(known):.2f})")
                stays |= bool(np.mean(known) > _SAME_MAP)
        if not parts:
            return "The map has no ranks to compare with those of a network with shuffled weights."
        told = f"Rank correlation of the map with that of a network that learned nothing: {', '.join(parts)}."
        warning = " A map that hardly depends on what was learned explains little."
        return told + warning if stays else told

    def as_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"behind_encoder": list(self.behind_encoder), "everything": list(self.everything)}


def randomise(
    model: CohortModel,
    prediction: Prediction,
    volume: NDArray[np.floating[Any]] | None = None,
    *,
    draws: int = 5,
    seed: int = 0,
    should_stop: Callable[[], bool] = lambda: False,
) -> Randomised:
    """Shuffle the weights and see whether the map changes, as it must if it shows what was learned.

    Each tensor's own values are put in random order, so that their sizes stay. First those of pooling and head, on the
    features that were kept; then, if there is a `volume`, those of the whole network, which has to run anew.

    Parameters
    ----------
    volume
        ``(i, j, k)``, as the network saw it; the second step is left out without one.
    draws
        Of the first step; the second one takes at most 3.
    should_stop
        Asked between groups of slices.

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.

    References
    ----------
    Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018.
    """
    generator = torch.Generator().manual_seed(seed)
    there = prediction.present

    def agreement(network: SliceSet, encoded: Encoded) -> float | None:
        with torch.no_grad():
            codes = network.encoder_2d.place(encoded.features, encoded.present)
        weights = shares_of(network, codes, encoded.present, prediction.output).weights
        return rank_correlation(prediction.weights[there], weights[there])

    behind = [
        agreement(network, prediction.encoded)
        for network in _shuffled(model.network, draws, generator, spared=_MAKES_CODES)
    ]
    everything = [] if volume is None else [
        agreement(network, encode_volume(network, volume, present=there, should_stop=should_stop))
        for network in _shuffled(model.network, min(draws, _WHOLE_NETWORKS), generator)
    ]  # fmt: skip
    return Randomised(tuple(behind), tuple(everything))


@dataclass(frozen=True, slots=True)
class Stability:
    """How much the maps of several networks agree on one scan: rank correlations over all pairs."""

    mean: float
    lowest: float
    networks: int

    def sentence(self, label: str, name: str) -> str:
        """The finding in plain words."""
        told = (
            f"On {name}, the maps of {self.networks} networks for '{label}' agree with a rank correlation of "
            f"{self.mean:.2f} on average, {self.lowest:.2f} at least."
        )
        if self.mean > _SAME_MAP:
            return told
        return f"{told} Another training would have shown another map."


def stability(maps: Sequence[NDArray[np.floating[Any]]]) -> Stability | None:
    """Agreement of maps of one scan.

    Parameters
    ----------
    maps
        ``(slice,)`` relative weights of one network each, for the same slices.

    Returns
    -------
    stability
        None with fewer than two maps, or where no two have ranks.
    """
    found = [rank_correlation(first, second) for first, second in combinations(maps, 2)]
    known = [value for value in found if value is not None]
    return Stability(float(np.mean(known)), min(known), len(maps)) if known else None


def _shuffled(
    network: SliceSet, draws: int, generator: torch.Generator, *, spared: str | None = None
) -> Iterator[SliceSet]:
    """Copies with the values of each parameter in random order; the part called `spared` stays as it is."""
    for _ in range(draws):
        copied = copy.deepcopy(network).eval()
        with torch.no_grad():
            for name, parameter in copied.named_parameters():
                if spared is None or not name.startswith(f"{spared}."):
                    order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
                    parameter.copy_(parameter.flatten()[order].view_as(parameter))
        yield copied
