"""Trains the shipped networks that predict the age of simulated heads, with and without position codes.

Call it as ``python scripts/train_cohort_models.py --out FOLDER``; weights and cards go to resources/cohort_models.
"""

import argparse
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.cohort.evaluation import evaluate_model
from napari_mritransfer.cohort.model import open_cohort_model
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.simulation import CLEAR, head_names, simulate_cohort
from napari_mritransfer.cohort.splits import Split, read_split
from napari_mritransfer.cohort.summary import RegressionSummary
from napari_mritransfer.cohort.table import read_cohort
from napari_mritransfer.cohort.work import train
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.zoo.download import sha256_of

MODELS = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "cohort_models"
TITLES = {
    "sim-age": "Age of simulated heads, slices know their place",
    "sim-age-no-positions": "Age of simulated heads, slices do not know their place",
}
SUBJECTS, SEED, SPACING_MM = 300, 21, 3.0
TRAINING, JUDGE, TEST = ("patient01", "patient04", "studyforrest"), "patient03", "patient12"
JUDGES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    table = out / "cohort" / "participants.tsv"
    if not table.is_file():
        simulate_cohort(
            out / "cohort", subjects=SUBJECTS, seed=SEED, heads=head_names(), spacing_mm=SPACING_MM, effects=CLEAR
        )
    by_head: dict[str, list[str]] = {head: [] for head in head_names()}
    for scan in read_cohort(table).scans:
        by_head[scan.values["head"]].append(scan.subject)
    learn = tuple(subject for head in TRAINING for subject in by_head[head])
    Split(learn, tuple(by_head[JUDGE][:JUDGES]), tuple(by_head[TEST]), 0, "age", "head").save(out / "split.json")
    network = {
        "encoder": "conv5", "widths": [8, 16, 32, 64], "dropout": 0.2, "slicing": "axial", "pooling": "attention",
        "positions": "learned",
    }  # fmt: skip
    config = CohortConfig(
        str(table), "age", split=str(out / "split.json"), group="head", network=network,
        preparation=Preparation(spacing_mm=SPACING_MM), learning_rate=3e-3, weight_decay=0.0, epochs=10, batch=8,
        device="cpu", precision="float32", seed=SEED,
    )  # fmt: skip
    for name in TITLES:
        run = out / name
        chosen = config if name == "sim-age" else replace(config, network={**network, "positions": "off"})
        if not (run / "metrics.json").is_file():
            train(chosen, print, run=run, resume=(run / "state.safetensors").is_file())
        publish(name, run, table)


def publish(name: str, run: Path, table: Path) -> None:
    """Copy the best weights, and write down what is known about them."""
    MODELS.mkdir(exist_ok=True)
    weights = MODELS / f"{name}.safetensors"
    shutil.copyfile(run / BEST, weights)
    model = open_cohort_model(str(run))
    tested = evaluate_model(model, table, split=read_split(run / "split.json"), group="participant_id")
    assert isinstance(tested.summary, RegressionSummary)
    error, baseline = tested.summary.mae, tested.summary.baseline_mae
    outcome = json.loads((run / "metrics.json").read_text())
    label, facts = model.label, model.facts
    card = {
        "title": TITLES[name],
        "architecture": "sliceset",
        "settings": dict(model.settings),
        "sha256": sha256_of(weights),
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
        "label": label.name, "unit": label.unit, "task": label.task, "classes": list(label.classes),
        "label_mean": label.mean, "label_std": label.std,
        "preparation": facts.preparation.as_record(),
        "slicing": model.network.slicing, "pooling": model.network.pooling,
        "mean_attention": [round(weight, 4) for weight in facts.mean_attention],
        "training": {
            "simulated": True,
            "data": f"{outcome['scans']['training']} simulated subjects made of {', '.join(TRAINING)}; nobody was "
            "scanned, and what it says of a real head means nothing",
            "licence": "BSD-3-Clause; the heads are CC-BY (Lesjak et al. 2016) and PDDL (Hanke et al. 2014)",
            "kept out": f"{JUDGE} chose the step, {TEST} tested",
            "seed": SEED,
            "command": "python scripts/train_cohort_models.py --out FOLDER",
        },
        "metrics": {
            "MAE in years, validation": f"{outcome['best_score']:.2f} ({JUDGES} simulated subjects of {JUDGE})",
            "MAE in years, test": f"{error:.2f} ({len(tested.scans)} simulated subjects of {TEST}, one head); the "
            f"training mean for everybody {baseline:.2f}",
            "attention on slices that age changes": f"{tested.share_on_truth:.0%}, by chance {tested.by_chance:.0%}",
        },
    }  # fmt: skip
    write_text(MODELS / f"{name}.json", json.dumps(card, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
