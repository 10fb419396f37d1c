"""Re-use a network on a cohort: check, look, fit, score, write down; stopped or killed, the same call goes on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from napari_mritransfer.cohort.brain import check_brain
from napari_mritransfer.cohort.checks import CheckedCohort, Problem, Severity, refuse
from napari_mritransfer.cohort.crop import cropped
from napari_mritransfer.cohort.data import label_of
from napari_mritransfer.cohort.preparation import prepare
from napari_mritransfer.cohort.reuse.catalogue import ReuseMethod, reuse_method
from napari_mritransfer.cohort.reuse.chance import permutation_scores
from napari_mritransfer.cohort.reuse.classical import gram
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.features import Examined, FeatureCache, features_of, hash_of
from napari_mritransfer.cohort.reuse.fits import all_fits
from napari_mritransfer.cohort.reuse.head import is_same_label, outside
from napari_mritransfer.cohort.reuse.look import (
    CHECKS,
    THUMBNAILS,
    cannot_be_prepared,
    check_for_reuse,
    small_size,
    with_sizes,
    write_look,
)
from napari_mritransfer.cohort.reuse.material import Material, needs_volumes, values_of
from napari_mritransfer.cohort.reuse.model import SfcnModel, class_order, open_sfcn
from napari_mritransfer.cohort.reuse.outcome import write_outcome
from napari_mritransfer.cohort.reuse.plan import kept_together, lacking, outer_folds, plan
from napari_mritransfer.cohort.reuse.record import CONFIG, FINGERPRINT, ReuseRecord
from napari_mritransfer.cohort.table import CohortScan
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lock import locked
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
    on_checked: Callable[[CheckedCohort], None] = lambda checked: None,
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
    on_checked
        Told what was found before anything learns, also where it is refused then.

    Raises
    ------
    BadInput
        If the table, the network and the settings do not work together; the problems lie in ``checks.json`` then.
    ReconstructionStopped
        If `should_stop` said so; what was done is kept.
    """
    is_new = _claim(config, out)
    try:
        with locked(out):
            model = open_sfcn(config.model, **config.told)
            rows = [reuse_method(name) for name in config.methods]
            material = _material(config, model, rows, out, cache, on_progress, on_checked, should_stop)
            left_out = _left_out(material, rows)
            _refuse_none(left_out, rows)
            _refuse_others(material, out)
            fits = [fit for fit in plan(material.checked, config) if fit.method not in left_out]
            results, failed = all_fits(material, fits, out, on_progress, should_stop)
            left_out |= failed
            _refuse_none(left_out, rows)
            fits = [fit for fit in fits if fit.method not in failed]
            chance = permutation_scores(material, fits, results, out, on_progress, should_stop)
            on_progress("Writing the results", len(fits), len(fits))
            return write_outcome(material, results, chance, left_out, _warnings(material), out)
    except BadInput:
        if is_new and not (out / FINGERPRINT).is_file():  # a mistake in the settings must not use up the folder
            (out / CONFIG).unlink(missing_ok=True)
        raise


def _refuse_none(left_out: Mapping[str, str], rows: Sequence[ReuseMethod]) -> None:
    if len(left_out) == len(rows):
        raise BadInput(f"None of the methods can run: {next(iter(left_out.values()))}")


def _claim(config: ReuseConfig, out: Path) -> bool:
    """Make the folder this re-use's own; whether it was nobody's before."""
    path = out / CONFIG
    if path.is_file() and (out / FINGERPRINT).is_file():
        if ReuseConfig.from_json(path.read_text(encoding="utf-8")) != config:
            raise BadConfig(f"{out} holds a re-use with other settings; choose a new folder.")
        return False
    # hidden files, and those of a look at the cohort, do not make a folder anybody's
    there = [one.name for one in out.iterdir() if not one.name.startswith(".")] if out.exists() else []
    others = [name for name in there if name not in (CHECKS, THUMBNAILS, CONFIG)]
    if others:
        raise BadConfig(f"{out} holds other files, such as {others[0]}; choose a new folder for the results.")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, config.as_json())
    return True


