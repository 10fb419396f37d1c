"""Tables, looks and results on disk, as the worker leaves them, without the worker."""

import json
from pathlib import Path

import nibabel
import numpy as np
from matplotlib import image

from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.reuse.comparison import compare_all
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.fit_result import FitResult, tested
from napari_mritransfer.cohort.reuse.look import CHECKS, THUMBNAILS
from napari_mritransfer.cohort.reuse.record import (
    CONFIG,
    FITS,
    PREDICTIONS,
    RESULTS,
    MethodResult,
    PredictedScan,
    ReuseRecord,
    predictions_csv,
)
from napari_mritransfer.cohort.reuse.scores import scores_of

SHAPE = (10, 12, 8)
AFFINE = np.diag([-3.0, 3.0, 3.0, 1.0])
AGE = Label("age", unit="years")
SEX = Label("sex", "binary", classes=("female", "male"))


def write_scan(path: Path, number: int) -> Path:
    """Every voxel of slice k is ``100 * number + k``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.broadcast_to(100.0 * number + np.arange(SHAPE[2]), SHAPE).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
    return path


def write_table(folder: Path, *, subjects: int = 12) -> Path:
    """Ages 50, 52, …, both sexes, three sites, two families; sub-03 has no file, sub-05 no age."""
    rows = ["participant_id\tpath\tage\tsex\tsite\tfamily"]
    for number in range(1, subjects + 1):
        name = f"sub-{number:02d}"
        if number != 3:
            write_scan(folder / f"{name}.nii.gz", number)
        age = "n/a" if number == 5 else str(48 + 2 * number)
        rows.append(f"{name}\t{name}.nii.gz\t{age}\t{'FM'[number % 2]}\t{'ABC'[number % 3]}\t{number // 2}")
    table = folder / "participants.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def write_look(folder: Path, table: Path, *, may_run: bool = True, label: str = "age") -> Path:
    """What a look at that table leaves: sub-03 and sub-05 are left out."""
    (folder / THUMBNAILS).mkdir(parents=True, exist_ok=True)
    rows, problems = [], []
    if not may_run:
        sentence = f"Everybody has 60 in column '{label}', so there is nothing to learn; choose another."
        problems.append(_problem("stops", "constant label", sentence))
    for line, text in enumerate(table.read_text("utf-8").splitlines()[1:], start=2):
        name, path, age = text.split("\t")[:3]
        problem = ""
        if name == "sub-03":
            problem = "sub-03: sub-03.nii.gz is not there; check the path in the table."
        if name == "sub-05":
            problem = "sub-05 has nothing in column 'age'; fill it in to use the scan."
        picture = ""
        if name != "sub-03":
            picture = f"line-{line}.png"
            image.imsave(folder / THUMBNAILS / picture, np.full((116, 316, 3), 15 * line, dtype=np.uint8))
        large = "line-6-large.png" if name == "sub-05" else ""
        if large:
            image.imsave(folder / THUMBNAILS / large, np.zeros((250, 700, 3), dtype=np.uint8))
        if problem:
            problems.append(_problem("leaves out", "file missing", problem, name, str(line)))
        rows.append({
            "subject": name, "session": "", "image": str(table.parent / path) if picture else "",
            "label": "" if age == "n/a" else age, "usable": not problem, "problem": problem, "thumbnail": picture,
            "picture": large,
        })  # fmt: skip
    problems.append(_problem("remark", "label gap", "Nobody's 'age' is between 57 and 62: predictions are guesses."))
    record = {
        "rows": rows, "problems": problems, "label": label, "task": "regression",
        "sentence": f"{label}: 50 to 72, mean 61.0, sd 7.", "may_run": may_run, "simulated": False,
    }  # fmt: skip
    (folder / CHECKS).write_text(json.dumps(record), encoding="utf-8")
    return folder


def _problem(severity, kind, sentence, subject="", line=""):
    return {"severity": severity, "problem": kind, "subject": subject, "line": line, "sentence": sentence}


def config_for(table: Path, **changes) -> ReuseConfig:
    """Two methods, four folds."""
    usual = {"methods": ("features-ridge", "classical"), "folds": 4, "device": "cpu"}
    return ReuseConfig(str(table), changes.pop("label", "age"), "sim-sfcn-age", **(usual | changes))


def write_unfinished(folder: Path, config: ReuseConfig, *, fits: int = 3) -> Path:
    """A re-use that was stopped after some fits of its first method."""
    (folder / FITS).mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(config.as_json(), encoding="utf-8")
    for fold in range(fits):
        (folder / FITS / f"{config.methods[0]}_n0_r0_f{fold}.json").write_text("{}", encoding="utf-8")
    return folder


def write_reuse(folder: Path, table: Path, *, label: Label = AGE, subjects: int = 12, **changes) -> Path:
    """A finished re-use with numbers that belong together: ridge is nearer to the truth than classical."""
    config = config_for(table, label=label.name, **changes)
    write_unfinished(folder, config, fits=0)
    rng = np.random.default_rng(0)
    y = 48.0 + 2 * np.arange(1, subjects + 1)
    if label.classes:
        y = np.arange(subjects) % 2 * 1.0
    names = [f"sub-{number:02d}" for number in range(1, subjects + 1)]
    fits = []
    for method, spread in (("baseline", 0.0), *zip(config.methods, (2.0, 5.0, 8.0), strict=False)):
        for size in (0, *config.sizes):
            for fold in range(config.folds):
                rows = tuple(range(fold, subjects, config.folds))
                values = _values(method, label, y, rows, spread * (2 if size else 1), rng)
                after = values + 1 if label.task == "regression" else None
                fits.append(FitResult(method, size, 0, fold, "", rows, values, after, None, size or 9, 0, 0.5))
    found = tested(fits, y, names)
    results = tuple(
        MethodResult(one.method, one.size, float(one.size or 9), 0, scores_of(one, label, seed=0, n_boot=50), 2.0)
        for one in found
    )
    record = ReuseRecord(
        folder, config, label, "sim-sfcn-age", subjects, subjects, True, results,
        compare_all(found, label, seed=0, n_boot=50), {"direct": "The network predicts 'age', not 'sex'."},
        ("Resampled to 3 mm.",), ("The network learned from simulated scans: it knows nothing of people.",),
        {"python": "3"}, 12.0,
    )  # fmt: skip
    lines = [
        PredictedScan(
            names[row], "", str(table.parent / f"{names[row]}.nii.gz"), fit.method, fit.size, 0, fit.fold,
            label.classes[int(y[row])] if label.classes else f"{y[row]:g}",
            label.classes[int(fit.values[place].argmax())] if label.classes else f"{fit.values[place]:g}",
            None if fit.corrected is None else float(fit.corrected[place]),
            tuple(fit.values[place]) if label.classes else (),
        )
        for fit in fits
        for place, row in enumerate(fit.rows)
    ]  # fmt: skip
    (folder / PREDICTIONS).write_text(predictions_csv(lines, label), encoding="utf-8")
    (folder / "table.csv").write_text("Method\n", encoding="utf-8")
    (folder / "report.html").write_text("<html></html>", encoding="utf-8")
    (folder / "predicted.png").write_bytes(b"a picture")
    (folder / RESULTS).write_text(json.dumps(record.as_record()), encoding="utf-8")
    return folder


def _values(method, label, y, rows, spread, rng):
    if label.classes:
        chance = 0.5 if method == "baseline" else 0.8
        right = np.array([chance if row % 5 else 1 - chance for row in rows])
        return np.stack([np.where(y[list(rows)] == index, right, 1 - right) for index in (0, 1)], axis=1)
    if method == "baseline":
        return np.full(len(rows), y.mean())
    return y[list(rows)] + rng.normal(0, spread, len(rows))


def write_map(folder: Path) -> Path:
    """A relevance map on the scans' grid: slice k is k everywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    voxels = np.broadcast_to(np.arange(SHAPE[2]), SHAPE).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), folder / "relevance.nii.gz")
    return folder / "relevance.nii.gz"
