"""What a comparison compares: zero-filled, the network before transfer, and runs, told apart by what they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from napari_mritransfer.recon.classical_menu import CLASSICAL
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.rundir import RunDirectory

ZERO_FILLED = "zero-filled"
PRETRAINED = "pretrained"
_CLASSICAL = tuple(row.name for row in CLASSICAL)
REFERENCE = "reference"  # what the fully sampled image is called beside the methods, so none may be


@dataclass(frozen=True, slots=True)
class Method:
    """One column of the board.

    Attributes
    ----------
    name
        What stands above it: zero-filled, pretrained, a strategy, or a model's name.
    sources
        Models to reconstruct with (see `training.checkpoint.open_model`), one per seed; none for zero-filled and
        classical methods.
        The first is shown, the others tell the spread over seeds.
    config
        Of the first run, where the method is one.
    classical
        Name in `recon.classical_menu` of a method that solves for the image without a network; empty for others.
    was_trained
        Whether chance had a part in it: a run, or a file that may come from one. The networks of the zoo and the one
        that all runs started from are what they are.
    """

    name: str
    sources: tuple[str, ...] = ()
    config: FinetuneConfig | None = None
    was_trained: bool = False
    classical: str = ""


def resolve_methods(names: Sequence[str], default_model: str, *, merge_seeds: bool = True) -> tuple[Method, ...]:
    """Methods from what a user typed: ``zero-filled``, ``pretrained``, classical ones, zoo names, files, run folders.

    Runs that differ only in their seed become one method, or one each without `merge_seeds`. ``pretrained`` is the
    model that the first run started from, or `default_model` without runs. Names that would appear twice get their
    seed added where nothing else differs, and otherwise their path.

    Raises
    ------
    BadConfig
        If a directory holds no readable run, or runs of different models are to be set against ``pretrained``.
    """
    configs = {name: RunDirectory(Path(name)).config() for name in names if Path(name).is_dir()}
    origins = sorted({config.model for config in configs.values()})
    if PRETRAINED in names and len(origins) > 1:
        raise BadConfig(
            f"These runs started from different models ({', '.join(origins)}), so there is no one pretrained network; "
            "name the models instead of 'pretrained'."
        )
    origin = origins[0] if origins else default_model
    methods: list[Method] = []
    for name in names:
        if name == ZERO_FILLED:
            methods.append(Method(ZERO_FILLED))
        elif name == PRETRAINED:
            methods.append(Method(PRETRAINED, (origin,)))
        elif name in _CLASSICAL:
            methods.append(Method(name, classical=name))
        elif name in configs:
            index = _same_but_for_seed(methods, configs, name) if merge_seeds else None
            if index is None:
                methods.append(Method(configs[name].strategy, (name,), configs[name], was_trained=True))
            else:
                methods[index] = replace(methods[index], sources=(*methods[index].sources, name))
        else:
            is_file = bool(Path(name).suffix)
            title = Path(name).stem if is_file else name
            if title == REFERENCE:
                title = Path(name).name
            methods.append(Method(title, (name,), was_trained=is_file))
    return tuple(_told_apart(_told_by_seed(methods)))


def _told_by_seed(methods: list[Method]) -> list[Method]:
    """Add the seed to the names of runs that differ in nothing else."""
    told = []
    for method in methods:
        alike = [other for other in methods if other.name == method.name]
        configs = [other.config for other in alike if other.config is not None and len(other.sources) == 1]
        seeds = {config.seed for config in configs}
        is_clear = len(alike) == len(configs) == len(seeds) > 1
        if method.config is not None and is_clear and all(_differ_in_seed(method.config, one) for one in configs):
            told.append(replace(method, name=f"{method.name}, seed {method.config.seed}"))
        else:
            told.append(method)
    return told


def _told_apart(told: list[Method]) -> list[Method]:
    """Add as much of the path as it takes to make every name unique."""
    depth = 1
    while len({method.name for method in told}) < len(told) and depth < 20:
        names = [method.name for method in told]
        told = [
            replace(method, name=f"{method.name.split(' (')[0]} ({'/'.join(Path(method.sources[0]).parts[-depth:])})")
            if names.count(method.name) > 1 and method.sources
            else method
            for method in told
        ]
        depth += 1
    return told


def _same_but_for_seed(methods: Sequence[Method], configs: Mapping[str, FinetuneConfig], folder: str) -> int | None:
    """Index of the method that a run is one more seed of. The same seed again is no new sample of chance."""
    config = configs[folder]
    for index, method in enumerate(methods):
        if method.config is not None and _differ_in_seed(method.config, config):
            seeds = {configs[source].seed for source in method.sources}
            if config.seed not in seeds:
                return index
    return None


def _differ_in_seed(one: FinetuneConfig, other: FinetuneConfig) -> bool:
    """Whether the seed is all that may differ, that of the masks it is validated with included."""
    same_masks = replace(one.pattern, seed=other.pattern.seed)
    return replace(one, seed=other.seed, pattern=same_masks) == other
