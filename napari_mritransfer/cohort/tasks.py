"""What the worker process does with networks that predict; see `study.tasks` for what a task is."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.attend import attend
from napari_mritransfer.cohort.looked_at import LookedAt, of_comparison
from napari_mritransfer.cohort.undersampled import undersample_and_attend
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.worker import Task
from napari_mritransfer.zoo.card import DEFAULT_MODEL

Command = Mapping[str, Any]
Tell = Callable[[dict[str, Any]], None]
ShouldStop = Callable[[], bool]


def attend_task(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Let ``models`` look at ``inputs``, or at what the comparison in ``board`` shows, and write it into ``out``.

    ``inputs`` is a list of ``{"name": …, "path": …}``; ``map`` (true if absent), ``sanity`` (false), ``slicing``,
    ``device`` and ``seed`` are those of `attend.attend`. With a ``scan`` instead, it is undersampled by ``sampling``,
    reconstructed by ``methods`` and looked at, see `undersampled`; the record's own ``out`` tells where it lies.

    Returns
    -------
    fields
        See `record.AttentionRecord`.
    """
    out, models = Path(_text(command, "out", "the path of a folder")), command.get("models")
    if not isinstance(models, list) or not models or not all(isinstance(one, str) and one for one in models):
        raise BadConfig("The command names no models; give a list of names, run folders or files.")
    slicing = command.get("slicing")
    if slicing is not None and not isinstance(slicing, str):
        raise BadConfig(f"'slicing' is {slicing}; give sagittal, coronal, axial or nothing.")
    seed = command.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadConfig(f"'seed' is {seed}; give a whole number of at least 0.")

    def on_progress(text: str, done: int, total: int) -> None:
        tell({"event": "Progress", "text": text, "done": done, "total": total})

    with_map, with_sanity = _switch(command, "map", True), _switch(command, "sanity", False)
    device = _text(command, "device", "auto, cpu or cuda") if "device" in command else "auto"
    if "scan" in command:
        methods = command.get("methods")
        if not isinstance(methods, list) or not methods or not all(isinstance(one, str) and one for one in methods):
            raise BadConfig("The command names no methods; give a list of names, such as 'zero-filled'.")
        return undersample_and_attend(
            _text(command, "scan", "its path"), methods, Sampling.from_record(command.get("sampling", {})), models, out,
            pretrained=_text(command, "model", "its name") if "model" in command else DEFAULT_MODEL,
            with_map=with_map, with_sanity=with_sanity, slicing=slicing, device=device, seed=seed,
            on_progress=on_progress, should_stop=should_stop,
        ).as_record()  # fmt: skip
    return attend(
        _inputs(command), models, out, with_map=with_map, with_sanity=with_sanity, slicing=slicing, device=device,
        seed=seed, on_progress=on_progress, should_stop=should_stop,
    ).as_record()  # fmt: skip


def _inputs(command: Command) -> list[LookedAt]:
    if "board" in command:
        return of_comparison(Path(_text(command, "board", "the path of a folder")))
    inputs = command.get("inputs")
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise BadConfig("The command names no scans; give 'inputs', a list of names and paths, or a 'board'.")
    return [
        LookedAt(_text(one, "name", "what people call the scan"), Path(_text(one, "path", "the scan's path")))
        for one in inputs
    ]


def _text(command: Command, name: str, what: str) -> str:
    value = command.get(name)
    if not isinstance(value, str) or not value:
        raise BadConfig(f"The command has no '{name}'; give {what}.")
    return value


def _switch(command: Command, name: str, default: bool) -> bool:
    if not isinstance(value := command.get(name, default), bool):
        raise BadConfig(f"'{name}' is {value}; give true or false.")
    return value


TASKS: Mapping[str, Task] = {"attend": attend_task}
"""For `training.worker.serve`, beside those of `study.tasks`."""
