"""Re-use a network on a cohort: check, look, fit, score, write down; stopped or killed, the same call goes on."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from napari_mritransfer.cohort.checks import Problem, Severity, refuse
from napari_mritransfer.cohort.crop import cropped
from napari_mritransfer.cohort.data import label_of
from napari_mritransfer.cohort.preparation import prepare
from napari_mritransfer.cohort.reuse.catalogue import ReuseMethod, reuse_method
from napari_mritransfer.cohort.reuse.chance import permutation_scores
from napari_mritransfer.cohort.reuse.classical import gram
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.features import Examined, FeatureCache, features_of
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.head import is_same_label, outside
from napari_mritransfer.cohort.reuse.look import (
    CHECKS,
    THUMBNAILS,
    brain_problem,
    cannot_be_prepared,
    check_for_reuse,
    write_look,
)
from napari_mritransfer.cohort.reuse.material import Material, needs_volumes, values_of
from napari_mritransfer.cohort.reuse.model import SfcnFacts, SfcnModel, class_order, open_sfcn, save_sfcn
from napari_mritransfer.cohort.reuse.outcome import write_outcome
from napari_mritransfer.cohort.reuse.plan import Fit, kept_together, lacking, outer_folds, plan
from napari_mritransfer.cohort.reuse.record import CONFIG, FINGERPRINT, FITS, NETWORKS, ReuseRecord
from napari_mritransfer.cohort.table import CohortScan
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lock import locked
from napari_mritransfer.recon.stopped import ReconstructionStopped
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.device import choose_device

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]

_MOST_BYTES = 12 * 2**30


def reuse(
    config: ReuseConfig,
    out: Path,
    *,
    cache: Path | None = None,
    on_progress: OnProgress = lambda text, done, total: None,
    should_stop: ShouldStop = lambda: False,
) -> ReuseRecord:
    """Compare ways to re-use a pretrained network on the same folds of a cohort.

    Parameters
    ----------
    config
        The comparison.
    out
        A new or empty folder, or that of the same comparison, which then goes on: every fit is written down when it is
        done, and not done again.
    cache
        Folder of features that were computed before; beside the fetched weights if omitted.
    on_progress, should_stop
        Told what is being done, and how much of how much is over; asked between scans and steps.

    Raises
    ------
    BadInput
        If the table, the network and the settings do not work together; the problems lie in ``checks.json`` then.
    ReconstructionStopped
        If `should_stop` said so; what was done is kept.
    """
    _claim(config, out)
    with locked(out):
        model = open_sfcn(config.model, **config.told)
        rows = [reuse_method(name) for name in config.methods]
        material, said = _material(config, model, rows, out, cache, on_progress, should_stop)
        _refuse_others(material, out)
        left_out = _left_out(material, rows)
        if len(left_out) == len(rows):
            raise BadInput(f"None of the methods can run: {next(iter(left_out.values()))}")
        fits = [fit for fit in plan(material.checked, config) if fit.method not in left_out]
        results = _all_fits(material, fits, out, on_progress, should_stop)
        chance = permutation_scores(material, fits, results, out, on_progress, should_stop)
        on_progress("Writing the results", len(fits), len(fits))
        return write_outcome(material, results, chance, left_out, said, _warnings(material), out)


def _claim(config: ReuseConfig, out: Path) -> None:
    path = out / CONFIG
    if path.is_file():
        if ReuseConfig.from_json(path.read_text(encoding="utf-8")) != config:
            raise BadConfig(f"{out} holds a re-use with other settings; choose a new folder.")
        return
    # hidden files, and those of a look at the cohort, do not make a folder anybody's
    there = [one.name for one in out.iterdir() if not one.name.startswith(".")] if out.exists() else []
    others = [name for name in there if name not in (CHECKS, THUMBNAILS)]
    if others:
        raise BadConfig(f"{out} holds other files, such as {others[0]}; choose a new folder for the results.")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, config.as_json())


def _material(
    config: ReuseConfig, model: SfcnModel, rows: Sequence[ReuseMethod], out: Path, cache_folder: Path | None,
    on_progress: OnProgress, should_stop: ShouldStop,
) -> tuple[Material, tuple[str, ...]]:  # fmt: skip
    """Everybody looked at once: from the cache where it knows a scan and no method needs its volume."""
    wants_volumes = any(needs_volumes(row, config) for row in rows)
    cache = FeatureCache(model, check_brains=config.check_brains, folder=cache_folder)
    device = choose_device(config.device)
    features: dict[CohortScan, np.ndarray] = {}
    volumes: dict[CohortScan, np.ndarray] = {}
    said: dict[str, None] = dict.fromkeys(model.notes)
    grid = model.network.grid

    def examine(scan: CohortScan, image: Path) -> Problem | None:
        known = cache.get(image)
        if known is None or (wants_volumes and known.features is not None):
            try:
                prepared = prepare(image, model.facts.preparation)
                volume = cropped(prepared.array, grid)
            except BadInput as error:
                return cannot_be_prepared(scan, error)
            if known is None:
                checks = model.facts.brain_only and config.check_brains
                problem = brain_problem(scan, prepared) if checks else None
                known = (
                    Examined(features_of(model, volume, device), said=prepared.said) if problem is None
                    else Examined(None, problem.kind, problem.sentence, prepared.said)
                )  # fmt: skip
                cache.put(image, known)
            if wants_volumes and known.features is not None:
                volumes[scan] = volume.astype(np.float16)
                _check_memory(len(volumes), volume.size)
        if known.features is None:
            return Problem.leaving_out(scan, known.kind, known.sentence)
        features[scan] = known.features
        said.update(dict.fromkeys(known.said) if len(features) == 1 else {})
        return None

    checked = check_for_reuse(
        config, model.facts.preparation, examine, on_progress=on_progress, should_stop=should_stop
    )
    write_look(checked, out)
    refuse(checked)
    label = label_of(checked, checked.scans)
    block = np.stack([volumes[scan] for scan in checked.scans]) if wants_volumes else None
    products = None
    if block is not None and any(row.kind == "classical" for row in rows):
        products = gram(block)
    return Material(
        config, checked, label, model, values_of(checked, label),
        np.array(kept_together(checked)),
        np.stack([features[scan] for scan in checked.scans]).astype(np.float64),
        None if block is None else torch.from_numpy(block)[:, None], products,
    ), tuple(said)  # fmt: skip


def _refuse_others(material: Material, out: Path) -> None:
    """Fits that were done before are of the same scans, labels and network, or the folder is another one's."""
    digest = hashlib.sha256(material.model.sha256.encode())
    digest.update("|".join(f"{scan.subject} {scan.session}" for scan in material.checked.scans).encode())
    digest.update(material.y.tobytes() + material.features.astype(np.float32).round(3).tobytes())
    path, own = out / FINGERPRINT, digest.hexdigest()
    if path.is_file() and path.read_text(encoding="ascii") != own:
        raise BadInput(
            f"The table, the scans or the network changed since the re-use in {out.name} began; choose a new folder."
        )
    write_text(path, own)


