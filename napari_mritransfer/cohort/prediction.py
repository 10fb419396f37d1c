"""What a network says of one scan: the prediction, how much it hangs on single features, and where it looked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mritransfer.cohort.attention import effective_slices, relative_weights
from napari_mritransfer.cohort.contributions import Kind, Shares, shares_of
from napari_mritransfer.cohort.encoded import Encoded, encode_volume
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import CohortModel
from napari_mritransfer.cohort.preparation import Prepared
from napari_mritransfer.networks.sliceset import SliceSet

DRAWS = 30
SPREAD_IS = (
    "The spread is the standard deviation over dropout draws behind the encoder: it shows how much the prediction "
    "hangs on single features, and is no confidence interval."
)
NO_DROPOUT = "no spread: the network has no dropout"


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A prediction and what it rests on.

    Attributes
    ----------
    value
        The label's value in its unit, or ``(class,)`` probabilities.
    number, text
        `Label.number` and `Label.text` of that.
    spread
        Standard deviation of `number` over dropout draws; None for networks without dropout.
    spread_text
        That in words.
    shares
        How much each slice counts.
    relative
        ``(slice,)`` relative weights, 1 = uniform.
    present
        ``(slice,)`` bool.
    effective_slices
        See `attention.effective_slices`.
    output, both_signs, sign
        The network's output that relevance is about; for a number what raises and what lowers it are both relevant,
        for a class only what speaks for the predicted one: output × sign.
    encoded
        What the encoder made of the slices, so that it never has to run again.
    """

    value: NDArray[np.float64] | float
    number: float
    text: str
    spread: float | None
    spread_text: str
    shares: Shares
    relative: NDArray[np.float64]
    present: NDArray[np.bool_]
    effective_slices: float
    output: int
    both_signs: bool
    sign: int
    encoded: Encoded

    @property
    def kind(self) -> Kind:
        """Whether the weights are the network's attention or contributions in its place."""
        return self.shares.kind

    @property
    def weights(self) -> NDArray[np.float64]:
        """``(slice,)``, summing to 1."""
        return self.shares.weights


def predict(
    model: CohortModel,
    prepared: Prepared,
    *,
    present: NDArray[np.bool_] | None = None,
    depth: int = 0,
    draws: int = DRAWS,
    seed: int = 0,
    device: torch.device | str = "cpu",
    should_stop: Callable[[], bool] = lambda: False,
) -> Prediction:
    """Predict the label of one scan; the same arguments give the same answer.

    Parameters
    ----------
    model
        Its network moves to `device` and stays there.
    prepared
        On the model's own grid.
    present
        ``(slice,)`` bool: slices to take into account; all if None.
    depth
        Where to keep the encoder's maps for `relevance`, see `relevance.default_depth`; nowhere if 0.
    draws, seed
        Of the dropout behind the encoder, drawn from a generator of its own.
    should_stop
        Asked between groups of slices.

    Raises
    ------
    BadInput
        If the volume is not on the network's grid, or no slice is left.
    ReconstructionStopped
        If `should_stop` said so.
    """
    network, label = model.network.to(device), model.label
    with evaluating(network):
        encoded = encode_volume(network, prepared.array, present=present, depth=depth, should_stop=should_stop)
        with torch.no_grad():
            codes = network.encoder_2d.place(encoded.features, encoded.present)
            outputs = network.head(network.pool(codes, encoded.present).embedding).double().cpu().numpy()
        value = label.values(outputs)[0]
        output, sign = _in_question(label, outputs[0])
        shares = shares_of(network, codes, encoded.present, output)
        drawn = _drawn(network, encoded, draws, seed) if draws > 1 else None
    spread = None if drawn is None else float(np.std([label.number(one) for one in label.values(drawn)], ddof=1))
    there = encoded.there
    return Prediction(
        value if label.outputs > 1 or label.classes else float(value), label.number(value), label.text(value),
        spread, NO_DROPOUT if spread is None else _spread_text(label, spread, draws), shares,
        relative_weights(shares.weights, there), there, effective_slices(shares.weights), output,
        label.task == "regression", sign, encoded,
    )  # fmt: skip


def numbers_for(
    model: CohortModel, features: Tensor, present: NDArray[np.bool_], *, at_once: int = 128
) -> NDArray[np.float64]:
    """What the network would predict with other slices missing, from features that are kept.

    Parameters
    ----------
    features
        ``(1, slice, feature)``, as in `Encoded`.
    present
        ``(set, slice)`` bool, each row with one slice at least.

    Returns
    -------
    numbers
        ``(set,)``, see `Label.number`.
    """
    network, found = model.network, []
    with evaluating(network), torch.no_grad():
        for marks in torch.from_numpy(np.ascontiguousarray(present)).split(at_once):
            marks = marks.to(features.device)
            codes = network.encoder_2d.place(features.expand(len(marks), -1, -1), marks)
            outputs = network.head(network.pool(codes, marks).embedding).double().cpu().numpy()
            found += [model.label.number(value) for value in model.label.values(outputs)]
    return np.array(found)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and afterwards as it was."""
    before = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training


def _in_question(label: Label, outputs: NDArray[np.float64]) -> tuple[int, int]:
    """Index of the output that speaks for or against what was predicted, and 1 or -1 for which."""
    if label.task == "classes":
        return int(outputs.argmax()), 1
    return 0, -1 if label.task == "binary" and outputs[0] <= 0 else 1


def _drawn(network: SliceSet, encoded: Encoded, draws: int, seed: int) -> NDArray[np.float64] | None:
    """``(draws, outputs)`` with dropout behind the encoder; None if there is none.

    Torch's own dropout draws from the global generator, which a job in another thread may be learning from.
    """
    generator = torch.Generator().manual_seed(seed)
    met = False

    def drop(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        nonlocal met
        if not isinstance(layer, nn.Dropout) or not layer.p:
            return None
        met = True
        kept = torch.rand(output.shape, generator=generator) >= layer.p
        return output * kept.to(output.device) / (1 - layer.p)

    hooks = [module.register_forward_hook(drop) for module in network.modules() if isinstance(module, nn.Dropout)]
    try:
        with torch.no_grad():
            present = None if encoded.present is None else encoded.present.expand(draws, -1)
            codes = network.encoder_2d.place(encoded.features.expand(draws, -1, -1), present)
            outputs = network.head(network.pool(codes, present).embedding)
    finally:
        for hook in hooks:
            hook.remove()
    return np.asarray(outputs.double().cpu().numpy()) if met else None


def _spread_text(label: Label, spread: float, draws: int) -> str:
    size = f"{spread:.1f} {label.unit}" if label.task == "regression" else f"{100 * spread:.0f} percentage points"
    return f"sd {size.rstrip()} over {draws} dropout draws"
