"""What the folder of a simulated cohort says about itself: its tables and descriptions, after BIDS."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from napari_mritransfer import __version__
from napari_mritransfer.cohort.simulation.heads import load_head
from napari_mritransfer.cohort.simulation.plan import Plan
from napari_mritransfer.cohort.simulation.settings import Effects
from napari_mritransfer.cohort.simulation.truth import Truth

DESCRIPTION = "dataset_description.json"
PARTICIPANTS = "participants.tsv"
GENERATOR = "napari-mritransfer simulated cohort"
HEALTHY, DISEASED = "healthy", "diseased"

IS = (
    "Simulated: a few real T1-weighted heads, each deformed many times by a program. 'age' widens the ventricles, "
    "'disease' shrinks both hippocampal regions, and three simulated scanners differ in contrast, resolution, shading "
    "and noise."
)
IS_NOT = (
    "No participant exists, nobody's age or disease is known, and nothing measured on these images holds for patients. "
    "Participants made of one head are not independent: split and bootstrap by the column 'head'."
)

COLUMNS: dict[str, dict[str, Any]] = {
    "age": {"Description": "Simulated age; widens the lateral ventricles.", "Units": "year"},
    "disease": {
        "Description": "Simulated disease: both hippocampal regions are shrunken.",
        "Levels": {
            HEALTHY: "Focal warps of the same number and size as in the diseased, elsewhere in the brain.",
            DISEASED: "Shrinkage within a ball about each hippocampus.",
        },
    },
    "head": {"Description": "The real head that the image was made of; the unit that is independent."},
    "head_role": {"Description": "What that head may be used for; 'test only' heads are never trained or chosen on."},
    "site": {"Description": "Simulated scanner, independent of age, disease and head."},
    "biological_age": {"Description": "The age that the ventricles tell: age and its scatter.", "Units": "year"},
    "ventricle_widening_mm": {
        "Description": "Radial displacement of the ventricles' walls, mean of both sides, from a size that all heads "
        "share.",
        "Units": "mm",
    },
    "ventricle_asymmetry_mm": {
        "Description": "Half the difference in widening, right minus left; independent of age and disease.",
        "Units": "mm",
    },
    "head_size_percent": {"Description": "Relative to the head that the image was made of.", "Units": "percent"},
    "nod_degrees": {"Description": "Rotation about the left-right axis.", "Units": "degree"},
}
"""What the columns of participants.tsv mean; any of the numbers can serve as the label of another simulated task."""


def participant(number: int, count: int) -> str:
    """``sub-001`` for the first of a cohort of up to 999."""
    return f"sub-{number + 1:0{max(3, len(str(count)))}d}"


def participants_tsv(participants: Sequence[str], truths: Sequence[Truth]) -> str:
    """The table, one line a participant."""
    lines = ["\t".join(("participant_id", *COLUMNS))]
    for name, truth in zip(participants, truths, strict=True):
        values = asdict(truth) | {"disease": DISEASED if truth.diseased else HEALTHY}
        lines.append("\t".join((name, *(str(values[column]) for column in COLUMNS))))
    return "\n".join(lines) + "\n"


def participants_json() -> str:
    """What the columns mean."""
    return json.dumps(COLUMNS, indent=2) + "\n"


def description(plan: Plan, effects: Effects, *, subjects: int, spacing_mm: float) -> str:
    """``dataset_description.json``: what this is, what it is not, and everything to make it again."""
    heads = [load_head(name) for name in plan.heads]
    record = {
        "Name": "Simulated cohort of brain ages and a focal disease",
        "BIDSVersion": "1.9.0",
        "simulated": True,
        "is": IS,
        "is_not": IS_NOT,
        "GeneratedBy": [{"Name": GENERATOR, "Version": __version__}],
        "License": ", ".join(sorted({head.licence for head in heads})),
        "SourceDatasets": [{"head": head.name, "source": head.source, "licence": head.licence} for head in heads],
        "settings": {
            "subjects": subjects,
            "seed": plan.seed,
            "heads": list(plan.heads),
            "diseased_share": plan.diseased_share,
            "spacing_mm": spacing_mm,
            "effects": asdict(effects),
        },
    }
    return json.dumps(record, indent=2) + "\n"


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a simulated cohort and nothing else."""
    try:
        record = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        made_by = record["GeneratedBy"][0]["Name"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return False
    known = {DESCRIPTION, PARTICIPANTS, "participants.json"}
    return made_by == GENERATOR and all(
        path.name in known or path.name.startswith("sub-") for path in folder.iterdir()
    )
