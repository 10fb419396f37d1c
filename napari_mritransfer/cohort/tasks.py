"""What the worker process does with networks that predict; see `study.tasks` for what a task is."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_mritransfer.cohort.attend import attend
from napari_mritransfer.cohort.looked_at import LookedAt, of_comparison
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.look import look
from napari_mritransfer.cohort.reuse.model import open_sfcn
from napari_mritransfer.cohort.reuse.relevance import map_of_subject
from napari_mritransfer.cohort.reuse.run import reuse
from napari_mritransfer.cohort.reuse.wording import sentence
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


def reuse_task(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Compare ways to re-use a network as ``config`` says, into the folder ``out``; what lies there is not done again.

    Returns
    -------
    fields
        ``out``, and ``sentence``: the result in words.
    """
    config, out = _reuse_config(command), Path(_text(command, "out", "the path of a folder"))
    record = reuse(config, out, on_progress=_teller(tell), should_stop=should_stop)
    return {"out": str(out), "sentence": sentence(record)}


def look_task(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """Check the cohort of ``config`` and picture its scans, into the folder ``out``, see `reuse.look`."""
    config, out = _reuse_config(command), Path(_text(command, "out", "the path of a folder"))
    facts = open_sfcn(config.model, **config.told).facts
    found = look(
        config, facts.preparation, out, brain_only=facts.brain_only, on_progress=_teller(tell), should_stop=should_stop
    )
    return {"out": str(out), "may_run": found.may_run}


def map_task(command: Command, tell: Tell, should_stop: ShouldStop) -> dict[str, Any]:
    """The relevance map of ``subject`` and ``session`` by ``method`` in the re-use in ``folder``, into ``out``.

    Returns
    -------
    fields
        ``map`` and ``image``: paths of NIfTI files on one grid.
    """
    folder, out = (Path(_text(command, name, "the path of a folder")) for name in ("folder", "out"))
    session = command.get("session", "")
    found, image = map_of_subject(
        folder, _text(command, "subject", "whose scan it is"), session if isinstance(session, str) else "",
        _text(command, "method", "a method's name"), out, should_stop,
    )  # fmt: skip
    return {"map": str(found), "image": str(image)}


def _reuse_config(command: Command) -> ReuseConfig:
    return ReuseConfig.from_json(json.dumps(command.get("config")))


def _teller(tell: Tell) -> Callable[[str, int, int], None]:
    return lambda text, done, total: tell({"event": "Progress", "text": text, "done": done, "total": total})


TASKS: Mapping[str, Task] = {"attend": attend_task}
"""For `training.worker.serve`, beside those of `study.tasks`."""

SLOW_TASKS: Mapping[str, Task] = {"reuse": reuse_task, "reuse-look": look_task, "reuse-map": map_task}
"""Likewise, for those that may take hours and wait for jobs."""
