"""What the worker process does for the viewer besides fine-tuning: short tasks, their fields and answers plain JSON.

A task is called as ``task(command, tell, should_stop)`` and returns the fields of its ``Result``. It raises `BadInput`
for what a person can mend, and `ReconstructionStopped` when `should_stop` said so.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_mritransfer.evaluation.metrics import Peak
from napari_mritransfer.io import load
from napari_mritransfer.io.atomic import replacing
from napari_mritransfer.physics.undersampling import zero_filled
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.study.board import write_board
from napari_mritransfer.study.comparison import compare, magnitude
from napari_mritransfer.study.export import export_board
from napari_mritransfer.study.methods import resolve_methods
from napari_mritransfer.study.sampling import Sampling, remarks
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.device import devices
from napari_mritransfer.training.estimate import estimate
from napari_mritransfer.training.worker import Task
from napari_mritransfer.transfer.model import trainable_by_strategy
from napari_mritransfer.zoo.card import DEFAULT_MODEL
from napari_mritransfer.zoo.published import published_weights

Command = Mapping[str, Any]
Tell = Callable[[dict[str, Any]], None]
ShouldStop = Callable[[], bool]


def undersample(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Measure ``scan`` by ``sampling`` and write its zero-filled magnitude into the folder ``out``.

    Returns
    -------
    fields
        ``zero_filled`` is the path of a float32 ``(frame, slice, y, x)`` .npy on the scan's own matrix; ``lines`` the
        indices of the measured ones of ``n_lines``, line ``n_lines // 2`` being DC; where samples are scattered over
        the plane there are no lines, and ``plane`` is the path of the ``(ky, kx)`` bool .npy of them.
    """
    path, out = _text(command, "scan", "its path"), Path(_text(command, "out", "the path of a folder"))
    sampling = Sampling.from_record(command.get("sampling", {}))
    _refuse_folder(out, path)
    scan = load(path)
    measurement = sampling.measure(scan)
    image = magnitude(zero_filled(measurement), measurement)
    if should_stop():
        raise ReconstructionStopped
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "zero-filled.npy") as partial:
        np.save(partial, image, allow_pickle=False)
    mask, plane = measurement.mask, out / "mask.npy"
    if mask.is_plane:
        with replacing(plane) as partial:
            np.save(partial, mask.lines, allow_pickle=False)
    return {
        "zero_filled": str(out / "zero-filled.npy"),
        "lines": [] if mask.is_plane else np.flatnonzero(mask.lines).tolist(),
        "n_lines": 0 if mask.is_plane else len(mask.lines),
        "plane": str(plane) if mask.is_plane else None,
        "nominal_rate": mask.nominal_rate,
        "achieved_rate": mask.achieved_rate,
        "effective_rate": measurement.effective_rate,
        "acceleration": mask.acceleration,
        "phase_encode": measurement.phase_encode,
        "noise_sigma": measurement.noise_sigma,
        "description": measurement.describe_sampling(),
        "warnings": remarks(scan, sampling, measurement),
        "has_reference": measurement.reference is not None,
    }


