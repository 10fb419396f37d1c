"""`undersample`, `reconstruct`: one scan in, one scan out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.console import Answer, AsJson, answer, out, progress
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind

if TYPE_CHECKING:
    from torch import Tensor

    from napari_mritransfer.io import Scan
    from napari_mritransfer.physics.undersampling import Measurement

ScanPath = Annotated[
    Path, typer.Argument(help="An image (.nii, .nii.gz, .mgz, DICOM) or k-space (.h5, .mrd, .cfl, .npy, …).")
]
OutPath = Annotated[Path, typer.Option("--out", help="NIfTI file to write (.nii or .nii.gz).")]


def undersample(
    path: ScanPath,
    to: OutPath,
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
    as_json: AsJson = False,
) -> None:
    """Undersample a scan, or take it as it was measured, and write its zero-filled image."""

    def found() -> Answer:
        from napari_mritransfer.io import load
        from napari_mritransfer.physics.undersampling import zero_filled
        from napari_mritransfer.study.sampling import remarks

        _check_target(to, path)
        scan = load(path, variable=variable, axes=axes, series=series)
        sampling = options.sampling(
            options.pattern(kind, rate, acs, seed, offset), phase_encode, whole_matrix, snr, as_measured=as_measured,
            smooth_phase=smooth_phase, coils=coils, virtual_coils=virtual_coils, combine_coils=combine_coils,
        )  # fmt: skip
        measurement = sampling.measure(scan)
        _write(zero_filled(measurement), measurement, scan, to)
        return _measured(measurement, to, scan, remarks(scan, sampling, measurement))

    answer(as_json, found)


def reconstruct(
    path: ScanPath,
    model: Annotated[
        str, typer.Option(help="A model's name, a run directory, a weights file, or a classical method such as sense.")
    ],
    to: OutPath,
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
    device: options.Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Undersample a scan, or take it as it was measured, and reconstruct it with a network or a classical method."""

    def found() -> Answer:
        from napari_mritransfer.io import load
        from napari_mritransfer.physics.undersampling import zero_filled
        from napari_mritransfer.recon import network
        from napari_mritransfer.recon.classical import reconstruct_classical
        from napari_mritransfer.recon.classical_menu import CLASSICAL
        from napari_mritransfer.recon.precision import autocast_for
        from napari_mritransfer.study.methods import ZERO_FILLED
        from napari_mritransfer.study.sampling import remarks
        from napari_mritransfer.training.checkpoint import open_model
        from napari_mritransfer.training.device import choose_device

        _check_target(to, path)
        scan = load(path, variable=variable, axes=axes, series=series)
        sampling = options.sampling(
            options.pattern(kind, rate, acs, seed, offset), phase_encode, whole_matrix, snr, as_measured=as_measured,
            smooth_phase=smooth_phase, coils=coils, virtual_coils=virtual_coils, combine_coils=combine_coils,
        )  # fmt: skip
        measurement = sampling.measure(scan)
        warnings = remarks(scan, sampling, measurement)
        with progress() as show:
            told = partial(show, "Reconstructing slices")
            if model == ZERO_FILLED:
                image = zero_filled(measurement)
            elif model in [row.name for row in CLASSICAL]:
                image = reconstruct_classical(model, measurement.kspace, measurement.sampled, on_slice=told)
            else:
                base, where = open_model(model), choose_device(device)
                image = network.reconstruct(
                    measurement, base.network.to(where), autocast=autocast_for(where), on_slice=told
                )
                warnings += base.notes
                if base.card is not None:
                    rows, n_coils = measurement.readout_positions, measurement.n_coils
                    warnings += base.card.outside_of_training(measurement.mask, rows, n_coils)
        _write(image, measurement, scan, to)
        return _measured(measurement, to, scan, warnings)

    answer(as_json, found)


def _check_target(path: Path, source: Path) -> None:
    """Before the work is done, not after."""
    if path.resolve() == source.resolve():
        raise BadInput(f"{path.name} is the input itself; let --out name another file.")
    if not path.name.endswith((".nii", ".nii.gz")):
        raise BadInput(f"{path.name} is not a NIfTI name; let --out end in .nii.gz.")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"The folder {path.absolute().parent} does not exist; create it or write elsewhere.")


def _write(image: "Tensor", measurement: "Measurement", scan: "Scan", to: Path) -> None:
    from napari_mritransfer.io import save
    from napari_mritransfer.study.comparison import magnitude, origin_of

    save(scan.with_image(magnitude(image, measurement), origin=origin_of(scan, measurement)), to)


def _measured(measurement: "Measurement", to: Path, scan: "Scan", notes: Sequence[str]) -> Answer:
    from napari_mritransfer.io import Origin
    from napari_mritransfer.study.comparison import origin_of

    mask = measurement.mask
    record = {
        "out": str(to),
        "nominal_rate": mask.nominal_rate,
        "achieved_rate": mask.achieved_rate,
        "effective_rate": measurement.effective_rate,
        mask.unit: mask.lines.size,
        f"measured_{mask.unit}": int(mask.lines.sum()),
        "phase_encode": measurement.phase_encode,
        "noise_sigma": measurement.noise_sigma,
        "coils": measurement.n_coils,
        "simulated": origin_of(scan, measurement) is Origin.SIMULATED,
        "warnings": list(notes),
    }

    def show() -> None:
        out.print(f"Sampling: {measurement.describe_sampling()}")
        for note in notes:
            out.print(note)
        out.print(f"Written: {to}")

    return Answer(record, show)