def _check_memory(scans: int, voxels: int) -> None:
    if 2 * scans * voxels > _MOST_BYTES:
        raise BadInput(
            f"More than {scans} scans do not fit into memory at once; choose methods on features, or fewer scans."
        )


def _left_out(material: Material, rows: Sequence[ReuseMethod]) -> dict[str, str]:
    """Methods that cannot predict this label, and why."""
    label, own = material.label, material.model.label
    found = {}
    for row in rows:
        if label.task not in row.tasks:
            found[row.name] = f"{row.label} predicts {'classes' if label.task == 'regression' else 'numbers'} only."
        elif row.kind == "direct" and not is_same_label(own, label):
            found[row.name] = f"The network predicts '{own.name}', not '{label.name}'."
        elif row.kind == "direct" and label.task != "regression" and class_order(own, label.classes) is None:
            found[row.name] = (
                f"The network's classes are {', '.join(own.classes)}, the table's {', '.join(label.classes)}; "
                "write them alike."
            )
    return found


def _warnings(material: Material) -> tuple[str, ...]:
    """What casts doubt on the results."""
    config, model, label = material.config, material.model, material.label
    found = [one.sentence for one in material.checked.problems if one.severity is not Severity.STOPS]
    found += lacking(material.checked, outer_folds(material.checked, config))
    if "direct" in config.methods and model.facts.bins is not None and is_same_label(model.label, label):
        found.append(outside(model.facts.bins, material.y, label))
    if model.facts.simulated:
        found.append("The network learned from simulated scans: it knows nothing of people.")
    if material.checked.cohort.simulated:
        found.append("The scans are simulated: nobody was scanned.")
    if model.facts.brain_only and not config.check_brains:
        found.append("Nobody checked whether the scans show brains in MNI space, which the network expects.")
    return tuple(dict.fromkeys(one for one in found if one))


def _all_fits(
    material: Material, fits: Sequence[Fit], out: Path, on_progress: OnProgress, should_stop: ShouldStop
) -> list[FitResult]:
    (out / FITS).mkdir(exist_ok=True)
    results = []
    for done, fit in enumerate(fits):
        path = out / FITS / f"{fit.key}.json"
        result = _read_fit(path, fit)
        if result is None:
            if should_stop():
                raise ReconstructionStopped
            what = _described(fit, material.config)
            on_progress(what, done, len(fits))

            def on_step(step: int, steps: int, what: str = what, done: int = done) -> None:
                on_progress(f"{what}, step {step} of {steps}", done, len(fits))

            result, network = material.fit(fit, on_step, should_stop)
            if network is not None and fit.repeat == 0 and fit.size == 0:
                (out / NETWORKS).mkdir(exist_ok=True)
                own = material.model.facts
                facts = SfcnFacts(
                    network.head.label, network.head.bins, own.preparation, own.brain_only,
                    simulated=own.simulated or material.checked.cohort.simulated,
                    training={"method": fit.method, "fold": fit.fold, "scans": len(fit.train)},
                )  # fmt: skip
                save_sfcn(out / NETWORKS / f"{fit.key}.safetensors", network.network, network.settings, facts)
            write_text(path, result.as_json())
        results.append(result)
    return results


def _read_fit(path: Path, fit: Fit) -> FitResult | None:
    """What was written down before, unless it is damaged or of other rows: the table may have changed since."""
    try:
        result = FitResult.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result if result.rows == fit.test and result.learned_from == len(fit.train) else None


def _described(fit: Fit, config: ReuseConfig) -> str:
    where = f"without site {fit.site}" if fit.site else f"fold {fit.fold + 1} of {config.folds}"
    again = f", repeat {fit.repeat + 1} of {config.repeats}" if config.repeats > 1 and not fit.site else ""
    size = f", {fit.size} to learn from" if fit.size else ""
    return f"{reuse_method(fit.method).label}: {where}{again}{size}"