def _material(
    config: ReuseConfig, model: SfcnModel, rows: Sequence[ReuseMethod], out: Path, cache_folder: Path | None,
    on_progress: OnProgress, on_checked: Callable[[CheckedCohort], None], should_stop: ShouldStop,
) -> Material:  # fmt: skip
    """Everybody looked at once: from the cache where it knows a scan and no method needs its volume."""
    wants_volumes = any(needs_volumes(row, config) for row in rows)
    cache = FeatureCache(model, check_brains=config.check_brains, folder=cache_folder)
    device = choose_device(config.device)
    features: dict[CohortScan, np.ndarray] = {}
    volumes: dict[CohortScan, np.ndarray] = {}
    said: dict[CohortScan, tuple[str, ...]] = {}
    sizes: list[float | None] = []
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
                finding = check_brain(prepared) if checks else None
                if finding is None or finding.is_fine:
                    small = None if finding is None else small_size(finding)
                    known = Examined(features_of(model, volume, device), said=prepared.said, small=small)
                else:
                    known = Examined(None, finding.kind, finding.sentence, prepared.said)
                cache.put(image, known)
            if wants_volumes and known.features is not None:
                volumes[scan] = volume.astype(np.float16)
                _check_memory(len(volumes), volume.size)
        if known.features is None:
            return Problem.leaving_out(scan, known.kind, known.sentence)
        features[scan] = known.features
        said[scan] = known.said
        sizes.append(known.small)
        return None

    checked = check_for_reuse(
        config, model.facts.preparation, examine, on_progress=on_progress, should_stop=should_stop
    )
    checked = with_sizes(checked, sizes)
    write_look(checked, out)
    on_checked(checked)
    refuse(checked)
    label = label_of(checked, checked.scans)
    values = values_of(checked, label)
    if config.bins is not None and label.task == "regression" and not config.bins.holds(values).any():
        raise BadInput(
            f"No '{label.name}' lies within the bins, {config.bins.start:g} to {config.bins.stop:g}; choose others."
        )
    block = np.stack([volumes[scan] for scan in checked.scans]) if wants_volumes else None
    products = None
    if block is not None and any(row.kind == "classical" for row in rows):
        products = gram(block)
    return Material(
        config, checked, label, model, values,
        np.array(kept_together(checked)),
        np.stack([features[scan] for scan in checked.scans]).astype(np.float64),
        None if block is None else torch.from_numpy(block)[:, None], products, said, str(device),
    )  # fmt: skip


def _refuse_others(material: Material, out: Path) -> None:
    """Fits that were done before are of the same scans, labels and network, or the folder is another one's."""
    digest = hashlib.sha256(material.model.sha256.encode())
    # images by their files and not by their features, which another device computes a little differently
    for scan in material.checked.scans:
        assert scan.path is not None
        digest.update(f"{scan.subject}|{scan.session}|{hash_of(scan.path)}|".encode())
    digest.update(material.y.tobytes())
    digest.update(repr([(fold.train, fold.test) for fold in outer_folds(material.checked, material.config)]).encode())
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
    found = [one.named for one in material.checked.problems if one.severity is not Severity.STOPS]
    found += lacking(material.checked, outer_folds(material.checked, config))
    if "direct" in config.methods and model.facts.bins is not None and is_same_label(model.label, label):
        found.append(outside(model.facts.bins, material.y, label, "the network as it is"))
    if config.bins is not None and label.task == "regression":
        found.append(outside(config.bins, material.y, label, "a network with the bins that were asked for"))
    if model.facts.simulated:
        found.append("The network learned from simulated scans: it knows nothing of people.")
    if material.checked.cohort.simulated:
        found.append("The scans are simulated: nobody was scanned.")
    if model.facts.brain_only and not config.check_brains:
        found.append("Nobody checked whether the scans show brains in MNI space, which the network expects.")
    return tuple(dict.fromkeys(one for one in found if one))
