"""SFCN networks that learn from a few volumes: which weights, for how long, and what comes of it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from napari_mritransfer.cohort.config import Augmentation
from napari_mritransfer.cohort.data import augment
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.config import BatchNorm
from napari_mritransfer.cohort.reuse.head import Head, head_for
from napari_mritransfer.cohort.reuse.model import SfcnModel
from napari_mritransfer.networks.sfcn import SFCN
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.work import NonFinite
from napari_mritransfer.transfer.l2_sp import penalty
from napari_mritransfer.transfer.model import merged_state, trainable_parameters, transfer

ShouldStop = Callable[[], bool]

_HEAD_SHARE = 0.5  # of the epochs of "step", in which the last layer learns alone
_HEAD_RATE = 1e-2  # of the last layer while it learns alone
_NEW_HEAD_SCALE = 0.1  # so that the distribution of the training labels is what a new head begins with
_WARM_UP = 0.25  # of the steps: the rate rises so long, and falls to nothing after


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network learns.

    Attributes
    ----------
    method
        A row of `reuse.catalogue` of the kind "network".
    epochs, batch, learning_rate, weight_decay, augmentation, batch_norm, bins, device, seed
        See `ReuseConfig`.
    """

    method: str
    epochs: int = 20
    batch: int = 4
    learning_rate: float | None = None
    weight_decay: float = 1e-3
    augmentation: Augmentation = "shift-mirror"
    batch_norm: BatchNorm = "frozen"
    bins: Bins | None = None
    device: str = "auto"
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FittedNetwork:
    """What a network has become.

    Attributes
    ----------
    network
        Plain, in evaluation mode.
    settings
        Of `SFCN`.
    head
        What its outputs mean.
    said
        What was done, one sentence each.
    trainable
        Number of parameters that learned.
    """

    network: SFCN
    settings: Mapping[str, Any]
    head: Head
    said: tuple[str, ...]
    trainable: int

    def predict(self, volumes: Tensor, should_stop: ShouldStop = lambda: False) -> NDArray[np.float64]:
        """``(n,)`` numbers or ``(n, classes)`` chances for ``(n, 1, i, j, k)`` volumes.

        Raises
        ------
        ReconstructionStopped
            If `should_stop` said so.
        """
        device = next(self.network.parameters()).device
        outputs = []
        with torch.no_grad():
            for volume in volumes:
                if should_stop():
                    raise ReconstructionStopped
                outputs.append(self.network(_ready(volume[None], device)).cpu())
        return self.head.predictions(torch.cat(outputs).numpy())

    @torch.no_grad()
    def predict_from(self, features: Tensor) -> NDArray[np.float64]:
        """The same from ``(n, features)``, where these did not change."""
        device = next(self.network.parameters()).device
        return self.head.predictions(self.network.head(features.to(device)).cpu().numpy())


def fit_network(
    base: SfcnModel | None,
    label: Label,
    volumes: Tensor | None,
    values: NDArray[np.float64],
    settings: FitSettings,
    *,
    features: Tensor | None = None,
    network: Mapping[str, Any] | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    should_stop: ShouldStop = lambda: False,
) -> FittedNetwork:
    """Let a network learn a label from the training subjects of one fold, for a fixed number of epochs.

    Nothing is validated meanwhile: who is tested must not choose when to stop. AdamW; the rate rises over the first
    quarter of the steps and falls along a cosine. With "final-layer" the features are computed once, so nothing is
    augmented; all other methods see augmented volumes. "step" gives the first half of the epochs to the last layer.

    Parameters
    ----------
    base
        What is re-used; None for a new network, which learns from scratch.
    label
        To predict; classes in the order of the indices in `values`.
    volumes
        ``(n, 1, i, j, k)`` float16 or float32, prepared and cropped; None where features are enough.
    values
        ``(n,)`` numbers, or indices of classes.
    settings
        How.
    features
        ``(n, features)`` of the base, if they are known: "final-layer" needs no volumes then.
    network
        Of a new network: arguments of `SFCN` besides outputs and grid.
    on_step
        Told steps done and all steps.

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.
    NonFinite
        If the loss is no number any more.
    """
    row = reuse_method(settings.method)
    anew = row.transfer == "scratch"
    head = head_for(base, label, values, settings.bins, anew=anew)
    torch.manual_seed(settings.seed)  # new weights are drawn here
    own = dict(base.settings) if base is not None else {**(network or {}), "grid": list(_those(volumes).shape[2:])}
    own |= {"outputs": head.outputs}
    learning = _network(None if anew else base, own, head, values)
    device = choose_device(settings.device)
    learning.to(device)
    targets = head.targets(values)
    on_features = row.name == "final-layer" and settings.batch_norm == "frozen"
    if on_features and features is not None:
        inputs = features.float()
    elif on_features:
        inputs = _features(learning, _those(volumes), device, should_stop)
    else:
        inputs = _those(volumes)
    stages = _stages(settings, row.transfer, settings.learning_rate or row.learning_rate or 0.0)
    total = sum(epochs for _, epochs, _ in stages) * math.ceil(len(values) / settings.batch)
    done, trainable = 0, 0
    for strategy, epochs, rate in stages:
        part = "" if strategy in ("ft", "scratch") else learning.feature_part
        trainable = transfer(learning, "ft" if strategy == "scratch" else strategy, part=part).trainable
        stage = _Stage(learning, settings, on_features=on_features, moving=anew or settings.batch_norm == "moving")
        for _ in stage.steps(inputs, targets, epochs, rate, done, device):
            done += 1
            on_step(done, total)
            if should_stop():
                raise ReconstructionStopped
    plain = SFCN(**own)
    plain.load_state_dict(merged_state(learning))
    return FittedNetwork(plain.eval().to(device), own, head, (head.sentence,), trainable)


