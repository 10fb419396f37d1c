"""One fully sampled scan, undersampled once, reconstructed by every method, judged by the same numbers."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_mritransfer.evaluation.figure import comparison_figure
from napari_mritransfer.evaluation.metrics import Evaluation, Peak, evaluate, foreground
from napari_mritransfer.evaluation.region import FOREGROUND_RULE
from napari_mritransfer.evaluation.report import write_report
from napari_mritransfer.evaluation.table import MethodScores, as_records, write_csv, write_json
from napari_mritransfer.evaluation.verdict import Verdict, verdict
from napari_mritransfer.io import Origin, Scan, load, save
from napari_mritransfer.io.atomic import write_text
from napari_mritransfer.physics.undersampling import Measurement, assumed_axis, on_image_matrix, zero_filled
from napari_mritransfer.recon.network import reconstruct
from napari_mritransfer.recon.precision import Precision, autocast_for, use_bfloat16
from napari_mritransfer.study.methods import ZERO_FILLED, Method
from napari_mritransfer.study.sampling import Sampling, doubts
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.rundir import RunDirectory, environment

SIMULATED = {
    Origin.MAGNITUDE: "k-space was simulated from a magnitude image: real raw data are harder for every method.",
    Origin.COIL_COMBINED: "k-space was simulated from a coil-combined image: real multi-coil raw data are different.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Numbers and pictures of one scan under several methods.

    Attributes
    ----------
    scan
        The reference as it was loaded.
    reference
        ``(frame, slice, y, x)`` magnitude: the fully sampled, band-limited image on the scan's own matrix.
    mask
        ``(slice, y, x)`` foreground of the reference, frames stacked.
    images
        Method name to the magnitude of its first seed, as `reference`.
    scores
        One row per method, of its first seed; ``details["psnr_by_seed"]`` has the others.
    measurement
        What every method started from.
    verdict
        Who is best, if anyone is.
    warnings
        Sentences to read before the numbers.
    computed
        Device, precision and versions.
    """

    scan: Scan
    reference: NDArray[np.float32]
    mask: NDArray[np.bool_]
    images: Mapping[str, NDArray[np.float32]]
    scores: tuple[MethodScores, ...]
    measurement: Measurement
    verdict: Verdict
    warnings: tuple[str, ...]
    computed: Mapping[str, str]


