"""Model cards: what a base was trained on, and what that means for a given measurement. No torch here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind, SamplingMask

DEFAULT_MODEL = "multiscale-t1"
_FOLDER = resources.files("napari_mritransfer") / "resources" / "models"


class UnknownModel(BadInput):
    """No model of that name, or its files do not belong together."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything to know before trusting a pretrained network.

    Attributes
    ----------
    name, title
        What users type; what they read.
    architecture, settings
        Class in `networks` and its arguments.
    sha256
        Of the weights file.
    parameters
        Trainable parameters under each strategy, by name.
    mask_kinds, rates, acs, lines
        Sampling trained on: kinds; smallest and largest rate, ACS fraction, number of phase-encode lines.
    rows
        Smallest and largest number of readout positions of the images trained on; of masks over the plane, where both
        axes are phase encodes, it is the same as `lines`.
    training
        Data, licence, split, seed, steps, script: the sentences of the card.
    metrics
        Measured quality, each with its convention.
    """

    name: str
    title: str
    architecture: str
    settings: Mapping[str, object]
    sha256: str
    parameters: Mapping[str, int]
    mask_kinds: tuple[str, ...]
    rates: tuple[float, float]
    acs: tuple[float, float]
    lines: tuple[int, int]
    rows: tuple[int, int]
    training: Mapping[str, object]
    metrics: Mapping[str, object]

    @property
    def weights(self) -> Path:
        """The safetensors file beside the card."""
        return Path(str(_FOLDER / f"{self.name}.safetensors"))

    @property
    def matrix(self) -> str:
        """What it was trained on, for a person: so many lines, or so large a plane."""
        if self.is_for_planes:
            return f"planes of {self.rows[0]} to {self.rows[1]} samples each way"
        return f"{self.lines[0]} to {self.lines[1]} lines"

    @property
    def is_for_planes(self) -> bool:
        """Whether it was trained on samples of the ky–kz plane rather than on lines."""
        return any(MaskKind(kind).is_plane for kind in self.mask_kinds)

    def outside_of_training(self, mask: SamplingMask, rows: int | None = None, coils: int = 1) -> list[str]:
        """Sentences on how a measurement differs from what the model was trained on; empty if it does not.

        Parameters
        ----------
        mask
            Its sampled lines, or samples of the plane. Of those that were found, not asked for, only what they show is
            judged: their kind is unknown, and the block around DC may be longer than the ACS because neighbours happen
            to touch it.
        rows
            Its number of readout positions; not judged if omitted, or of a plane.
        coils
            Its number of receive coils.
        """
        warnings = []
        if coils > 1:
            warnings.append(
                f"{self.name} was trained on combined coils; here it sees {coils} through their sensitivity maps."
            )
        # lines whose ends were never measured, as where corners of k-space are cut, are still lines
        is_plane = mask.is_plane if mask.pattern is None else mask.pattern.is_plane
        if is_plane != self.is_for_planes:
            kinds = ("samples scattered over the plane", "whole lines")
            trained, here = kinds if self.is_for_planes else kinds[::-1]
            others = [card.name for card in model_cards() if card.is_for_planes == is_plane]
            better = DEFAULT_MODEL if DEFAULT_MODEL in others else next(iter(others), "")
            advice = f"; {better} was trained on these" if better else ""
            return [f"{self.name} was trained on {trained}, not on {here}{advice}.", *warnings]
        kind, acs, acs_fits = self._judged_centre(mask)
        if kind is not None and str(kind) not in self.mask_kinds:
            warnings.append(f"{self.name} was not trained on {kind} masks.")
        if not self.rates[0] - 0.005 <= mask.achieved_rate <= self.rates[1] + 0.005:
            warnings.append(
                f"{self.name} was trained at {self.rates[0]:.0%} to {self.rates[1]:.0%} of the {mask.unit}, "
                f"not at {mask.achieved_rate:.1%}."
            )
        if kind != MaskKind.CENTRE and not acs_fits:
            warnings.append(
                f"{self.name} was trained with {self.acs[0]:.0%} to {self.acs[1]:.0%} of "
                f"{'either axis' if is_plane else 'the lines'} in the ACS, not with {acs:.1%}."
            )
        return warnings + ([] if mask.is_plane != is_plane else self._outside_of_matrix(mask, rows))

    def _outside_of_matrix(self, mask: SamplingMask, rows: int | None) -> list[str]:
        if mask.is_plane:
            if all(self.rows[0] <= length <= self.rows[1] for length in mask.lines.shape):
                return []
            matrix = " × ".join(str(length) for length in mask.lines.shape)
            return [f"{self.name} was trained on planes of {self.rows[0]} to {self.rows[1]} samples, not {matrix}."]
        warnings = []
        n_lines = len(mask.lines)
        if not self.lines[0] <= n_lines <= self.lines[1]:
            warnings.append(
                f"{self.name} was trained on {self.lines[0]} to {self.lines[1]} phase-encode lines, not on {n_lines}."
            )
        if rows is not None and not self.rows[0] <= rows <= self.rows[1]:
            warnings.append(
                f"{self.name} was trained on {self.rows[0]} to {self.rows[1]} readout positions, not on {rows}."
            )
        return warnings

    def _judged_centre(self, mask: SamplingMask) -> tuple[MaskKind | None, float, bool]:
        """Kind of a mask, None if nobody knows; its ACS fraction; and whether the model knows that."""
        if mask.pattern is not None:
            acs = mask.pattern.acs
            return mask.pattern.kind, acs, self.acs[0] - 0.005 <= acs <= self.acs[1] + 0.005
        kind = MaskKind.CENTRE if mask.centre_lines == mask.lines.sum() else None
        acs = mask.centre_lines / min(mask.lines.shape)
        return kind, acs, self.acs[0] - 0.005 <= acs


def model_cards() -> list[ModelCard]:
    """The cards of all shipped models, by name."""
    if not _FOLDER.is_dir():
        return []
    files = sorted(entry.name for entry in _FOLDER.iterdir() if entry.name.endswith(".json"))
    return [_read(Path(str(_FOLDER / name))) for name in files]


def model_card(name: str) -> ModelCard:
    """The card of one model.

    Raises
    ------
    UnknownModel
        If there is none of that name.
    """
    cards = {card.name: card for card in model_cards()}
    if name not in cards:
        raise UnknownModel(f"There is no model called '{name}'; choose one of: {', '.join(cards)}.")
    return cards[name]


def _read(path: Path) -> ModelCard:
    record = json.loads(path.read_text(encoding="utf-8"))
    for field in ("mask_kinds", "rates", "acs", "lines", "rows"):
        record[field] = tuple(record[field])
    return ModelCard(name=path.stem, **record)
