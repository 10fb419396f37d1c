"""Ships the network for age of the re-use study, so that re-use can be tried without downloading anything.

Call it as ``python scripts/publish_sfcn_model.py STUDY``, where STUDY is the folder of scripts/reuse_study.py.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from reuse_study import LABELS, read, simulate

from napari_mritransfer.cohort.reuse.model import open_sfcn, save_sfcn
from napari_mritransfer.cohort.reuse.scores import scores_of
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.zoo.download import sha256_of

MODELS = Path(__file__).parent.parent / "napari_mritransfer" / "resources" / "cohort_models"
NAME = "sim-sfcn-age"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    study: Path = parser.parse_args().study
    model = open_sfcn(str(study / "source-age.safetensors"))
    weights = MODELS / f"{NAME}.safetensors"
    save_sfcn(weights, model.network, model.settings, model.facts)
    ages = simulate(study, "source", (), "", 0, 0).labels["age"]
    bins, facts = model.facts.bins, model.facts
    assert bins is not None
    metrics = {}
    for where, head in (("same", "patient03"), ("other", "patient12")):
        found = read(study, "age", "age", "direct", 100, where)
        assert found is not None
        scores = scores_of(found, LABELS["age"], seed=0)
        metrics[f"MAE in years, direct, {head}"] = (
            f"{scores['mae']:.1f} (80 simulated subjects at site C, one head), bias {scores['bias']:+.1f}"
        )
    card = {
        "title": "Age of simulated heads from whole volumes (SFCN), to try re-use with",
        "architecture": "sfcn",
        "settings": dict(model.settings),
        "sha256": sha256_of(weights),
        "parameters": sum(parameter.numel() for parameter in model.network.parameters()),
        "label": "age", "unit": "years", "task": "regression", "classes": [],
        "label_mean": float(np.mean(ages)), "label_std": float(np.std(ages)),
        "preparation": facts.preparation.as_record(),
        "slicing": "", "pooling": "", "mean_attention": [], "bins": bins.as_record(), "brain_only": facts.brain_only,
        "training": {
            "simulated": True,
            "data": "1000 simulated subjects of patient01, patient04 and studyforrest at sites A and B; nobody was "
            "scanned, and what it says of a real head means nothing",
            "licence": "BSD-3-Clause; the heads are CC-BY (Lesjak et al. 2016) and PDDL (Hanke et al. 2014)",
            "kept out": "patient03 and patient12, and site C",
            "seed": 0,
            "command": "python scripts/reuse_study.py --out STUDY; python scripts/publish_sfcn_model.py STUDY",
        },
        "metrics": metrics,
    }  # fmt: skip
    write_text(MODELS / f"{NAME}.json", json.dumps(card, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
