"""`cohort evaluate`: how far off networks are on subjects whom they have not seen."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_mritransfer.cli import sampling as sampling_options
from napari_mritransfer.cli.cohort import Known
from napari_mritransfer.cli.console import Answer, AsJson, JobEndedBadly, answer, out, progress
from napari_mritransfer.cli.jobs import stop_on_ctrl_c
from napari_mritransfer.io.errors import BadInput

if TYPE_CHECKING:
    from napari_mritransfer.cohort.evaluation import Evaluated
    from napari_mritransfer.cohort.splits import Side


def evaluate(
    models: Annotated[
        list[str], typer.Argument(help="A run directory, a shipped model or a file; the runs of all folds together.")
    ],
    table: Annotated[Path | None, typer.Option(help="Other scans; if omitted, those of the run's own split.")] = None,
    label: Annotated[str, typer.Option(help="Column that holds the truth; the model's own if omitted.")] = "",
    known: Known = "",
    side: Annotated[Literal["test", "validation", "train"], typer.Option(help="Whom of the run's split.")] = "test",
    group: Annotated[str, typer.Option(help="Column over whose groups intervals are drawn, such as site.")] = "",
    csv: Annotated[Path | None, typer.Option(help="Write every prediction to a CSV file.")] = None,
    device: sampling_options.Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Predict subjects, by default those whom a network has not seen, and say how far off it is, with intervals."""

    def found() -> Answer:
        from napari_mritransfer.cohort.evaluation import pooled
        from napari_mritransfer.recon.network import ReconstructionStopped

        try:
            with progress() as bar, stop_on_ctrl_c("Stopping.") as should_stop:
                parts = [
                    _evaluated(
                        model, table, label, known, side, group, device,
                        partial(bar, f"Predicting, {Path(model).name}"), should_stop,
                    )
                    for model in models
                ]  # fmt: skip
        except ReconstructionStopped as stopped:
            raise JobEndedBadly("Stopped; nothing was written.") from stopped
        result = parts[0] if len(parts) == 1 else pooled(parts)
        if csv is not None:
            result.write_csv(csv)

        def show() -> None:
            for sentence in result.sentences:
                out.print(sentence)
            if csv is not None:
                out.print(f"Written: {csv}")

        return Answer(result.as_record(), show)

    answer(as_json, found)


def _evaluated(
    model: str, table: Path | None, label: str, known: str, side: "Side", group: str, device: str,
    on_progress: Callable[[int, int], None], should_stop: Callable[[], bool],
) -> "Evaluated":  # fmt: skip
    from napari_mritransfer.cohort.config import CohortConfig
    from napari_mritransfer.cohort.evaluation import evaluate_model
    from napari_mritransfer.cohort.model import open_cohort_model
    from napari_mritransfer.cohort.splits import read_split
    from napari_mritransfer.cohort.told import label_told, network_told, read_told
    from napari_mritransfer.cohort.work import SPLIT
    from napari_mritransfer.training.rundir import RunDirectory

    told = read_told(known)
    opened = open_cohort_model(model, label=label_told(told), **network_told(told))
    split, source, images, subjects = None, table, "", ""
    if source is None:
        if not Path(model).is_dir():
            raise BadInput("A model alone has nobody to predict; name a table with --table.")
        config = RunDirectory(Path(model), CohortConfig).config()
        split, source = read_split(Path(model) / SPLIT), Path(config.table)
        images, subjects = config.image_column, config.subject_column
    return evaluate_model(
        opened, source, label=label, split=split, side=side, group=group, device=device, on_progress=on_progress,
        should_stop=should_stop, image_column=images, subject_column=subjects,
    )  # fmt: skip
