"""Slice-set networks on the simulated cohort: pooling, positions, transfer, and whether attention finds the truth.

Call it as ``python scripts/slice_set_study.py --out FOLDER``; it simulates the cohorts there, trains what is missing,
and prints the tables of docs/results.md. Two processes of one thread each; about forty minutes on two idle cores.

Scans are simulated at 4 mm and seen at 6 mm (one more interpolation, for everyone), so that two cores suffice; what is
shipped sees 4 mm.
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.simulation import CLEAR, head_names, simulate_cohort
from napari_mritransfer.cohort.splits import Split
from napari_mritransfer.cohort.table import read_cohort

SIMULATED_MM, SEEN_MM, SHIPPED_MM = 4.0, 6.0, 4.0
SEEDS = range(5)
# positions, dropout, epochs, seeds; with dropout the network without positions was not better than the mean
SHIPPED = (("learned", 0.2, 20, 2), ("off", 0.0, 24, 1))
TRAINING = ("patient01", "patient04", "studyforrest")
JUDGE, TEST = "patient03", "patient12"
NETWORK = {"encoder": "conv5", "widths": [8, 16], "dropout": 0.0, "slicing": "axial"}
FEW, MANY = 36, 180  # subjects to learn from: of the target cohort, and of the main one
JUDGES = 20
TARGET_LABEL = "ventricle_widening_mm"  # another label of the same anatomy

COHORTS = {"main": (300, 11), "target": (300, 12)}  # subjects and seed


def prepared(out: Path) -> None:
    """Simulate the cohorts, five heads in equal parts, and write the splits by head."""
    for name, (subjects, seed) in COHORTS.items():
        if not (out / name).exists():
            simulate_cohort(
                out / name, subjects=subjects, seed=seed, heads=head_names(), spacing_mm=SIMULATED_MM, effects=CLEAR
            )
    for name in COHORTS:
        by_head = {head: [] for head in head_names()}
        for scan in read_cohort(out / name).scans:
            by_head[scan.values["head"]].append(scan.subject)
        learn, judges = [subject for head in TRAINING for subject in by_head[head]], tuple(by_head[JUDGE][:JUDGES])
        for title, count in (("few", FEW), ("many", MANY)):
            each = count // len(TRAINING)
            some = tuple(subject for head in TRAINING for subject in by_head[head][:each])
            Split(some, judges, tuple(by_head[TEST]), 0, group="head").save(out / f"{name}-{title}.json")
        for left in TRAINING:  # leave one head out: another one to be tested on
            rest = tuple(subject for subject in learn if subject not in by_head[left])
            Split(rest, judges, tuple(by_head[left]), 0, group="head").save(out / f"{name}-no-{left}.json")


def configs(out: Path) -> dict[str, CohortConfig]:
    """All trainings by name; those that start from others come after them."""

    def config(cohort: str, label: str, split: str, seed: int, **changes: Any) -> CohortConfig:
        return CohortConfig(
            str(out / cohort / "participants.tsv"), label, split=str(out / f"{cohort}-{split}.json"), group="head",
            network={**NETWORK, "pooling": "attention", "positions": "learned"},
            preparation=Preparation(spacing_mm=SEEN_MM), learning_rate=2e-3, weight_decay=0.0, epochs=20, batch=8,
            device="cpu", precision="float32", seed=seed,
        )  # fmt: skip

    found: dict[str, CohortConfig] = {}
    for seed in SEEDS:
        for pooling in ("attention", "mean", "max"):
            for positions in ("learned", "off"):
                one = config("main", "age", "many", seed)
                found[f"age {pooling} {positions} {seed}"] = replace(
                    one, network={**NETWORK, "pooling": pooling, "positions": positions}
                )
        for strategy in ("scratch", "frozen-encoder", "lft", "ft"):
            one = replace(config("target", TARGET_LABEL, "few", seed), epochs=30)
            if strategy != "scratch":
                model = str(out / "runs" / f"age attention learned {seed}")
                one = replace(one, network={}, model=model, strategy=strategy, learning_rate=1e-3)
            found[f"few {strategy} {seed}"] = one
        found[f"disease {seed}"] = config("main", "disease", "many", seed)
    for seed in range(2):  # no norm before the head, and the papers' weight decay
        one = replace(config("main", "age", "many", seed), embedding_norm=False, weight_decay=1e-4)
        found[f"published training {seed}"] = one
    for positions, dropout, epochs, seeds in SHIPPED:
        network = {**NETWORK, "widths": [8, 16, 32], "dropout": dropout, "pooling": "attention", "positions": positions}
        for seed in range(seeds):
            one = replace(config("main", "age", "many", seed), network=network, epochs=epochs)
            found[f"shipped {positions} {seed}"] = replace(one, preparation=Preparation(spacing_mm=SHIPPED_MM))
    for left in TRAINING:
        for seed in SEEDS:
            found[f"left-out {left} {seed}"] = config("main", "age", f"no-{left}", seed)
    return found


def learn(job: tuple[str, CohortConfig, Path]) -> str:
    """Train one network unless it is there, and test it."""
    name, config, out = job
    result = out / "results" / f"{name}.json"
    if result.is_file():
        return name
    import torch

    from napari_mritransfer.cohort.evaluation import evaluate_model
    from napari_mritransfer.cohort.model import open_cohort_model
    from napari_mritransfer.cohort.splits import read_split
    from napari_mritransfer.cohort.work import SPLIT, train

    torch.set_num_threads(1)
    run, began = out / "runs" / name, time.perf_counter()
    outcome = train(config, run=run, resume=(run / "state.safetensors").is_file())
    seconds = time.perf_counter() - began
    tested = evaluate_model(
        open_cohort_model(str(run)), Path(config.table), split=read_split(run / SPLIT), group="participant_id"
    )
    record = tested.as_record() | {
        "seconds": seconds, "baseline": outcome.baseline, "validation": outcome.best_score,
        "trainable": outcome.trainable,
    }  # fmt: skip
    result.parent.mkdir(exist_ok=True)
    result.write_text(json.dumps(record))
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", help="names that begin so")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    prepared(out)
    jobs = [(name, config, out) for name, config in configs(out).items() if name.startswith(arguments.only)]
    first = [job for job in jobs if not job[1].model]
    then = [job for job in jobs if job[1].model]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for wave in (first, then):
            for name in pool.imap_unordered(learn, wave):
                print("done:", name, flush=True)
    print(tables(out))


def tables(out: Path) -> str:
    """What docs/results.md shows of all results that are there."""
    results: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((out / "results").glob("*.json")):
        kind = path.stem.rpartition(" ")[0]
        results.setdefault(kind, []).append(json.loads(path.read_text()))
    lines = ["| network | seeds | MAE (95 %) | training mean | r | attention on changed slices | chance |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for kind, runs in results.items():
        if runs[0]["label"] in ("age", TARGET_LABEL):
            lines.append(_age_row(kind, runs))
    lines += ["", _over_heads(results), ""]
    lines += ["| network | seeds | balanced accuracy (95 %) | AUC | attention on changed slices | chance |",
              "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for kind, runs in results.items():
        if runs[0]["label"] == "disease":
            lines.append(_disease_row(kind, runs))
    return "\n".join(lines)


def _over_heads(results: dict[str, list[dict[str, Any]]]) -> str:
    """Attention with positions on every head that was kept out in turn: the interval is one over heads."""
    of_head = {TEST: results.get("age attention learned", [])}
    of_head |= {left: results.get(f"left-out {left}", []) for left in TRAINING}
    means = {
        head: float(np.mean([abs(scan["number"] - float(scan["true"])) for run in runs for scan in run["scans"]]))
        for head, runs in of_head.items() if runs
    }  # fmt: skip
    if not means:
        return ""
    values = np.array([*means.values()])
    rng = np.random.default_rng(0)
    low, high = np.percentile([rng.choice(values, len(values)).mean() for _ in range(2000)], [2.5, 97.5])
    each = ", ".join(f"{head} {mean:.1f}" for head, mean in means.items())
    return (
        f"Over {len(means)} heads that were kept out ({each}): MAE {values.mean():.1f} y ({low:.1f} y to {high:.1f} y, "
        "bootstrap over heads)."
    )


def _age_row(kind: str, runs: list[dict[str, Any]]) -> str:
    errors = np.array([[abs(scan["number"] - float(scan["true"])) for scan in run["scans"]] for run in runs])
    baseline = np.mean([run["summary"]["baseline_mae"] for run in runs])
    within = np.mean([_within(run) for run in runs])
    form = "{:.1f} y" if runs[0]["label"] == "age" else "{:.2f} mm"
    return (
        f"| {kind} | {len(runs)} | {_interval(errors, form)} | {form.format(baseline)} | {within:.2f} | "
        f"{_shares(runs)} |"
    )


def _within(run: dict[str, Any]) -> float:
    """Correlation of truth and prediction over subjects of the test head: deaf to an error that all of them share."""
    pairs = np.array([(float(scan["true"]), scan["number"]) for scan in run["scans"]])
    return float(np.corrcoef(pairs.T)[0, 1]) if pairs[:, 1].std() > 0 else 0.0


def _disease_row(kind: str, runs: list[dict[str, Any]]) -> str:
    """Half of the tested are diseased to within one, so that the mean over subjects is the balanced accuracy."""
    right = np.array([
        [scan["true"] == scan["predicted"].split(",")[0] for scan in run["scans"]] for run in runs
    ], dtype=float)  # fmt: skip
    auc = np.mean([run["summary"]["auc"] for run in runs])
    return f"| {kind} | {len(runs)} | {_interval(right, '{:.2f}')} | {auc:.2f} | {_shares(runs)} |"


def _interval(values: np.ndarray, form: str) -> str:
    """Mean over seeds and subjects; the interval from a bootstrap over subjects and seeds together."""
    rng = np.random.default_rng(0)
    n_seeds, n_subjects = values.shape
    draws = [
        values[rng.integers(n_seeds, size=n_seeds)][:, rng.integers(n_subjects, size=n_subjects)].mean()
        for _ in range(2000)
    ]
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{form.format(values.mean())} ({form.format(low)} to {form.format(high)})"


def _shares(runs: Iterable[dict[str, Any]]) -> str:
    if runs[0]["share_on_truth"] is None:
        return "– | –"
    shares = [run["share_on_truth"] for run in runs]
    chance = [run["by_chance"] for run in runs]
    spread = f" ± {np.std(shares, ddof=1):.0%}" if len(shares) > 1 else ""
    return f"{np.mean(shares):.0%}{spread} | {np.mean(chance):.0%}".replace("%", " %")


if __name__ == "__main__":
    main()
