"""`cohort predict`: what networks say of scans, or of their reconstructions, and where they look."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.cohort import Known, OutFolder, Slicing
from napari_mritransfer.cli.console import Answer, AsJson, JobEndedBadly, answer, out, progress
from napari_mritransfer.cli.jobs import stop_on_ctrl_c
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind
from napari_mritransfer.zoo.card import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_mritransfer.cohort.record import AttentionRecord


def predict(
    scans: Annotated[list[Path], typer.Argument(help="One scan or several; with --methods, one.")],
    models: Annotated[
        list[str], typer.Option("--model", help="A shipped network, a run directory or a file; may be repeated.")
    ],
    folder: OutFolder,
    known: Known = "",
    methods: Annotated[
        str, typer.Option(help="Undersample the scan first and look at these reconstructions: zero-filled,pretrained,…")
    ] = "",
    pretrained: Annotated[str, typer.Option(help="What `pretrained` means when no run says it.")] = DEFAULT_MODEL,
    kind: options.Kind = MaskKind.RANDOM,
    rate: options.Rate = 0.25,
    acs: options.Acs = 0.08,
    seed: Annotated[int, typer.Option(help="Of the mask, of dropout and of the checks.")] = 0,
    phase_encode: options.PhaseEncodeAxis = None,
    slicing: Annotated[Slicing | None, typer.Option(help="How to cut volumes; as the network was trained.")] = None,
    maps: Annotated[bool, typer.Option("--map/--no-map", help="Also relevance within the slices, as NIfTI.")] = True,
    sanity: Annotated[bool, typer.Option("--sanity", help="Also check whether the maps can be believed.")] = False,
    device: options.Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Predict a label and show where the network looked; with --methods, what undersampling does to both."""

    def found() -> Answer:
        from napari_mritransfer.cohort.attend import attend
        from napari_mritransfer.cohort.looked_at import LookedAt
        from napari_mritransfer.cohort.model import open_cohort_model
        from napari_mritransfer.cohort.told import label_told, network_told, read_told
        from napari_mritransfer.cohort.undersampled import undersample_and_attend
        from napari_mritransfer.recon.network import ReconstructionStopped

        names = [name.strip() for name in methods.split(",") if name.strip()]
        if names and len(scans) > 1:
            raise BadInput("With --methods one scan is undersampled; name one scan only.")
        told = read_told(known)
        networks = [open_cohort_model(one, label=label_told(told), **network_told(told)) for one in models]
        try:
            with progress() as bar, stop_on_ctrl_c("Stopping.") as should_stop:
                if names:
                    sampling = options.sampling(
                        options.pattern(kind, rate, acs, seed, 0), phase_encode, False, None, as_measured=False,
                        smooth_phase=False, coils=0, virtual_coils=0, combine_coils=False,
                    )  # fmt: skip
                    record = undersample_and_attend(
                        str(scans[0]), names, sampling, networks, folder, pretrained=pretrained, slicing=slicing,
                        device=device, seed=seed, on_progress=bar, should_stop=should_stop,
                        with_map=maps, with_sanity=sanity,
                    )  # fmt: skip
                else:
                    inputs = [LookedAt(path.name.removesuffix(".gz").removesuffix(".nii"), path) for path in scans]
                    record = attend(
                        inputs, networks, folder, slicing=slicing, device=device, seed=seed, on_progress=bar,
                        should_stop=should_stop, with_map=maps, with_sanity=sanity,
                    )  # fmt: skip
        except ReconstructionStopped as stopped:
            raise JobEndedBadly("Stopped; no map was written.") from stopped
        return Answer(record.as_record(), lambda: _show(record))

    answer(as_json, found)


def _show(record: "AttentionRecord") -> None:
    title = "Predictions (simulated)" if record.simulated else "Predictions"
    table = Table(box=None, title=title, title_justify="left")
    for column in ("scan", "network", "prediction", "difference", "spread", "effective slices"):
        table.add_column(column, justify="left" if column in ("scan", "network") else "right")
    for view in record.views:
        cells = (view.input, view.title, view.prediction_text, view.difference_text, view.spread_text)
        table.add_row(*map(Text, cells), f"{view.effective_slices:.1f} of {sum(view.present)}")
    out.print(table)
    for sentence in (*record.sentences, *record.warnings):
        out.print(Text(sentence))
    for sentence in record.said:  # such as that only the first of several frames was looked at
        out.print(Text(sentence, style="dim"))
    for title, error in dict.fromkeys((view.title, view.expected_error) for view in record.views):
        if error:
            out.print(Text(f"{title}: {error}."))
    out.print(Text(f"Written: {record.out}/attention.png, slices.csv, attention.json, *.nii.gz"))
