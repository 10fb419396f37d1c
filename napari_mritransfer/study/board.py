"""A comparison as a folder: report, tables, pictures and NIfTIs for people, arrays and one record for the viewer."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mritransfer.evaluation.figure import comparison_figure
from napari_mritransfer.evaluation.metrics import Summary
from napari_mritransfer.evaluation.report import write_report
from napari_mritransfer.evaluation.table import convention_lines, write_csv
from napari_mritransfer.io import Origin, save
from napari_mritransfer.io.atomic import replacing, write_text
from napari_mritransfer.physics.undersampling import zero_filled
from napari_mritransfer.study.comparison import Comparison, made_from, magnitude, origin_of, records, seeds_apart, stack
from napari_mritransfer.study.methods import REFERENCE

BOARD, FIGURE = "board.json", "figure.json"
TABLES = ("metrics.csv", "metrics.json", "report.html", "verdict.txt")
PICTURE = "comparison.png"
_FOREGROUND = "foreground"
_LONGEST_NAME = 100  # of 255 bytes that file systems allow
_WINDOW_PERCENTILE = 99.9


def write_board(comparison: Comparison, out: Path, *, title: str) -> dict[str, Any]:
    """`write_comparison`, and what the viewer shows of it.

    Besides: ``reference.npy`` and one .npy per method, float32 ``(frame, slice, y, x)``; ``figure.json``, what
    `study.export` draws the figure with; ``board.json``, the record, written last, so that its presence tells that the
    folder is complete.

    Returns
    -------
    record
        In JSON's own types. ``psnr`` (dB) and ``ssim`` are foreground means of the seed that is shown, their
        ``slice_`` lists have an entry per slice of all frames, None where a slice does not count; all are None without
        reference, and PSNR also where the method equals the reference exactly. ``white`` is the 99.9th percentile of
        the reference (of the zero-filled image without one), in the images' unit.
    """
    write_comparison(comparison, out, title=title)
    return write_record(comparison, out, title=title)


def write_record(comparison: Comparison, out: Path, *, title: str) -> dict[str, Any]:
    """What `write_board` adds to a folder of `write_comparison`."""
    names = file_names(list(comparison.images))
    for name, image in comparison.images.items():
        _save_array(image, out / f"{names[name]}.npy")
    if comparison.reference is not None:
        _save_array(comparison.reference, out / f"{REFERENCE}.npy")
    figure = {"title": title, "spacing": _spacing(comparison), "captions": _captions(comparison),
              "note": _note(comparison)}  # fmt: skip
    write_text(out / FIGURE, json.dumps(figure, indent=2))
    record = {
        "out": str(out),
        "reference": None if comparison.reference is None else f"{REFERENCE}.npy",
        "methods": _method_records(comparison, names),
        "verdict": comparison.verdict.sentence,
        "data": _data(comparison),
        "warnings": list(comparison.warnings),
        "description": comparison.measurement.describe_sampling(),
        "convention": convention_lines(comparison.scores),
        "white": _white(comparison),
    }
    write_text(out / BOARD, json.dumps(record, indent=2, allow_nan=False))
    return record


def write_comparison(
    comparison: Comparison,
    out: Path,
    *,
    title: str,
    sentence: str = "",
    facts: Mapping[str, Mapping[str, str]] | None = None,
    extra_figures: Sequence[tuple[Path, str]] = (),
) -> None:
    """Write everything a comparison shows into a folder.

    ``metrics.json``, ``metrics.csv``, ``comparison.png``, ``report.html``, ``verdict.txt``, ``reference.nii.gz``,
    ``foreground.nii.gz`` and one NIfTI per method, with the affine of the scan's file. Without a reference there is no
    ``metrics.csv``, ``reference.nii.gz`` and ``foreground.nii.gz``, and the figure has no errors.
    """
    out.mkdir(parents=True, exist_ok=True)
    _forget_earlier_board(out)
    scan = comparison.scan
    rows = json.dumps(records(comparison), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(out / "metrics.json", rows + "\n")
    origin = origin_of(scan, comparison.measurement)
    if comparison.reference is not None and comparison.mask is not None:
        write_csv(comparison.scores, out / "metrics.csv")
        truth = Origin.SIMULATED if scan.origin is Origin.SIMULATED else Origin.MAGNITUDE
        save(scan.with_image(comparison.reference, origin=truth), out / f"{REFERENCE}.nii.gz")
        mask = comparison.mask.reshape(comparison.reference.shape).astype(np.float32)
        save(scan.with_image(mask), out / f"{_FOREGROUND}.nii.gz")
    names = file_names(list(comparison.images))
    for name, image in comparison.images.items():
        save(scan.with_image(image, origin=origin), out / f"{names[name]}.nii.gz")
    seeds = seeds_apart(comparison)
    comparison_figure(
        None if comparison.reference is None else stack(comparison.reference),
        {name: stack(image) for name, image in comparison.images.items()}, _captions(comparison), out / PICTURE,
        title=title, spacing=_spacing(comparison), note=_note(comparison),
    )  # fmt: skip
    tables: dict[str, Mapping[str, str]] = {"Measurement": _measured(comparison)}
    if comparison.reference is None:
        tables["Methods"] = {method.name: ", ".join(method.sources) or "no model" for method in comparison.methods}
    if seeds:
        tables = {"PSNR of every seed (dB; the table above and the figure show the first)": seeds, **tables}
    write_report(
        out / "report.html", title=title, sentence=sentence or comparison.verdict.sentence, scores=comparison.scores,
        figures=[(out / PICTURE, _figure_caption(comparison)), *extra_figures],
        facts={**tables, **(facts or {})}, warnings=comparison.warnings,
    )  # fmt: skip
    write_text(out / "verdict.txt", f"{comparison.verdict.sentence}\nData: {_data(comparison)}.\n")


def file_names(methods: Sequence[str]) -> dict[str, str]:
    """Method name to the stem of its files: nothing a file system minds, and no two the same."""
    taken = {REFERENCE, _FOREGROUND}
    names = {}
    for method in methods:
        plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in method).strip("-")[:_LONGEST_NAME] or "method"
        stem, number = plain, 1
        while stem.casefold() in taken:  # some file systems do not tell capitals apart
            number += 1
            stem = f"{plain}-{number}"
        taken.add(stem.casefold())
        names[method] = stem
    return names


def _forget_earlier_board(out: Path) -> None:
    """Remove what an earlier comparison left: it belongs to another measurement."""
    try:
        earlier = [str(row["method"]) for row in json.loads((out / "metrics.json").read_text("utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return
    stems = [REFERENCE, _FOREGROUND, *file_names(earlier).values()]
    images = [f"{stem}{ending}" for stem in stems for ending in (".nii.gz", ".npy")]
    for name in (BOARD, FIGURE, *images, PICTURE, *TABLES):
        (out / name).unlink(missing_ok=True)


def _method_records(comparison: Comparison, names: Mapping[str, str]) -> list[dict[str, Any]]:
    scores = {one.method: one.evaluation.foreground for one in comparison.scores}
    found: list[dict[str, Any]] = []
    for method in comparison.methods:
        n_slices = len(stack(comparison.images[method.name]))
        row: dict[str, Any] = {"name": method.name, "image": f"{names[method.name]}.npy"}
        row["sources"] = list(method.sources)
        region = scores.get(method.name)
        for metric in ("psnr", "ssim"):
            summary: Summary | None = getattr(region, metric, None)
            values: list[float | None] = [None] * n_slices
            if region is not None and summary is not None:
                for index, value in zip(region.counted, summary.slices, strict=True):
                    values[index] = _finite(value)
            row |= {metric: None if summary is None else _finite(summary.mean), f"slice_{metric}": values}
        found.append(row)
    return found


def _finite(value: float) -> float | None:
    """JSON has no infinity, which is the PSNR of an exact copy."""
    return float(value) if math.isfinite(value) else None


def _white(comparison: Comparison) -> float:
    shown = comparison.reference
    if shown is None:
        shown = magnitude(zero_filled(comparison.measurement), comparison.measurement)
    # an image that is almost all air is still shown in a window
    return float(np.percentile(shown, _WINDOW_PERCENTILE)) or float(shown.max()) or 1.0


def _save_array(image: NDArray[np.float32], path: Path) -> None:
    with replacing(path) as partial:
        np.save(partial, image, allow_pickle=False)


def _spacing(comparison: Comparison) -> tuple[float, float]:
    return comparison.scan.spacing_mm[1], comparison.scan.spacing_mm[2]


def _captions(comparison: Comparison) -> dict[str, str]:
    return {
        s.method: f"PSNR {s.evaluation.foreground.psnr.mean:.2f} dB, SSIM {s.evaluation.foreground.ssim.mean:.3f}"
        for s in comparison.scores
    }


def _note(comparison: Comparison) -> str:
    if comparison.reference is None:
        return "No fully sampled reference: no errors and no numbers\n" + _data(comparison)
    peak = comparison.scores[0].evaluation.convention.peak
    return (
        f"Numbers: foreground, mean over all slices, peak = {peak} maximum\n"
        f"{_data(comparison)}"
    )


def _data(comparison: Comparison) -> str:
    return made_from(comparison.scan, comparison.measurement)


def _figure_caption(comparison: Comparison) -> str:
    has_seeds = any(len(method.sources) > 1 for method in comparison.methods)
    first = " Where there are several seeds, the first is shown." if has_seeds else ""
    if comparison.reference is None:
        return f"The middle slice under one window; there is no reference to take errors against.{first}"
    peak = comparison.scores[0].evaluation.convention.peak
    return (
        "The middle slice under one window; below, the absolute error at one magnification. Numbers: "
        f"foreground, mean over all slices, peak = {peak} maximum; {_data(comparison)}.{first}"
    )


def _measured(comparison: Comparison) -> dict[str, str]:
    scan, measurement = comparison.scan, comparison.measurement
    mask, axis = measurement.mask, measurement.phase_encode
    if mask.pattern is None:
        counted = f"{mask.lines.sum()} of {mask.lines.size} {mask.unit}"
        lines = f"{counted} hold signal, {mask.centre_lines} around the centre"
    else:
        lines = f"{mask.pattern.kind}, ACS {mask.pattern.acs:.1%}, seed {mask.pattern.seed}"
    return {
        "scan": scan.name,
        "matrix (y, x)": f"{measurement.matrix[0]} × {measurement.matrix[1]}",
        "k-space measured (ky, kx)": f"{measurement.kspace.shape[-2]} × {measurement.kspace.shape[-1]}",
        "mask": lines if mask.is_plane else f"{lines}, along {axis}",
        "coils": str(measurement.n_coils) if measurement.n_coils > 1 else "one, or combined",
        "sampling rate": measurement.describe_rate(),
        "acceleration": f"{mask.acceleration:.2f}",
        "noise added": f"sigma {measurement.noise_sigma:.4g} per real channel" if measurement.noise_sigma else "none",
        **comparison.computed,
    }
