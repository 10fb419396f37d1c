"""`cohort …`: subjects with labels, networks that predict them, and where those look."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli import sampling as sampling_options
from napari_mritransfer.cli.console import Answer, AsJson, JobEndedBadly, answer, err, out, progress
from napari_mritransfer.cli.jobs import failures_told, printer, stop_on_ctrl_c
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.events import Event, Started

if TYPE_CHECKING:
    from napari_mritransfer.training.outcome import Outcome

cohort = typer.Typer(
    help="Predict a label, such as age or a disease, from whole volumes with slice-set networks; see where they look.",
    no_args_is_help=True,
)

TablePath = Annotated[
    Path, typer.Argument(help="participants.tsv, the folder of a BIDS data set, or a CSV or Excel table with paths.")
]
LabelName = Annotated[str, typer.Option("--label", help="Column to predict.")]
TaskName = Annotated[
    Literal["regression", "binary", "classes"] | None, typer.Option(help="Kind of label; if omitted, by its values.")
]
Group = Annotated[str, typer.Option(help="Column whose groups stay on one side of every split, such as family.")]
ImageColumn = Annotated[str, typer.Option(help="Column of the image paths, where it is not clear by itself.")]
SubjectColumn = Annotated[str, typer.Option(help="Column of the subjects, where it is not clear by itself.")]
Slicing = Literal["sagittal", "coronal", "axial"]
_KINDS = {"regression": "a number", "binary": "one of two classes", "classes": "one of several classes"}
Known = Annotated[
    str, typer.Option(help="What a published checkpoint does not say: pooling=max,slicing=axial,label=age,unit=years.")
]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder for the results.")]


@cohort.command()
def check(
    table: TablePath,
    label: LabelName,
    task: TaskName = None,
    group: Group = "",
    image_column: ImageColumn = "",
    subject_column: SubjectColumn = "",
    as_json: AsJson = False,
) -> None:
    """Look for missing files, doubled subjects and gaps in the labels before anything is trained."""

    def found() -> Answer:
        from napari_mritransfer.cohort.checks import as_rows, check_cohort
        from napari_mritransfer.cohort.table import read_cohort

        cohort_read = read_cohort(table, image_column=image_column or None, subject_column=subject_column or None)
        checked = check_cohort(cohort_read, label, task=task, group=group or None)
        rows = as_rows(checked.problems)

        def show() -> None:
            show_problems(rows)
            simulated = " The scans are simulated." if cohort_read.simulated else ""
            out.print(
                f"{len(checked.scans)} of {len(cohort_read.scans)} scans of {len(checked.subjects)} subjects can be "
                f"used; '{checked.label}' is {_KINDS[checked.task]}.{simulated}"
            )
            out.print(checked.describe_labels())
            if not checked.may_train:
                raise typer.Exit(2)

        record = {
            "scans": len(cohort_read.scans), "usable": len(checked.scans), "subjects": len(checked.subjects),
            "label": checked.label, "task": checked.task, "classes": list(checked.classes),
            "simulated": cohort_read.simulated, "may_train": checked.may_train, "problems": rows,
        }  # fmt: skip
        return Answer(record, show)

    answer(as_json, found)


@cohort.command()
def simulate(
    folder: OutFolder,
    subjects: Annotated[int, typer.Option(help="How many.")] = 60,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    spacing: Annotated[float, typer.Option(help="Voxel size in mm.")] = 2.0,
    clear: Annotated[bool, typer.Option("--clear", help="Larger effects and less chance, for small networks.")] = False,
    heads: Annotated[str, typer.Option(help="Underlying heads, with commas; all but the one kept for tests.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a simulated cohort with known truth: real heads, warped by age and disease, under scanner differences."""

    def found() -> Answer:
        from napari_mritransfer.cohort.simulation import CLEAR, USUAL, SimulationStopped, simulate_cohort

        names = tuple(name.strip() for name in heads.split(",") if name.strip()) or None
        try:
            with progress() as bar, stop_on_ctrl_c("Stopping.") as should_stop:
                path = simulate_cohort(
                    folder, subjects=subjects, seed=seed, heads=names, spacing_mm=spacing,
                    effects=CLEAR if clear else USUAL, should_stop=should_stop,
                    on_progress=lambda done, total: bar("Simulating", done, total),
                )  # fmt: skip
        except SimulationStopped as stopped:
            raise JobEndedBadly(str(stopped)) from stopped
        told = f"{subjects} simulated subjects: {path}\nNobody was scanned: what is found holds for this program."
        return Answer({"table": str(path), "subjects": subjects, "simulated": True}, lambda: out.print(told))

    answer(as_json, found)


