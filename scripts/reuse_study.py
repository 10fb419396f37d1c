"""Does re-use pay, and only with the right label? The study behind docs/results.md, on simulated cohorts.

A big source study (heads patient01, patient04 and studyforrest at sites A and B) teaches networks age, disease and
asymmetry. Small target studies (another head, patient03, at site C) re-use each of them for each label. 80 further
subjects of that head test, and 80 of a head that nobody learned from or chose by (patient12).

Call it as ``python scripts/reuse_study.py --out FOLDER``; ``--part 0/2`` and ``--part 1/2`` share the work between two
processes, ``--quick`` tries everything in two minutes. What lies in the folder is not computed again.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_mritransfer.cohort.crop import crop_of, cropped_shape
from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.catalogue import BASELINE, reuse_method, reuse_methods
from napari_mritransfer.cohort.reuse.classical import fit_classical, gram
from napari_mritransfer.cohort.reuse.comparison import compare
from napari_mritransfer.cohort.reuse.estimators import fit_features
from napari_mritransfer.cohort.reuse.features import features_of
from napari_mritransfer.cohort.reuse.fit_result import FitResult, Tested, tested
from napari_mritransfer.cohort.reuse.fitting import FitSettings, fit_network
from napari_mritransfer.cohort.reuse.head import head_for
from napari_mritransfer.cohort.reuse.model import SfcnFacts, SfcnModel, open_sfcn, save_sfcn
from napari_mritransfer.cohort.reuse.scores import scores_of
from napari_mritransfer.cohort.simulation import CLEAR, simulate_subject
from napari_mritransfer.io.atomic import replacing, write_text

SPACING = 3.0
SHAPE = cropped_shape(SPACING)
EFFECTS = replace(CLEAR, asymmetry_mm=3.0, size=0.04)
WIDTHS = (8, 16, 32, 64, 64, 32)
LABELS = {
    "age": Label("age", unit="years"),
    "asymmetry": Label("asymmetry", unit="mm"),
    "disease": Label("disease", "binary", classes=("healthy", "diseased")),
}
SIZES, SEEDS = (20, 50, 100), range(5)
POOL, TESTED = 100, 80  # subjects of a target study, and of either test
# with the rate or the dropout that taught a network age, those for disease and asymmetry learned nothing in 30 epochs
SOURCE_RATE = {"age": 1e-2, "asymmetry": 1e-3, "disease": 1e-3}
SOURCE_EPOCHS = {"age": 18, "asymmetry": 18, "disease": 14}
SOURCE_DROPOUT = {"age": 0.5, "asymmetry": 0.2, "disease": 0.2}
EPOCHS = 20  # of every network in a target study
# which networks learn: everything for the same label, the most and the least that changes for another one
TRAINED = {
    ("age", "age"): ("step", "full", "lft", "scratch"),
    ("age", "asymmetry"): ("full", "lft", "scratch"),
    ("age", "disease"): ("full", "lft", "scratch"),
    ("asymmetry", "asymmetry"): ("full",),
    ("disease", "disease"): ("full",),
}


@dataclass(frozen=True)
class Cell:
    """One method on one target study."""

    source: str
    target: str
    method: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.source}-to-{self.target}_{self.method}_n{self.size}_s{self.seed}.json"


@dataclass(frozen=True)
class Group:
    """Simulated subjects, prepared as networks want them."""

    volumes: NDArray[np.float16]
    labels: dict[str, NDArray[np.float64]]


def simulate(folder: Path, name: str, heads: tuple[str, ...], sites: str, count: int, seed: int) -> Group:
    path = folder / f"{name}.npz"
    if not path.is_file():
        rng = np.random.default_rng((seed, 1))
        crop = crop_of(Grid(SPACING).shape, SHAPE)
        volumes = np.empty((count, *SHAPE), np.float16)
        labels = {label: np.empty(count) for label in LABELS}
        for number in range(count):
            age, diseased = round(float(rng.uniform(45, 85)), 1), bool(rng.random() < 0.5)
            image, truth = simulate_subject(
                heads[number % len(heads)], age=age, diseased=diseased, seed=seed, number=number, spacing_mm=SPACING,
                site=sites[number // len(heads) % len(sites)], effects=EFFECTS,
            )  # fmt: skip
            volumes[number] = (image / image.mean())[crop]
            for label, value in (("age", age), ("asymmetry", truth.ventricle_asymmetry_mm), ("disease", diseased)):
                labels[label][number] = value
        with replacing(path) as partial, partial.open("wb") as stream:
            np.savez(stream, volumes=volumes, **labels)
    with np.load(path) as file:
        return Group(file["volumes"], {label: file[label] for label in LABELS})


def target(folder: Path, seed: int, quick: bool) -> Group:
    """A target study, then 80 test subjects of its head, then 80 of another one."""
    n_tested = 8 if quick else TESTED
    parts = [
        simulate(folder, f"target{seed}", ("patient03",), "C", 24 if quick else POOL, 2000 + seed),
        simulate(folder, "tested-same-head", ("patient03",), "C", n_tested, 3000),
        simulate(folder, "tested-other-head", ("patient12",), "C", n_tested, 3001),
    ]
    labels = {label: np.concatenate([part.labels[label] for part in parts]) for label in LABELS}
    return Group(np.concatenate([part.volumes for part in parts]), labels)


def source(folder: Path, label: str, quick: bool) -> SfcnModel:
    path = folder / f"source-{label}.safetensors"
    if not path.is_file():
        began = time.perf_counter()
        group = simulate(
            folder, "source", ("patient01", "patient04", "studyforrest"), "AB", 60 if quick else 1000, 1000
        )
        settings = FitSettings(
            "scratch", epochs=1 if quick else SOURCE_EPOCHS[label], batch=8, learning_rate=SOURCE_RATE[label],
            device="cpu",
            augmentation="shift" if label == "asymmetry" else "shift-mirror",  # in a mirror it has the other sign
        )  # fmt: skip
        fitted = fit_network(
            None, LABELS[label], tensor(group.volumes), group.labels[label], settings,
            network={"widths": list(WIDTHS), "dropout": SOURCE_DROPOUT[label]},
        )  # fmt: skip
        facts = SfcnFacts(
            LABELS[label], fitted.head.bins, Preparation(SPACING, "mean"), brain_only=False, simulated=True,
            training={"subjects": len(group.volumes), "heads": "patient01, patient04, studyforrest", "seed": 0},
        )  # fmt: skip
        save_sfcn(path, fitted.network, fitted.settings, facts, seconds=f"{time.perf_counter() - began:.0f}")
    return open_sfcn(str(path))


def tensor(volumes: NDArray[np.float16]) -> torch.Tensor:
    return torch.from_numpy(volumes)[:, None]


def cells() -> Iterator[Cell]:
    for own in LABELS:
        for wanted, label in LABELS.items():
            for row in (BASELINE, *reuse_methods(label.task)):
                is_trained = row.kind == "network" and row.name != "final-layer"
                if is_trained and row.name not in TRAINED.get((own, wanted), ()):
                    continue
                if row.kind in ("baseline", "classical") and own != wanted:
                    continue  # knows nothing of a source
                if row.kind == "direct" and own != wanted:
                    continue
                yield from (Cell(own, wanted, row.name, size, seed) for size in SIZES for seed in SEEDS)


def predict(cell: Cell, folder: Path, quick: bool) -> NDArray[np.float64]:
    """``(160,)`` numbers or ``(160, classes)`` chances of all test subjects."""
    group, label = target(folder, cell.seed, quick), LABELS[cell.target]
    pool = len(group.volumes) - 2 * (8 if quick else TESTED)
    learn, judge = slice(0, min(cell.size, pool)), slice(pool, None)
    y, row = group.labels[cell.target][learn], reuse_method(cell.method)
    names = np.array([f"s{index}" for index in range(len(y))])
    usual = {"task": label.task, "classes": len(label.classes), "inner_folds": 5, "seed": cell.seed}
    count = len(group.volumes) - pool
    if row.kind == "baseline":
        if label.task == "regression":
            return np.full(count, y.mean())
        return np.tile(np.bincount(y.astype(int), minlength=2) / len(y), (count, 1))
    if row.kind == "classical":
        products = gram(group.volumes)
        return fit_classical(products[learn, learn], y, names, **usual).predict(products[judge, learn])
    model = source(folder, cell.source, quick)
    if row.kind == "direct":
        head = head_for(model, label, y)
        with torch.no_grad():
            outputs = torch.cat([model.network(tensor(group.volumes[[k]]).float()) for k in range(pool, pool + count)])
        return head.predictions(outputs.numpy())
    if row.kind == "features" or row.name == "final-layer":
        x = features(cell, folder, model, group)
        if row.kind == "features":
            return fit_features(cell.method, x[learn], y, names, **usual).predict(x[judge])
    settings = FitSettings(
        cell.method, epochs=EPOCHS if not quick else 1, seed=cell.seed, device="cpu",
        augmentation="shift" if cell.target == "asymmetry" else "shift-mirror",
    )  # fmt: skip
    known = torch.from_numpy(x[learn]).float() if row.name == "final-layer" else None
    fitted = fit_network(model, label, tensor(group.volumes[learn]), y, settings, features=known)
    return fitted.predict(tensor(group.volumes[judge]))


def features(cell: Cell, folder: Path, model: SfcnModel, group: Group) -> NDArray[np.float64]:
    path = folder / f"features-{cell.source}-{cell.seed}.npy"
    if not path.is_file():
        found = [features_of(model, one.astype(np.float32), torch.device("cpu")) for one in group.volumes]
        with replacing(path) as partial, partial.open("wb") as stream:
            np.save(stream, np.array(found, dtype=np.float64))
    return np.load(path)


def run(folder: Path, part: tuple[int, int], quick: bool) -> None:
    wanted = [cell for number, cell in enumerate(cells()) if number % part[1] == part[0]]
    # what takes long comes last, so that the tables fill early
    for cell in sorted(wanted, key=lambda one: (one.target != "age", reuse_method(one.method).kind == "network")):
        path = folder / "cells" / cell.name
        if path.is_file():
            continue
        began = time.perf_counter()
        values = predict(cell, folder, quick)
        record = {"values": values.tolist(), "seconds": time.perf_counter() - began}
        write_text(path, json.dumps(record))
        print(f"{cell.name} {record['seconds']:.1f} s", flush=True)


# --- tables ------------------------------------------------------------------------------------------------------


def read(folder: Path, source_label: str, label: str, method: str, size: int, where: str) -> Tested | None:
    """All seeds of a method as repeats on the same test subjects; None while something is missing."""
    truth = simulate(folder, f"tested-{where}-head", (), "", 0, 0).labels[label]
    rows = tuple(range(len(truth)))
    results = []
    for seed in SEEDS:
        path = folder / "cells" / Cell(source_label, label, method, size, seed).name
        if not path.is_file():
            return None
        values = np.array(json.loads(path.read_text())["values"])
        values = values[: len(rows)] if where == "same" else values[len(rows) :]
        results.append(FitResult(method, size, seed, 0, "", rows, values))
    return tested(results, truth, [str(row) for row in rows])[0]


def table(folder: Path, label: str, where: str) -> Iterator[str]:
    own = LABELS[label]
    measure = "MAE in " + own.unit if own.task == "regression" else "balanced accuracy"
    yield f"\n**{label}, {'head of the target study' if where == 'same' else 'another head'}** ({measure})\n"
    yield "| network for | method | " + " | ".join(f"N = {size}" for size in SIZES) + " |"
    yield "| --- | --- |" + " --- |" * len(SIZES)
    for source_label in sorted(LABELS, key=lambda name: name != label):
        for row in (BASELINE, *reuse_methods(own.task)):
            found = [read(folder, source_label, label, row.name, size, where) for size in SIZES]
            if any(one is not None for one in found):
                needs = "" if row.name in ("baseline", "classical", "scratch") else source_label
                yield f"| {needs} | {row.name} | " + " | ".join(_score(one, own) for one in found) + " |"


def _score(found: Tested | None, label: Label) -> str:
    if found is None:
        return "–"
    scores = scores_of(found, label, seed=0)
    name = "mae" if label.task == "regression" else "balanced_accuracy"
    low, high = scores[f"{name}_interval"]
    return f"{scores[name]:.2f} ({low:.2f} to {high:.2f})"


def differences(folder: Path, where: str) -> Iterator[str]:
    """Of what the study asks: the best single way to re-use against scratch, classical, and the wrong label."""
    yield f"\n**Paired differences, {'head of the target study' if where == 'same' else 'another head'}**\n"
    yield "| label | first | second | " + " | ".join(f"N = {size}" for size in SIZES) + " |"
    yield "| --- | --- | --- |" + " --- |" * len(SIZES)
    for label, own in LABELS.items():
        simple = "features-ridge" if own.task == "regression" else "features-logistic"
        scratch = ("age", "scratch")
        pairs = [
            ((label, simple), scratch), ((label, simple), (label, "classical")), ((label, "full"), scratch),
            ((label, simple), (label, "full")),
            *(((other, simple), (label, "baseline")) for other in LABELS if other != label),
            *(((other, simple), (label, "classical")) for other in LABELS if other != label),
            (("age", "full"), scratch) if label != "age" else (("age", "lft"), ("age", "full")),
        ]  # fmt: skip
        for first, second in pairs:
            cells_ = []
            for size in SIZES:
                both = [read(folder, name, label, method, size, where) for name, method in (first, second)]
                if both[0] is None or both[1] is None:
                    cells_.append("–")
                    continue
                found = compare(both[0], both[1], own, seed=0)
                low, high = found.interval or (np.nan, np.nan)
                cells_.append(f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f})")
            yield f"| {label} | {_named(first)} | {_named(second)} | " + " | ".join(cells_) + " |"


def _named(one: tuple[str, str]) -> str:
    return one[1] if one[1] in ("scratch", "classical", "baseline") else f"{one[1]}, network for {one[0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", action="store_true", help="print what there is, compute nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    folder: Path = arguments.out
    (folder / "cells").mkdir(parents=True, exist_ok=True)
    if not arguments.table:
        first, _, count = arguments.part.partition("/")
        run(folder, (int(first), int(count)), arguments.quick)
    for where in ("same", "other"):
        for label in LABELS:
            print("\n".join(table(folder, label, where)))
        print("\n".join(differences(folder, where)))


if __name__ == "__main__":
    main()
