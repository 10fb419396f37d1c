"""Networks look at scans: predictions, attention, maps and checks, written into a folder for viewers and people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mritransfer.cohort.attention import minus_mean, share_on
from napari_mritransfer.cohort.figures import PICTURE, attention_figure
from napari_mritransfer.cohort.grid import Grid, axis_of
from napari_mritransfer.cohort.known_truth import is_known_simulated, known_slices
from napari_mritransfer.cohort.looked_at import LookedAt, named_apart
from napari_mritransfer.cohort.model import CohortModel, open_cohort_model
from napari_mritransfer.cohort.prediction import SPREAD_IS, Prediction, predict
from napari_mritransfer.cohort.preparation import Preparation, Prepared, prepare, to_scan_grid
from napari_mritransfer.cohort.randomisation import randomise, stability
from napari_mritransfer.cohort.record import AttentionRecord, View, write_array, write_record
from napari_mritransfer.cohort.relevance import default_depth, relevance_of
from napari_mritransfer.cohort.sanity import ablate
from napari_mritransfer.cohort.side_by_side import common_grid, cut
from napari_mritransfer.cohort.slice_table import as_csv
from napari_mritransfer.io import Origin, Scan, load, save
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.export_folder import exporting
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.training.device import choose_device

TABLE = "slices.csv"

_EVERYONES = 0.1  # mean difference from the cohort's mean map, below which a map says little of this scan

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]


def attend(
    inputs: Sequence[LookedAt],
    models: Sequence[str | CohortModel],
    out: Path,
    *,
    with_map: bool = True,
    with_sanity: bool = False,
    slicing: str | None = None,
    device: str = "auto",
    seed: int = 0,
    warnings: Sequence[str] = (),
    on_progress: OnProgress = lambda text, done, total: None,
    should_stop: ShouldStop = lambda: False,
) -> AttentionRecord:
    """Let every network look at every scan, one volume in memory at a time.

    Parameters
    ----------
    inputs
        Scans; differences are taken from the first one.
    models
        What `open_cohort_model` takes, or opened ones.
    out
        New or empty folder, or that of an earlier look, which is replaced; complete or not at all.
    with_map
        Also relevance within the slices, as a map on the common grid and on the scan's own.
    with_sanity
        Also whether to believe it: ablation, shuffled weights, agreement of networks for the same label.
    slicing
        How to cut the scans; None for the way each network was trained.
    device
        See `choose_device`.
    seed
        Of dropout and checks.
    warnings
        What is known of the scans already, to stand before what is found.
    on_progress, should_stop
        Told what is being done, how many of how many looks are over; asked between groups of slices.

    Raises
    ------
    BadInput
        If a scan, a network and the grid do not go together, or `out` holds other files.
    ReconstructionStopped
        If `should_stop` said so; nothing was changed then.
    """
    if not inputs or not models:
        raise BadInput("There is nothing to look at, or nothing to look with; give a scan and a network at least.")
    found = [open_cohort_model(one) if isinstance(one, str) else one for one in models]
    opened = [cut(model, slicing) for model in _titled_apart({model.source: model for model in found}.values())]
    grid = common_grid(opened)
    look = _Look(opened, grid, choose_device(device), with_map, with_sanity, seed, on_progress, should_stop)
    with exporting(out) as partial:
        for one in named_apart(inputs):
            look.at(one, partial, len(inputs))
        record = AttentionRecord(
            str(out), look.simulated, grid.spacing_mm, grid.shape,
            tuple(tuple(row) for row in grid.affine.tolist()), tuple(dict.fromkeys(look.said)),
            tuple(dict.fromkeys([*warnings, *look.warnings])), tuple(dict.fromkeys(look.findings())), tuple(look.views),
        )  # fmt: skip
        on_progress("Writing the results", len(look.views), len(look.views))
        write_text(partial / TABLE, as_csv(look.views))
        attention_figure(record, partial, partial / PICTURE)
        write_record(record, partial)
    return record


def _titled_apart(models: Iterable[CohortModel]) -> list[CohortModel]:
    """The same; runs in folders of one name are called by their whole paths."""
    there = list(models)
    titles = [model.title for model in there]
    return [replace(model, title=model.source) if titles.count(model.title) > 1 else model for model in there]


class _Look:
    """What has been seen so far."""

    def __init__(
        self, models: Sequence[CohortModel], grid: Grid, device: torch.device, with_map: bool, with_sanity: bool,
        seed: int, on_progress: OnProgress, should_stop: ShouldStop,
    ) -> None:  # fmt: skip
        self.models, self.grid, self.device, self.seed = models, grid, device, seed
        self.with_map, self.with_sanity = with_map, with_sanity
        self.on_progress, self.should_stop = on_progress, should_stop
        self.views: list[View] = []
        self.said: list[str] = []
        self.warnings: list[str] = [note for model in models for note in model.notes]
        self.checks: list[str] = []
        self.placed: dict[tuple[Path, Preparation], NDArray[np.float64]] = {}  # where scans lie that were seen before
        self.simulated = any(model.facts.simulated for model in models)

    def at(self, one: LookedAt, folder: Path, n_inputs: int) -> None:
        """Every network at one scan."""
        if self.should_stop():
            raise ReconstructionStopped
        self.on_progress(f"Preparing {one.name}", len(self.views), n_inputs * len(self.models))
        scan = load(one.path)
        if is_known_simulated(one.version_of or one.path):
            scan = replace(scan, origin=Origin.SIMULATED)
        prepared: dict[Preparation, tuple[Prepared, str]] = {}
        alike: dict[tuple[str, str, str], list[NDArray[np.float64]]] = {}
        for model in self.models:
            how = model.facts.preparation
            if how not in prepared:
                ready = self._prepared(one, scan, how)
                prepared[how] = ready, f"{len(self.views):02d}-volume.npy"
                write_array(ready.array, folder / prepared[how][1])
                self.said += [sentence if n_inputs == 1 else f"{one.name}: {sentence}" for sentence in ready.said]
                self.simulated |= ready.simulated
            ready, volume = prepared[how]
            self.on_progress(f"{model.title} looks at {one.name}", len(self.views), n_inputs * len(self.models))
            depth = default_depth(model.network) if self.with_map else 0
            prediction = predict(
                model, ready, depth=depth, seed=self.seed, device=self.device, should_stop=self.should_stop
            )
            view = self._view(model, prediction, one, volume)
            view = replace(view, map=self._map(model, prediction, ready, scan, folder) if self.with_map else None)
            if self.with_sanity:
                view = self._checked(view, model, prediction, ready)
            self._warn(view, model, ready)
            self.views.append(view)
            alike.setdefault((view.label, view.slicing, view.kind), []).append(prediction.relative)
        for (label, _, _), maps in alike.items():
            if self.with_sanity and (agreement := stability(maps)) is not None:
                self.checks.append(agreement.sentence(label, one.name))

    def _prepared(self, one: LookedAt, scan: Scan, how: Preparation) -> Prepared:
        """On the grid; a reconstruction where its reference lies, whose own middle would differ by its errors."""
        key = one.version_of or one.path, how
        place = self.placed.get(key)
        if place is None:
            ready = prepare(scan, how)
            self.placed[key] = ready.to_grid
            return ready
        there = replace(scan, affine=self.grid.affine @ place, sides_known=True)
        return prepare(there, replace(how, placement="world"))

    def findings(self) -> list[str]:
        """What was found, in sentences."""
        found = []
        if any(view.spread is not None for view in self.views):
            found.append(SPREAD_IS)
        for model in dict.fromkeys(view.model for view in self.views):
            others = [view for view in self.views if view.model == model and view.difference is not None]
            first = next(view for view in self.views if view.model == model)
            if others:
                differences = ", ".join(f"{view.input} {view.difference_text}" for view in others)
                found.append(f"{first.title}, from its {first.prediction_text} on {first.input}: {differences}.")
        found += [f"{view.name}: {view.sentence}" for view in self.views if view.sentence]
        return found + self.checks

    def _view(self, model: CohortModel, prediction: Prediction, one: LookedAt, volume: str) -> View:
        label, network, facts = model.label, model.network, model.facts
        first = next((view for view in self.views if view.model == model.source), None)
        difference = None if first is None else prediction.number - first.prediction
        mean = facts.mean_attention if len(facts.mean_attention) == network.n_slices else None
        own = None if mean is None else minus_mean(prediction.relative, mean, prediction.present)
        truth = known_slices(one.version_of or one.path, label.name, network.slicing, self.grid)
        share = None if truth is None else share_on(prediction.weights, truth, prediction.present)
        signed, heads = prediction.shares.signed, prediction.shares.heads
        return View(
            name=one.name if len(self.models) == 1 else f"{one.name}, {model.title}",
            input=one.name, source_path=str(one.path), model=model.source, title=model.title,
            label=label.name, unit=label.unit, task=label.task, classes=label.classes or None,
            prediction=prediction.number, prediction_text=prediction.text,
            spread=prediction.spread, spread_text=prediction.spread_text, expected_error=facts.expected_error,
            difference=difference, difference_text="" if difference is None else label.difference_text(difference),
            slicing=network.slicing, kind=prediction.kind,
            weights=_numbers(prediction.weights), relative=_numbers(prediction.relative),
            effective_slices=prediction.effective_slices,
            mean_relative=mean, relative_minus_mean=None if own is None else _numbers(own),
            present=tuple(bool(there) for there in prediction.present),
            positions_mm=_numbers(self.grid.positions_mm(network.slicing)),
            changed=None if truth is None else tuple(bool(mark) for mark in truth),
            volume=volume, map=None,
            contributions=None if signed is None else _numbers(signed),
            heads=None if heads is None else tuple(_numbers(head) for head in heads),
            share_on_changed=None if share is None else share[0], by_chance=None if share is None else share[1],
        )  # fmt: skip

    def _map(
        self, model: CohortModel, prediction: Prediction, ready: Prepared, scan: Scan, folder: Path
    ) -> str:
        """Write the map three times; the name of the one that viewers read."""
        found = relevance_of(model.network, prediction, should_stop=self.should_stop)
        self.warnings += [f"{model.title} on {ready.name}: {sentence}" for sentence in found.sentences]
        stem = f"{len(self.views):02d}-map"
        origin = Origin.SIMULATED if ready.simulated or model.facts.simulated else Origin.MAGNITUDE
        write_array(found.map, folder / f"{stem}.npy")
        save(Scan.from_file_order(found.map, self.grid.affine, origin=origin, name=stem), folder / f"{stem}.nii.gz")
        on_scan = scan.with_image(to_scan_grid(found.map, ready), origin=origin)
        save(on_scan, folder / f"{stem}-on-scan.nii.gz")
        return f"{stem}.npy"

    def _checked(self, view: View, model: CohortModel, prediction: Prediction, ready: Prepared) -> View:
        self.on_progress(f"Checking the map of {view.name}", len(self.views), len(self.views) + 1)
        others = tuple(axis for axis in range(3) if axis != axis_of(view.slicing))
        ablation = ablate(model, prediction, ready.tissue.sum(axis=others), seed=self.seed)
        if self.should_stop():
            raise ReconstructionStopped
        shuffled = randomise(model, prediction, ready.array, seed=self.seed, should_stop=self.should_stop)
        self.checks.append(f"{view.name}: {shuffled.sentence}")
        sanity = {"randomised": shuffled.as_record()} | ({} if ablation is None else ablation.as_record())
        return replace(view, sanity=sanity, sentence="" if ablation is None else ablation.sentence(model, view.kind))

    def _warn(self, view: View, model: CohortModel, ready: Prepared) -> None:
        if model.facts.simulated and not ready.simulated:
            self.warnings.append(
                f"{model.title} learned from simulated scans: what it says of a real one, as {view.input} is, means "
                "nothing."
            )
        if view.relative_minus_mean is not None and np.abs(view.relative_minus_mean).mean() < _EVERYONES:
            self.warnings.append(
                f"{view.name}: the map is nearly the cohort's mean, which everyone gets; it says little of this scan."
            )


def _numbers(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