def compare_methods(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Reconstruct one measurement of ``scan`` by ``methods`` and write the board into the folder ``out``.

    Runs that differ only in their seed are one method, unless ``merge_seeds`` is false.

    Returns
    -------
    fields
        See `study.board.write_board`.
    """
    path, out = _text(command, "scan", "its path"), Path(_text(command, "out", "the path of a folder"))
    names = command.get("methods")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise BadConfig("The command names no methods; give a list of names, such as 'zero-filled', and run folders.")
    sampling = Sampling.from_record(command.get("sampling", {}))
    if (peak := command.get("peak", Peak.VOLUME)) not in tuple(Peak):
        raise BadConfig(f"There is no peak called '{peak}'; choose one of: {', '.join(Peak)}.")
    device = _text(command, "device", "auto, cpu or cuda") if "device" in command else "auto"
    model = _text(command, "model", "its name") if "model" in command else DEFAULT_MODEL
    if not isinstance(merge_seeds := command.get("merge_seeds", True), bool):
        raise BadConfig(f"'merge_seeds' is {merge_seeds}; give true or false.")
    _refuse_folder(out, path)
    methods = resolve_methods(list(dict.fromkeys(names)), model, merge_seeds=merge_seeds)
    n_networks = sum(len(method.sources) for method in methods)
    n_done = 0

    def on_progress(method: str, done: int, total: int) -> None:
        nonlocal n_done
        n_done += 1
        text = f"{method}: slice {done} of {total}"
        tell({"event": "Progress", "text": text, "done": n_done, "total": total * n_networks})

    comparison = compare(
        path, methods, sampling, peak=Peak(peak), device=device, on_progress=on_progress, should_stop=should_stop
    )
    if should_stop():
        raise ReconstructionStopped
    n_slices = max(n_done, 1)
    tell({"event": "Progress", "text": "Writing the results", "done": n_slices, "total": n_slices})
    rate = comparison.measurement.mask.achieved_rate
    return write_board(comparison, out, title=f"{comparison.scan.name} at {rate:.1%}")


def export(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Copy the comparison in ``board`` to the folder ``to``, with the figure of the slice that is looked at.

    ``black`` (0 if absent) and ``white`` are its window, ``methods`` (all if absent) the names of those it shows.

    Returns
    -------
    fields
        ``files``: the names of what lies in ``to`` now.
    """
    board, to = (Path(_text(command, name, "the path of a folder")) for name in ("board", "to"))
    index, white = command.get("slice"), _number(command, "white")
    magnification = None if command.get("magnification") is None else _number(command, "magnification")
    if isinstance(index, bool) or not isinstance(index, int):
        raise BadConfig(f"'slice' is {index}; give the whole number of a slice, counted from 0.")
    black = _number(command, "black") if "black" in command else 0.0
    methods = command.get("methods")
    if methods is not None and not (isinstance(methods, list) and all(isinstance(name, str) for name in methods)):
        raise BadConfig(f"'methods' is {methods}; give a list of names of the board's methods.")
    if should_stop():
        raise ReconstructionStopped
    files = export_board(
        board, to, slice_index=index, white=white, black=black, magnification=magnification, methods=methods
    )
    return {"files": files}


def describe(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Title, architecture and size of ``model``, and how many of its parameters each strategy trains.

    Of published weights also ``training``, ``conventions`` and ``licence``, in words.
    """
    source = _text(command, "model", "its name, a run folder or a file")
    base = open_model(source)
    name = Path(source).name
    if base.card is not None:
        name = base.card.title if source == base.card.name else f"{name} (began as: {base.card.title})"
    parameters = trainable_by_strategy(base.network)
    total = sum(parameter.numel() for parameter in base.network.parameters())
    facts = {"title": name, "architecture": base.architecture, "parameters": parameters, "total": total}
    if entry := published_weights(source):
        facts |= {"title": entry.title, **{key: getattr(entry, key) for key in ("training", "conventions", "licence")}}
    return facts


def _text(command: Command, name: str, what: str) -> str:
    value = command.get(name)
    if not isinstance(value, str) or not value:
        raise BadConfig(f"The command has no '{name}'; give {what}.")
    return value


def _number(command: Command, name: str) -> float:
    value = command.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadConfig(f"'{name}' is {value}; give a number.")
    return float(value)


def _refuse_folder(out: Path, scan: str) -> None:
    """Before the work is done: a board must not land in a run or on top of the scan, which may be its reference."""
    if out.is_file():
        raise BadConfig(f"{out} is a file; choose a folder for the results.")
    if (out / "config.json").exists() or Path(scan).resolve().parent == out.resolve():
        raise BadConfig(f"{out} holds a run or the scan itself; choose another folder for the results.")


def _devices(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    return {"devices": devices()}


def _estimate(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    return asdict(estimate(FinetuneConfig.from_json(json.dumps(command.get("config"))), should_stop))


TASKS: Mapping[str, Task] = {
    "undersample": undersample,
    "compare": compare_methods,
    "export": export,
    "describe": describe,
    "devices": _devices,
    "estimate": _estimate,
}