def compare(
    path: str,
    methods: Sequence[Method],
    sampling: Sampling,
    *,
    peak: Peak = Peak.VOLUME,
    device: str = "auto",
    precision: Precision = "auto",
    on_progress: Callable[[str, int, int], None] = lambda method, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Undersample a reference and reconstruct it with every method.

    Parameters
    ----------
    path
        Fully sampled scan.
    methods
        See `resolve_methods`.
    on_progress
        Told method, slices done and all slices.

    Raises
    ------
    UnreadableScan, BadConfig, UnknownModel, UnreadableWeights
        If a file or a setting does not work; the message says which.
    ReconstructionStopped
        If `should_stop` said so.
    """
    where = choose_device(device)
    scan = load(path)
    measurement = sampling.measure(scan)
    reference = _magnitude(measurement.reference, measurement)
    mask = foreground(_stack(reference))
    warnings = [SIMULATED[scan.origin]] if scan.origin in SIMULATED else []
    warnings += [measurement.mask.note] if measurement.mask.note else []
    if not (sampling.phase_encode or scan.phase_encode):
        warnings.append(assumed_axis(measurement.phase_encode))
    warnings += doubts(methods, path, sampling, measurement)
    images: dict[str, NDArray[np.float32]] = {}
    scores: list[MethodScores] = []
    for method in methods:
        evaluations: list[Evaluation] = []
        for source in method.sources or (ZERO_FILLED,):
            if method.sources:
                base = open_model(source)
                if base.card is not None:
                    warnings += base.card.outside_of_training(measurement.mask, measurement.readout_positions)
                complex_image = reconstruct(
                    measurement, base.network.to(where),
                    autocast=autocast_for(where, precision), should_stop=should_stop,
                    on_slice=lambda done, total, name=method.name: on_progress(name, done, total),  # type: ignore[misc]
                )  # fmt: skip
            else:
                complex_image = zero_filled(measurement)
            image = _magnitude(complex_image, measurement)
            images.setdefault(method.name, image)
            made_from = f"k-space simulated from a {scan.origin} image"
            pair = _stack(reference), _stack(image)
            evaluations.append(evaluate(*pair, mask, peak=peak, mask_rule=FOREGROUND_RULE, data=made_from))
        scores.append(MethodScores(method.name, evaluations[0], _details(method, evaluations, measurement)))
    psnr = {one.method: psnr_by_seed(one) for one in scores}
    decision = verdict(psnr, deterministic=[method.name for method in methods if not method.was_trained])
    computed = {
        "computed on": f"{where}, {'bfloat16' if use_bfloat16(where, precision) else 'float32'} convolutions",
        "versions": ", ".join(f"{name} {version}" for name, version in environment().items()),
    }
    return Comparison(
        scan, reference, mask, images, tuple(scores), measurement, decision, tuple(dict.fromkeys(warnings)), computed
    )


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

    ``metrics.json``, ``metrics.csv``, ``comparison.png``, ``report.html``, ``reference.nii.gz``,
    ``foreground.nii.gz`` and one NIfTI per method, with the affine of the reference's file.
    """
    out.mkdir(parents=True, exist_ok=True)
    _forget_earlier_board(out)
    scan, measurement = comparison.scan, comparison.measurement
    write_json(comparison.scores, out / "metrics.json")
    write_csv(comparison.scores, out / "metrics.csv")
    save(scan.with_image(comparison.reference, origin=Origin.MAGNITUDE), out / "reference.nii.gz")
    save(scan.with_image(comparison.mask.reshape(comparison.reference.shape).astype(np.float32)),
         out / "foreground.nii.gz")
    for name, image in comparison.images.items():
        save(scan.with_image(image, origin=Origin.SIMULATED), out / f"{file_name(name)}.nii.gz")
    captions = {
        s.method: f"PSNR {s.evaluation.foreground.psnr.mean:.2f} dB, SSIM {s.evaluation.foreground.ssim.mean:.3f}"
        for s in comparison.scores
    }
    peak = comparison.scores[0].evaluation.convention.peak
    seeds = seeds_apart(comparison)
    comparison_figure(
        _stack(comparison.reference), {n: _stack(i) for n, i in comparison.images.items()}, captions,
        out / "comparison.png", title=title, spacing=(scan.spacing_mm[1], scan.spacing_mm[2]),
        note=f"Numbers: foreground, mean over all slices, peak = {peak} maximum\n"
        f"k-space simulated from a {scan.origin} image",
    )  # fmt: skip
    figures = [(out / "comparison.png",
                "The middle slice under one window; below, the absolute error at one magnification. Numbers: "
                f"foreground, mean over all slices, peak = {peak} maximum; k-space simulated."
                + (" Where there are several seeds, the first is shown." if seeds else ""))]
    pattern = measurement.mask.pattern
    measured = {
        "scan": scan.name,
        "matrix (y, x)": f"{measurement.matrix[0]} × {measurement.matrix[1]}",
        "k-space measured (ky, kx)": f"{measurement.kspace.shape[-2]} × {measurement.kspace.shape[-1]}",
        "mask": f"{pattern.kind}, ACS {pattern.acs:.1%}, seed {pattern.seed}, along {measurement.phase_encode}",
        "sampling rate": measurement.describe_rate(),
        "acceleration": f"{measurement.mask.acceleration:.2f}",
        "noise added": f"sigma {measurement.noise_sigma:.4g} per real channel" if measurement.noise_sigma else "none",
        **comparison.computed,
    }
    tables: dict[str, Mapping[str, str]] = {"Measurement": measured}
    if seeds:
        tables = {"PSNR of every seed (dB; the table above and the figure show the first)": seeds, **tables}
    write_report(
        out / "report.html", title=title, sentence=sentence or comparison.verdict.sentence, scores=comparison.scores,
        figures=[*figures, *extra_figures], facts={**tables, **(facts or {})},
        warnings=comparison.warnings,
    )  # fmt: skip
    write_text(out / "verdict.txt", comparison.verdict.sentence + "\n")


def _forget_earlier_board(out: Path) -> None:
    """Remove the reconstructions of an earlier comparison: they belong to another reference."""
    try:
        earlier = [file_name(str(row["method"])) for row in json.loads((out / "metrics.json").read_text("utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):
        return
    for name in earlier:
        (out / f"{name}.nii.gz").unlink(missing_ok=True)


def seeds_apart(comparison: Comparison) -> dict[str, str]:
    """PSNR in dB of every seed of the methods that have several."""
    seeds = {scores.method: psnr_by_seed(scores) for scores in comparison.scores}
    return {method: ", ".join(f"{v:.2f}" for v in values) for method, values in seeds.items() if len(values) > 1}


def psnr_by_seed(scores: MethodScores) -> list[float]:
    """Foreground PSNR in dB, mean over slices, of every seed of a method."""
    values = scores.details["psnr_by_seed"]
    assert isinstance(values, list)
    return values


def records(comparison: Comparison) -> list[dict[str, object]]:
    """What metrics.json holds."""
    return as_records(comparison.scores)


def file_name(method: str) -> str:
    """A method's name with everything but letters, digits, ``-`` and ``_`` replaced."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in method).strip("-")


def _details(method: Method, evaluations: Sequence[Evaluation], measurement: Measurement) -> dict[str, object]:
    details: dict[str, object] = {
        "psnr_by_seed": [e.foreground.psnr.mean for e in evaluations],
        "nominal_rate": measurement.mask.pattern.rate,
        "achieved_rate": measurement.mask.achieved_rate,
        "effective_rate": measurement.effective_rate,
    }
    if method.sources:
        details["models"] = list(method.sources)
    if method.config is not None:
        outcome = RunDirectory(Path(method.sources[0])).metrics() or {}
        details |= {"strategy": method.config.strategy, "config": json.loads(method.config.as_json())}
        wanted = ("trainable", "total", "best_step", "step", "seconds")
        details |= {key: outcome[key] for key in wanted if key in outcome}
    return details


def _magnitude(image: Tensor, measurement: Measurement) -> NDArray[np.float32]:
    return np.asarray(on_image_matrix(image, measurement.matrix).abs().numpy(), dtype=np.float32)


def _stack(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames and slices as one stack: metrics know slices only."""
    return image.reshape(-1, *image.shape[-2:])