class _Stage:
    """One stretch of learning; what learns was decided before."""

    def __init__(self, network: SFCN, settings: FitSettings, *, on_features: bool, moving: bool) -> None:
        self._network, self._settings = network, settings
        self._call: Callable[[Tensor], Tensor] = network.head if on_features else network
        self._on_features = on_features
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm3d) and not moving:
                module.eval()  # normalises by the statistics of the big study, which stay

    def steps(
        self, inputs: Tensor, targets: Tensor, epochs: int, rate: float, before: int, device: torch.device
    ) -> Iterator[None]:
        """One optimiser step at a time."""
        settings = self._settings
        per_epoch = math.ceil(len(inputs) / settings.batch)
        optimiser = torch.optim.AdamW(
            list(trainable_parameters(self._network).values()), lr=rate, weight_decay=settings.weight_decay
        )
        total = epochs * per_epoch
        for step in range(total):
            epoch, place = divmod(step, per_epoch)
            order = np.random.default_rng((settings.seed, before, epoch)).permutation(len(inputs))
            chosen = np.array_split(order, per_epoch)[place]  # nearly equal: a batch norm cannot learn from one alone
            batch = inputs[chosen].float()
            if settings.augmentation != "none" and not self._on_features:
                rng = np.random.default_rng((settings.seed, before, step, 1))
                augment(batch, settings.augmentation, rng, len(batch))
            for group in optimiser.param_groups:
                group["lr"] = rate * _course(step, total)
            output = self._call(batch.to(device) if self._on_features else _ready(batch, device))
            loss = functional.kl_div(output, targets[chosen].to(device), reduction="batchmean")
            if (held_back := penalty(self._network)) is not None:
                loss = loss + held_back
            if not torch.isfinite(loss):
                raise NonFinite(
                    f"The loss of '{settings.method}' is no number any more; choose a learning rate below {rate:g}."
                )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield


def _those(volumes: Tensor | None) -> Tensor:
    if volumes is None:
        raise ValueError("This method learns from volumes; hand them over.")
    return volumes


def _stages(settings: FitSettings, transferred: str, rate: float) -> tuple[tuple[str, int, float], ...]:
    """Strategy, epochs and learning rate, one after the other."""
    if settings.method != "step":
        return ((transferred, settings.epochs, rate),)
    alone = max(1, round(_HEAD_SHARE * settings.epochs))
    return (("pretrained", alone, _HEAD_RATE), (transferred, max(1, settings.epochs - alone), rate))


def _network(base: SfcnModel | None, settings: Mapping[str, Any], head: Head, values: NDArray[np.float64]) -> SFCN:
    """With the base's weights unless all are drawn anew; a new last layer begins at the training labels."""
    network = SFCN(**settings)
    if base is not None:
        own = base.network.state_dict()
        kept = {name: own[name] for name in own if not (head.is_new and name.startswith("classifier."))}
        network.load_state_dict(kept, strict=not head.is_new)
    if head.is_new:
        last = network.classifier[2]
        assert isinstance(last, nn.Conv3d)
        assert last.bias is not None
        with torch.no_grad():
            last.weight.mul_(_NEW_HEAD_SCALE)
            last.bias.copy_(head.bias(values))
    return network


def _ready(volumes: Tensor, device: torch.device) -> Tensor:
    """Float32 in the order that convolutions are fastest in."""
    return volumes.to(device, torch.float32).contiguous(memory_format=torch.channels_last_3d)


def _course(step: int, total: int) -> float:
    """Share of the learning rate at a step."""
    done = (step + 0.5) / total
    if done < _WARM_UP:
        return done / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


@torch.no_grad()
def _features(network: SFCN, volumes: Tensor, device: torch.device, should_stop: ShouldStop) -> Tensor:
    network.eval()
    found = []
    for volume in volumes:
        if should_stop():
            raise ReconstructionStopped
        found.append(network.features(_ready(volume[None], device)).cpu())
    return torch.cat(found)
