"""All fits of a comparison, one after the other; stopped or killed, what is done is not done again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.fit_result import FitResult
from napari_mritransfer.cohort.reuse.material import Material
from napari_mritransfer.cohort.reuse.model import SfcnFacts, save_sfcn
from napari_mritransfer.cohort.reuse.plan import Fit
from napari_mritransfer.cohort.reuse.record import FITS, NETWORKS
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.recon.stopped import ReconstructionStopped
from napari_mritransfer.training.work import NonFinite

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]


def all_fits(
    material: Material, fits: Sequence[Fit], out: Path, on_progress: OnProgress, should_stop: ShouldStop
) -> tuple[list[FitResult], dict[str, str]]:
    """Do all fits, or read what was done before; each is written down when it is done.

    Parameters
    ----------
    fits
        See `plan.plan`.
    out
        Folder of the re-use.
    on_progress, should_stop
        Told of every fit and step, and asked between them.

    Returns
    -------
    results
        Of every method that went through all its fits.
    failed
        Other methods, and why.

    Raises
    ------
    ReconstructionStopped
        If `should_stop` said so.
    """
    (out / FITS).mkdir(exist_ok=True)
    results: list[FitResult] = []
    failed: dict[str, str] = {}
    for done, fit in enumerate(fits):
        if fit.method in failed:
            continue
        path = out / FITS / f"{fit.key}.json"
        result = _read_fit(path, fit)
        if result is None:
            if should_stop():
                raise ReconstructionStopped
            what = _described(fit, material.config)
            on_progress(what, done, len(fits))

            def on_step(step: int, steps: int, what: str = what, done: int = done) -> None:
                on_progress(f"{what}, step {step} of {steps}", done, len(fits))

            try:
                result, network = material.fit(fit, on_step, should_stop)
            except NonFinite as error:
                failed[fit.method] = str(error)
                continue
            except torch.OutOfMemoryError:
                failed[fit.method] = "Memory ran out; choose a smaller batch or another device."
                continue
            if network is not None and fit.repeat == 0 and fit.size == 0:
                (out / NETWORKS).mkdir(exist_ok=True)
                own = material.model.facts
                facts = SfcnFacts(
                    network.head.label_of_outputs, network.head.bins, own.preparation, own.brain_only,
                    simulated=own.simulated or material.checked.cohort.simulated,
                    training={"method": fit.method, "fold": fit.fold, "scans": len(fit.train)},
                )  # fmt: skip
                save_sfcn(out / NETWORKS / f"{fit.key}.safetensors", network.network, network.settings, facts)
            write_text(path, result.as_json())
        results.append(result)
    return [result for result in results if result.method not in failed], failed


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