@cohort.command()
def train(
    run: Annotated[Path, typer.Option("--out", help="Run directory: everything the job leaves behind.")],
    table: Annotated[Path | None, typer.Argument(help="As for `cohort check`; not needed with --resume.")] = None,
    label: Annotated[str, typer.Option(help="Column to predict.")] = "",
    model: Annotated[str, typer.Option(help="Network to start from: a shipped one, a run directory or a file.")] = "",
    known: Known = "",
    strategy: Annotated[
        str, typer.Option(help="scratch; with --model or --encoder-weights ft, frozen-encoder or lft; pretrained.")
    ] = "",
    encoder: Annotated[
        Literal["conv5", "resnet18", "resnet34", "resnet50"], typer.Option(help="Of a new network.")
    ] = "conv5",
    widths: Annotated[str, typer.Option(help="Channels of conv5's blocks, with commas.")] = "32,64,128,256,256",
    pooling: Annotated[Literal["mean", "max", "attention"], typer.Option(help="What joins the slices.")] = "attention",
    positions: Annotated[
        Literal["off", "learned", "sinusoidal"], typer.Option(help="Whether slices know where they lie.")
    ] = "learned",
    slicing: Annotated[Slicing, typer.Option(help="How volumes are cut.")] = "sagittal",
    encoder_weights: Annotated[
        str, typer.Option(help="For a ResNet: imagenet-resnet18 … (see `models list`) or a file.")
    ] = "",
    channels: Annotated[Literal["3", "1"], typer.Option(help="For a ResNet: slice repeated, or kernels summed.")] = "3",
    imagenet_statistics: Annotated[
        bool, typer.Option("--imagenet-statistics", help="For a ResNet: normalise slices like photographs.")
    ] = False,
    task: TaskName = None,
    group: Group = "",
    image_column: ImageColumn = "",
    subject_column: SubjectColumn = "",
    split: Annotated[str, typer.Option(help="A saved split.json instead of a new split.")] = "",
    split_seed: Annotated[int, typer.Option(help="Of a new split.")] = 0,
    test: Annotated[float, typer.Option(help="Share of subjects kept for tests.")] = 0.2,
    val: Annotated[float, typer.Option(help="Share of subjects to validate on.")] = 0.2,
    folds: Annotated[int, typer.Option(help="Cross-validation with so many folds; 0 for one split.")] = 0,
    fold: Annotated[int, typer.Option(help="The fold that is tested, from 0.")] = 0,
    spacing: Annotated[float, typer.Option(help="Of the common grid, mm.")] = 2.0,
    normalisation: Annotated[
        Literal["z-score", "z-score-tissue", "percentile"], typer.Option(help="Of intensities; z-score is published.")
    ] = "z-score",
    mask: Annotated[Literal["none", "air"], typer.Option(help="Set air to the background's value, or not.")] = "none",
    placement: Annotated[
        Literal["world", "centre"], typer.Option(help="Trust the files' positions, or centre the heads.")
    ] = "world",
    augmentation: Annotated[
        Literal["none", "shift", "shift-mirror"], typer.Option(help="Of training scans.")
    ] = "none",
    embedding_norm: Annotated[
        bool, typer.Option(help="Train a new head behind a batch norm, folded away when saved; not in the papers.")
    ] = True,
    epochs: Annotated[int, typer.Option(help="Passes over the training scans; a validation after each.")] = 100,
    batch: Annotated[int, typer.Option(help="Scans per step.")] = 8,
    learning_rate: Annotated[float | None, typer.Option(help="The strategy's default if omitted.")] = None,
    weight_decay: Annotated[float, typer.Option(help="Added to Adam's gradient.")] = 1e-4,
    patience: Annotated[int, typer.Option(help="Stop after so many epochs without improvement; 0 never.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the weights and the order of the scans.")] = 0,
    device: sampling_options.Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train a slice-set network on a table of scans, or move a trained one to it. Ctrl+C stops; --resume goes on."""

    def found() -> Answer:
        from napari_mritransfer.cohort.config import CohortConfig
        from napari_mritransfer.cohort.preparation import Preparation
        from napari_mritransfer.cohort.told import read_told
        from napari_mritransfer.cohort.work import train as start
        from napari_mritransfer.training.rundir import RunDirectory

        if resume:
            config = RunDirectory(run, CohortConfig).config()
        elif table is None or not label:
            raise BadInput("Training needs a table and a label; give participants.tsv and --label age, say.")
        else:
            network = {} if model else {
                "encoder": encoder, "pooling": pooling, "positions": positions, "slicing": slicing,
                **({"widths": _numbers(widths)} if encoder == "conv5" else
                   {"channels": int(channels), "imagenet_statistics": imagenet_statistics}),
            }  # fmt: skip
            config = CohortConfig(
                # absolute, so that the run can be judged and gone on with from another folder
                str(table.absolute()), label, model, read_told(known),
                strategy or ("ft" if model or encoder_weights else "scratch"),
                network=network, encoder_weights=encoder_weights, task=task,
                preparation=Preparation(spacing, normalisation, mask, placement), augmentation=augmentation,
                embedding_norm=embedding_norm, group=group, split=split, split_seed=split_seed, test=test,
                validation=val, fold=fold, folds=folds,
                image_column=image_column, subject_column=subject_column, learning_rate=learning_rate, epochs=epochs,
                batch=batch, weight_decay=weight_decay, patience=patience, device=device, seed=seed,
            )  # fmt: skip
        with progress() as bar, stop_on_ctrl_c() as should_stop, failures_told():
            outcome = start(config, _told(printer(config, bar)), should_stop, run=run, resume=resume)
        return Answer({"run": str(run), **outcome.as_record()}, lambda: _show_outcome(outcome, run))

    answer(as_json, found)


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise BadInput(f"'{text}' is no list of channels; give numbers with commas, such as 16,32,64,64.") from None


def _told(on_event: Callable[[Event], None]) -> Callable[[Event], None]:
    """Who learns and who judges, in words of their own."""

    def tell(event: Event) -> None:
        if isinstance(event, Started):
            for sentence in event.sampling:
                err.print(sentence)
            on_event(replace(event, sampling=()))
            err.print(f"To beat: {event.baseline_name}, {event.measures().text(event.baseline)}.")
        else:
            on_event(event)

    return tell


def show_problems(rows: Sequence[Mapping[str, str]]) -> None:
    """What was found wrong with a cohort, as a table."""
    if not rows:
        return
    shown = Table(show_header=True, box=None, title="What was found", title_justify="left")
    for column in ("severity", "line", "subject"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("what", overflow="fold")
    styles = {"stops": "bold red", "leaves out": "yellow", "remark": "dim"}
    for row in rows:
        severity = Text(row["severity"], style=styles[row["severity"]])
        shown.add_row(severity, row["line"], Text(row["subject"]), Text(row["sentence"]))
    out.print(shown)


def _show_outcome(outcome: "Outcome", run: Path) -> None:
    metric = outcome.metric
    if math.isnan(outcome.best_score):
        out.print(f"Stopped before the first validation; go on with --resume. Run directory: {run}")
        return
    out.print(
        f"{'Done' if outcome.finished else 'Stopped'} after {outcome.step} steps and {outcome.seconds:.0f} s. "
        f"Validation {metric.name}: best {metric.text(outcome.best_score)} at step {outcome.best_step}, before "
        f"training {metric.text(outcome.first_score)}, without a network {metric.text(outcome.baseline)}."
    )
    if not metric.improves(outcome.best_score, outcome.baseline):
        out.print("The network is no better than predicting the mean: it has learned nothing that can be used.")
    out.print(f"Run directory: {run}")
    after = "evaluate" if outcome.finished else "train --resume --out"
    out.print(f"Go on with: mritransfer cohort {after} {run}")
