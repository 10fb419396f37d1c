"""Ships two networks that the slice-set study trained: the age of simulated heads, with and without position codes.

Call it as ``python scripts/publish_cohort_models.py STUDY``, where STUDY is the folder of scripts/slice_set_study.py.
Of the seeds the one with the smallest validation error is taken; weights and cards go to resources/cohort_models.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from slice_set_study import JUDGE, JUDGES, MANY, TEST, TRAINING

from napari_mritransfer.cohort.model import open_cohort_model, save_cohort_model
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.zoo.download import sha256_of

MODELS = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "cohort_models"
SHIPPED = {
    "sim-age": ("shipped learned", "Age of simulated heads; slices know their place"),
    "sim-age-no-positions": ("shipped off", "Age of simulated heads; slices do not know their place"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    study: Path = parser.parse_args().study
    MODELS.mkdir(exist_ok=True)
    for name, (kind, title) in SHIPPED.items():
        found = {int(path.stem.rpartition(" ")[2]): path for path in (study / "results").glob(f"{kind} *.json")}
        results = {seed: json.loads(path.read_text()) for seed, path in found.items()}
        seed = min(results, key=lambda one: results[one]["validation"])
        publish(name, title, study / "runs" / f"{kind} {seed}", results[seed], seed)


def publish(name: str, title: str, run: Path, result: dict[str, object], seed: int) -> None:
    """Write the best weights, and what is known about them."""
    weights = MODELS / f"{name}.safetensors"
    model = open_cohort_model(str(run))
    told = {"strategy": "scratch", "scans": MANY, "seed": seed}  # where its author's files lie is nobody's business
    save_cohort_model(weights, model.network, model.settings, replace(model.facts, training=told))
    label, facts, summary = model.label, model.facts, result["summary"]
    assert isinstance(summary, dict)
    card = {
        "title": title,
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
            "data": f"{MANY} simulated subjects made of {', '.join(TRAINING)}; nobody was scanned, and what it says of "
            "a real head means nothing",
            "licence": "BSD-3-Clause; the heads are CC-BY (Lesjak et al. 2016) and PDDL (Hanke et al. 2014)",
            "kept out": f"{JUDGE} chose step and seed, {TEST} tested",
            "seed": seed,
            "command": "python scripts/slice_set_study.py --out STUDY; python scripts/publish_cohort_models.py STUDY",
        },
        "metrics": {
            "MAE in years, validation": f"{result['validation']:.1f} ({JUDGES} simulated subjects of {JUDGE})",
            "MAE in years, test": f"{summary['mae']:.1f} ({summary['n']} simulated subjects of {TEST}, one head), bias "
            f"{summary['bias']:+.1f}; the training mean for everybody {summary['baseline_mae']:.1f}",
            "attention on slices that age changes": f"{result['share_on_truth']:.0%}, by chance "
            f"{result['by_chance']:.0%}",
        },
    }  # fmt: skip
    write_text(MODELS / f"{name}.json", json.dumps(card, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
