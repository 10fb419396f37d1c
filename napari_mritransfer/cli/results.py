"""`evaluate` and `compare`: how good, and better than what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.console import Answer, AsJson, answer, out, progress, show_seeds
from napari_mritransfer.evaluation.metrics import Peak
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind
from napari_mritransfer.zoo.card import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_mritransfer.io import Scan

ReferencePath = Annotated[Path, typer.Argument(help="The fully sampled scan.")]
_METHODS = (
    "Comma-separated: zero-filled, pretrained, sense, l1-wavelet, total-variation, model names, files, run directories."
)
PeakOption = Annotated[Peak, typer.Option(help="What PSNR and SSIM call full scale.")]


def evaluate(
    reference: ReferencePath,
    reconstructions: Annotated[list[Path], typer.Argument(help="Reconstructions on the reference's voxels.")],
    mask: Annotated[Path | None, typer.Option(help="Foreground mask saved with the reference.")] = None,
    peak: PeakOption = Peak.VOLUME,
    csv: Annotated[Path | None, typer.Option(help="Also write the table as CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """PSNR, SSIM and NMSE of reconstructions against a reference."""

    def found() -> Answer:
        import numpy as np

        from napari_mritransfer.evaluation.metrics import evaluate as judge
        from napari_mritransfer.evaluation.table import MethodScores, as_records, rich_table, write_csv
        from napari_mritransfer.io import load

        if csv is not None and not csv.absolute().parent.is_dir():
            raise BadInput(f"The folder {csv.absolute().parent} does not exist; create it or write elsewhere.")
        truth = load(reference)
        truth_stack = np.abs(truth.image).reshape(-1, *truth.image.shape[-2:])
        region = None
        if mask is not None:
            given = load(mask)
            if not _same_grid(given, truth):
                raise BadInput(f"{mask.name} is no mask on the voxels of {reference.name}; use the one saved with it.")
            region = given.image.reshape(truth_stack.shape) > 0.5
        scores = []
        for path in reconstructions:
            scan = load(path)
            if not _same_grid(scan, truth):
                raise BadInput(f"{path.name} lies elsewhere in space than {reference.name}; resample it to that grid.")
            image = np.abs(scan.image).reshape(-1, *scan.image.shape[-2:])
            try:
                evaluation = judge(truth_stack, image, region, peak=peak)
                scores.append(MethodScores(scan.name, evaluation, {"file": str(path)}))
            except ValueError as error:
                raise BadInput(f"{path.name}: {error}") from error
        if csv is not None:
            write_csv(scores, csv)
        return Answer(as_records(scores), lambda: out.print(rich_table(scores, f"Against {reference.name}")))

    answer(as_json, found)


def compare(
    reference: ReferencePath,
    folder: Annotated[Path, typer.Option("--out", help="Folder for tables, pictures, NIfTIs and the report.")],
    methods: Annotated[
        str, typer.Option(help=_METHODS)
    ] = "zero-filled,pretrained",
    model: Annotated[str, typer.Option(help="What `pretrained` means when no run says it.")] = DEFAULT_MODEL,
    kind: options.Kind = MaskKind.RANDOM,
    rate: options.Rate = 0.25,
    acs: options.Acs = 0.08,
    seed: options.Seed = 0,
    offset: options.Offset = 0,
    phase_encode: options.PhaseEncodeAxis = None,
    whole_matrix: options.WholeMatrix = False,
    snr: options.SnrDb = None,
    smooth_phase: options.SmoothPhase = False,
    as_measured: options.AsMeasured = False,
    coils: options.Coils = 0,
    virtual_coils: options.VirtualCoils = 0,
    combine_coils: options.CombineCoils = False,
    variable: options.Variable = None,
    axes: options.AxisNames = None,
    series: options.Series = None,
    peak: PeakOption = Peak.VOLUME,
    device: options.Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Undersample a scan once, reconstruct it by every method, and write table, figure and report."""

    def found() -> Answer:
        from napari_mritransfer.evaluation.table import rich_table
        from napari_mritransfer.io.array_options import ArrayOptions
        from napari_mritransfer.study.board import write_comparison
        from napari_mritransfer.study.comparison import compare as run
        from napari_mritransfer.study.comparison import records, seeds_apart
        from napari_mritransfer.study.methods import resolve_methods

        names = [name.strip() for name in methods.split(",") if name.strip()]
        if not names:
            raise BadInput("There is no method to compare; give --methods zero-filled,pretrained or run directories.")
        if folder.is_file():
            raise BadInput(f"{folder} is a file; let --out name a folder.")
        if (folder / "config.json").exists() or reference.resolve().parent == folder.resolve():
            raise BadInput(f"{folder} holds a run or the reference itself; choose another folder with --out.")
        sampling = options.sampling(
            options.pattern(kind, rate, acs, seed, offset), phase_encode, whole_matrix, snr, as_measured=as_measured,
            smooth_phase=smooth_phase, coils=coils, virtual_coils=virtual_coils, combine_coils=combine_coils,
        )  # fmt: skip
        with progress() as bar:
            comparison = run(
                str(reference), resolve_methods(names, model), sampling, peak=peak, device=device, on_progress=bar,
                array=ArrayOptions(variable, axes, series=series),
            )  # fmt: skip
        title = f"{reference.name} at {comparison.measurement.mask.achieved_rate:.1%}"
        write_comparison(comparison, folder, title=title)

        def show() -> None:
            if comparison.scores:
                out.print(rich_table(comparison.scores, title, winner=comparison.verdict.winner))
            show_seeds(seeds_apart(comparison))
            out.print(f"Sampling: {comparison.measurement.describe_sampling()}")
            out.print(comparison.verdict.sentence)
            for warning in comparison.warnings:
                out.print(warning)
            out.print(f"Written: {folder}/report.html, comparison.png, metrics.json, metrics.csv, *.nii.gz")

        record = {
            "methods": records(comparison),
            "verdict": comparison.verdict.sentence,
            "winner": comparison.verdict.winner,
            "warnings": list(comparison.warnings),
            "noise_sigma": comparison.measurement.noise_sigma,
        }
        return Answer(record, show)

    answer(as_json, found)


def _same_grid(scan: "Scan", other: "Scan") -> bool:
    """Whether voxels correspond: the same shape and place in space."""
    import numpy as np

    return scan.image.shape == other.image.shape and np.allclose(scan.affine, other.affine, atol=1e-3)
