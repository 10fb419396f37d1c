"""Scores of several methods as a terminal table, as CSV and as JSON, each number with its convention."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_mritransfer.evaluation.metrics import Convention, Evaluation, RegionScores, Summary
from napari_mritransfer.io.atomic import write_text

if TYPE_CHECKING:
    from rich.table import Table

METRICS = ("psnr", "ssim", "nmse")
HEADINGS = ("PSNR (dB)", "SSIM", "NMSE", "PSNR whole (dB)", "SSIM, whole image", "NMSE, whole image")

_IN_TERMINAL = 4  # of the headings
_DECIMALS = {"psnr": 2, "ssim": 3, "nmse": 4}
_NULL_NOTE = "null stands for infinite: at least one slice equals the reference exactly"


@dataclass(frozen=True, slots=True)
class MethodScores:
    """One reconstruction's scores.

    Attributes
    ----------
    method
        Name as shown to people, such as ``zero-filled`` or ``LFT``.
    evaluation
        Its numbers and their convention.
    details
        What else belongs to the row, ready for JSON: strategy, trainable parameters, seconds, seed, achieved rate.
    """

    method: str
    evaluation: Evaluation
    details: Mapping[str, object]


def as_records(scores: Sequence[MethodScores]) -> list[dict[str, object]]:
    """The list that metrics.json holds: strictly valid JSON, infinite PSNRs as null with a note.

    Returns
    -------
    records
        One per method. ``psnr``, ``psnr_sd``, ``ssim`` … are the headline: foreground, mean over slices. ``whole``
        and ``foreground`` hold the rest, ``convention`` says how; then come the method's details.

    Raises
    ------
    ValueError
        If a detail bears the name of a metric field, or cannot be written as JSON.
    """
    return [_record(one) for one in scores]


def write_json(scores: Sequence[MethodScores], path: Path) -> None:
    """`as_records` as an indented UTF-8 file; appears at `path` complete or not at all."""
    write_text(path, json.dumps(as_records(scores), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(scores: Sequence[MethodScores], path: Path) -> None:
    """One row per method: headline numbers, whole-image numbers, convention, details; infinite PSNRs as ``inf``.

    Raises
    ------
    ValueError
        As `as_records`.
    """
    rows = [_row(one) for one in scores]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def rich_table(scores: Sequence[MethodScores], title: str, *, winner: str | None = None) -> "Table":
    """Table for a terminal of 80 columns: mean ± SD over slices, the convention below it; files hold the rest.

    Parameters
    ----------
    scores
        The rows, in order.
    title
        Above the table; shown as it is, markup is not interpreted.
    winner
        The verdict's winner; its rows are bold. Without one no row is marked, highest PSNR or not.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    caption = Text("\n".join(convention_lines(scores)))
    table = Table(title=Text(title), caption=caption, caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Method", overflow="fold")
    for heading in HEADINGS[:_IN_TERMINAL]:
        table.add_column(heading, justify="right", no_wrap=True)
    for one in scores:
        numbers = cells(one.evaluation)[:_IN_TERMINAL]
        table.add_row(Text(one.method), *numbers, style="bold" if one.method == winner else None)
    return table


def cells(evaluation: Evaluation) -> list[str]:
    """The six numbers under `HEADINGS`, each as mean ± SD over slices."""
    regions = (evaluation.foreground, evaluation.whole)
    return [mean_sd(getattr(region, metric), _DECIMALS[metric]) for region in regions for metric in METRICS]


def mean_sd(summary: Summary, decimals: int) -> str:
    """``34.12 ± 0.80``; ``∞`` where every slice is exact; no SD where there is a single slice."""
    mean = _number(summary.mean, decimals)
    if len(summary.slices) < 2 or summary.mean == math.inf:
        return mean
    return f"{mean} ± {_number(summary.sd, decimals)}"


def convention_lines(scores: Sequence[MethodScores]) -> list[str]:
    """The conventions of all rows, each field once; more than one line per field only if rows differ."""
    conventions = dict.fromkeys(one.evaluation.convention for one in scores)
    return list(dict.fromkeys(line for convention in conventions for line in _convention_text(convention)))


def _convention_text(convention: Convention) -> list[str]:
    return [
        f"Peak: {convention.peak} maximum of the reference.",
        f"Intensities: {convention.intensity}; {convention.magnitude}.",
        f"PSNR: {convention.psnr}.",
        f"SSIM: {convention.ssim}.",
        f"NMSE: {convention.nmse}.",
        f"Foreground: {convention.foreground}.",
        f"Values: {convention.slices}.",
        f"Data: {convention.data}.",
    ]


def _number(value: float, decimals: int) -> str:
    if value == math.inf:
        return "∞"
    # An NMSE of 0.00004 would print as 0.0000, which reads as perfect.
    return f"{value:.1e}" if 0 < abs(value) < 10**-decimals else f"{value:.{decimals}f}"


def _headline(evaluation: Evaluation) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for metric in METRICS:
        summary: Summary = getattr(evaluation.foreground, metric)
        numbers |= {metric: summary.mean, f"{metric}_sd": summary.sd}
    return numbers


def _record(one: MethodScores) -> dict[str, object]:
    evaluation = one.evaluation
    record: dict[str, object] = {
        "method": one.method,
        **_headline(evaluation),
        "region": "foreground",
        "summary": "mean over slices",
        "convention": asdict(evaluation.convention),
        "whole": _region_record(evaluation.whole),
        "foreground": _region_record(evaluation.foreground),
    }
    if math.inf in (evaluation.foreground.psnr.mean, evaluation.whole.psnr.mean):
        record["note"] = _NULL_NOTE
    _refuse_clash(one, record)
    valid = _valid({**record, **one.details}, one.method)
    assert isinstance(valid, dict)
    return valid


def _region_record(scores: RegionScores) -> dict[str, dict[str, object]]:
    return {metric: asdict(getattr(scores, metric)) for metric in METRICS}


def _row(one: MethodScores) -> dict[str, object]:
    evaluation = one.evaluation
    row: dict[str, object] = {"method": one.method, **_headline(evaluation), "region": "foreground"}
    row["summary"] = "mean over slices"
    for metric in METRICS:
        inside: Summary = getattr(evaluation.foreground, metric)
        whole: Summary = getattr(evaluation.whole, metric)
        row |= {
            f"{metric}_volume": inside.volume,
            f"whole_{metric}": whole.mean,
            f"whole_{metric}_sd": whole.sd,
            f"whole_{metric}_volume": whole.volume,
        }
    row["slices"] = len(evaluation.foreground.psnr.slices)
    row |= {f"convention_{name}": text for name, text in asdict(evaluation.convention).items()}
    _refuse_clash(one, row)
    for name, value in one.details.items():
        plain = _valid(value, one.method)
        row[name] = json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else plain
    return row


def _refuse_clash(one: MethodScores, fields: Mapping[str, object]) -> None:
    clash = sorted(set(fields) & set(one.details))
    if clash:
        raise ValueError(f"The details of {one.method} would overwrite {', '.join(clash)}; give them other names.")


def _valid(value: object, method: str) -> object:
    """`value` in JSON's own types; NaN and infinity, which JSON lacks, as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): _valid(item, method) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_valid(item, method) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Path):
        return value.as_posix()
    raise ValueError(f"The details of {method} hold a {type(value).__name__}, which JSON cannot; pass numbers or text.")
