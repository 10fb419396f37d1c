"""The state of an unfinished job: all it takes to go on as if nothing had happened."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from napari_mritransfer.io.atomic import write_bytes
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.transfer.model import learned_state, load_learned_state
from napari_mritransfer.zoo.weights import UnreadableWeights, read_safetensors


@dataclass(slots=True)
class Progress:
    """How far a job has come.

    Attributes
    ----------
    step
        Steps taken; with the seed, it is also the position in the data.
    losses
        Of the steps since the last validation.
    history
        (step, score) of every validation.
    best_step, best_score
        Of the best validation; None before the first one.
    seconds
        Wall time up to the last saved state.
    """

    step: int = 0
    losses: list[float] = field(default_factory=list)
    history: list[tuple[int, float]] = field(default_factory=list)
    best_step: int = 0
    best_score: float | None = None
    seconds: float = 0.0


def save_state(
    path: Path,
    progress: Progress,
    network: nn.Module,
    best: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer | None,
    *,
    base_sha256: str,
    device: torch.device,
) -> None:
    """Write everything down; `best` is the learned state of the best validation."""
    tensors = {f"model.{name}": value for name, value in learned_state(network).items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    if optimiser is not None:
        tensors |= {f"optimiser.{name}": value for name, value in _memory(optimiser).items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    metadata = {"progress": json.dumps(dataclasses.asdict(progress)), "base_sha256": base_sha256}
    write_bytes(path, serialised(tensors, metadata))


def load_state(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer | None,
    *,
    base_sha256: str,
    device: torch.device,
) -> tuple[Progress, dict[str, Tensor]]:
    """Put everything back; returns the progress and the learned state of the best validation.

    Raises
    ------
    UnreadableWeights
        If the file is not the state of this job, or the base has changed since.
    """
    tensors, metadata = read_safetensors(path)

    def under(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    if metadata.get("base_sha256", base_sha256) != base_sha256:
        raise UnreadableWeights(
            "The model has changed since this run was interrupted, so it cannot go on; start anew in another folder."
        )
    try:
        record = json.loads(metadata["progress"])
        if "best_psnr" in record:  # of a time when every job was a reconstruction
            record["best_score"] = record.pop("best_psnr")
        record["history"] = [(int(step), float(score)) for step, score in record["history"]]
        progress = Progress(**record)
        load_learned_state(network, under("model."))
        if optimiser is not None:
            _remember(optimiser, under("optimiser."))
        torch.set_rng_state(tensors["random.cpu"])
        if device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UnreadableWeights(
            f"{path.name} is not the state of this job ({error}); start a new run in another folder."
        ) from error
    return progress, under("best.")


def _memory(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{index}.{name}": value
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def _remember(optimiser: torch.optim.Optimizer, memory: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in memory.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # in the parameter's own memory order (channels last), as if it had never been away
            value = torch.empty_like(parameter).copy_(value) if name != "step" else value
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
