"""From fits to results: scores, comparisons, tables, pictures and a report, all in the folder of the re-use."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_mritransfer.cohort.checks import as_rows
from napari_mritransfer.cohort.reuse.catalogue import reuse_method
from napari_mritransfer.cohort.reuse.comparison import compare_all
from napari_mritransfer.cohort.reuse.figures import draw_figures
from napari_mritransfer.cohort.reuse.fit_result import FitResult, tested
from napari_mritransfer.cohort.reuse.material import Material
from napari_mritransfer.cohort.reuse.permutation import p_value
from napari_mritransfer.cohort.reuse.record import (
    COMPARISONS,
    PREDICTIONS,
    REPORT,
    RESULTS,
    SCANS,
    TABLE,
    MethodResult,
    PredictedScan,
    ReuseRecord,
    predictions_csv,
)
from napari_mritransfer.cohort.reuse.report import write_reuse_report
from napari_mritransfer.cohort.reuse.scores import main_metric, scores_of
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.training.rundir import environment

_ENDS = ("from", "to")


def write_outcome(
    material: Material,
    results: Sequence[FitResult],
    chance: Mapping[str, tuple[float, list[float]]],
    left_out: Mapping[str, str],
    warnings: tuple[str, ...],
    out: Path,
) -> ReuseRecord:
    """Score all fits and write everything down; ``results.json`` last, which makes the re-use a finished one.

    Parameters
    ----------
    results
        Of all fits.
    chance
        By method: score in the first repeat, and scores with permuted labels.
    left_out
        Methods that could not run, and why.
    warnings
        See `ReuseRecord`.
    out
        The folder.
    """
    label, config, scans = material.label, material.config, material.checked.scans
    found = tested(results, material.y, list(material.groups))
    higher = main_metric(label)[2]
    methods = []
    for one in found:
        own = [result for result in results if (result.method, result.size) == (one.method, one.size)]
        p = None
        if one.size == 0 and one.method in chance:
            observed, permuted = chance[one.method]
            p = p_value(observed, permuted, higher_is_better=higher)
        methods.append(
            MethodResult(
                one.method, one.size, float(np.mean([result.learned_from for result in own])),
                max(result.trainable for result in own), scores_of(one, label, seed=config.seed), one.seconds, p,
            )
        )  # fmt: skip
    # a learning curve from small to large, all of a fold last
    methods.sort(key=lambda one: ([each.method for each in found].index(one.method), one.learned_from))
    notes = dict.fromkeys(str(one.scores["note"]) for one in methods if one.scores.get("note"))
    record = ReuseRecord(
        out, config, label, material.model.title, len(scans), len({scan.subject for scan in scans}),
        material.checked.cohort.simulated or material.model.facts.simulated, tuple(methods),
        compare_all(found, label, seed=config.seed), left_out, _said(material, results), (*warnings, *notes),
        environment(),
        sum(one.seconds for one in methods),
    )  # fmt: skip
    lines = _lines(material, results)
    write_text(out / PREDICTIONS, predictions_csv(lines, label))
    write_text(out / TABLE, _table(record))
    write_text(out / SCANS, _csv(
        ("subject", "session", "image", "what was done"),
        [(scan.subject, scan.session, scan.path, " ".join(material.said[scan])) for scan in scans],
    ))  # fmt: skip
    write_text(out / COMPARISONS, _csv(
        ("first", "second", "training subjects", "difference", "from", "to"),
        [(one.first, one.second, one.size or "all", f"{one.difference:.6g}", *_ends(one.interval))
         for one in record.comparisons],
    ))  # fmt: skip
    figures = draw_figures(record, lines, out)
    write_reuse_report(out / REPORT, record, figures, as_rows(material.checked.problems))
    write_text(out / RESULTS, json.dumps(record.as_record(), indent=1))
    return record


def _said(material: Material, results: Sequence[FitResult]) -> tuple[str, ...]:
    """What was done: to the network, to the first scan as an example, and by the methods."""
    model, first = material.model, material.checked.scans[0]
    rates = {row.name: material.config.learning_rate or row.learning_rate
             for row in map(reuse_method, material.config.methods) if row.kind == "network"}  # fmt: skip
    learning = [f"Learning rates: {', '.join(f'{name} {rate:g}' for name, rate in rates.items())}."] if rates else []
    return (
        # not all 64 digits: a dock is narrow, and no line breaks within them
        f"Network: {model.title}, SHA-256 of its weights {model.sha256[:16]}…, on {material.device}.", *model.notes,
        *(f"{first.name}: {one}" for one in material.said[first]), f"The same of every scan is in {SCANS}.", *learning,
        *dict.fromkeys(sentence for result in results for sentence in result.said),
    )  # fmt: skip


def _table(record: ReuseRecord) -> str:
    """All figures as numbers, for other programs; ends of intervals in columns of their own."""
    rows = []
    for one in record.results:
        row: dict[str, object] = {"method": one.method, "size": one.size or "all", "training scans": one.learned_from}
        for name, value in one.scores.items():
            if isinstance(value, Mapping):
                row |= {f"{name} {key}": each for key, each in value.items() if isinstance(each, int | float)}
            elif isinstance(value, list | tuple):
                row |= {f"{name.removesuffix('_interval')} {end}": each for end, each in zip(_ENDS, value, strict=True)}
            elif name not in ("note", "corrected") and not name.endswith("_interval"):
                row[name] = value
        rows.append(row | {"p": one.p, "trainable": one.trainable, "seconds": round(one.seconds, 3)})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _csv(names, [["" if row.get(name) is None else row[name] for name in names] for row in rows])


def _lines(material: Material, results: Sequence[FitResult]) -> list[PredictedScan]:
    label = material.label
    lines = []
    for result in results:
        for place, row in enumerate(result.rows):
            scan, value = material.checked.scans[row], result.values[place]
            is_number = label.task == "regression"
            true = f"{material.y[row]:.6g}" if is_number else label.classes[int(material.y[row])]
            predicted = f"{float(value):.6g}" if is_number else label.classes[int(np.argmax(value))]
            after = None if result.corrected is None else float(result.corrected[place])
            lines.append(
                PredictedScan(
                    scan.subject, scan.session, str(scan.path), result.method, result.size, result.repeat, result.fold,
                    true, predicted, after, () if is_number else tuple(float(chance) for chance in value),
                )
            )  # fmt: skip
    return lines


def _ends(interval: tuple[float, float] | None) -> tuple[str, str]:
    return ("", "") if interval is None else (f"{interval[0]:.6g}", f"{interval[1]:.6g}")


def _csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return stream.getvalue()
