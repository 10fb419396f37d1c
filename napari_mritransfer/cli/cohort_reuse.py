"""`cohort reuse`: ways to re-use a pretrained network on a small cohort, side by side."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from napari_mritransfer.cli import sampling as sampling_options
from napari_mritransfer.cli.cohort import Group, ImageColumn, SubjectColumn, TaskName, show_problems
from napari_mritransfer.cli.console import Answer, AsJson, JobEndedBadly, answer, err, out, progress
from napari_mritransfer.cli.jobs import stop_on_ctrl_c
from napari_mritransfer.cohort.problem import some
from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.io.errors import BadInput

if TYPE_CHECKING:
    from napari_mritransfer.cohort.reuse.look import Looked
    from napari_mritransfer.cohort.reuse.record import ReuseRecord

Table_ = Annotated[
    Path | None, typer.Argument(help="As for `cohort check`; not needed where --out holds a re-use that was stopped.")
]


def reuse(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--out", help="Folder for everything that comes out; stopped, it goes on.")],
    table: Table_ = None,
    label: Annotated[str, typer.Option(help="Column to predict.")] = "",
    model: Annotated[str, typer.Option(help="An SFCN: sfcn-age, sfcn-sex, a shipped one, a folder or a file.")] = "",
    known: Annotated[
        str, typer.Option(help="What its file does not say: label=age,unit=years,bins=42/82.")
    ] = "",
    methods: Annotated[
        str, typer.Option(help="With commas; `cohort methods` lists them. If omitted, those that take seconds.")
    ] = "",
    task: TaskName = None,
    folds: Annotated[int, typer.Option(help="Of the cross-validation by subject.")] = 5,
    repeats: Annotated[int, typer.Option(help="Of the whole cross-validation, with other folds.")] = 1,
    inner_folds: Annotated[int, typer.Option(help="That choose hyper-parameters among training subjects.")] = 5,
    site: Annotated[str, typer.Option(help="Column of sites: leave each out once, instead of folds.")] = "",
    sizes: Annotated[str, typer.Option(help="Learning curve: numbers of training subjects, such as 20,50.")] = "",
    permutations: Annotated[int, typer.Option(help="For p-values of methods that train no network.")] = 0,
    bias_correction: Annotated[
        Literal["off", "quick", "all"],
        typer.Option(help="Figures corrected by the true value beside the others; 'all' trains networks thrice."),
    ] = "quick",
    group: Group = "",
    epochs: Annotated[int, typer.Option(help="Of networks that learn.")] = 20,
    batch: Annotated[int, typer.Option(help="Scans per step.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="The method's own if omitted.")] = None,
    weight_decay: Annotated[float, typer.Option(help="Of networks that learn.")] = 1e-3,
    augmentation: Annotated[
        Literal["none", "shift", "shift-mirror"], typer.Option(help="Of training scans.")
    ] = "shift-mirror",
    batch_norm: Annotated[
        Literal["frozen", "moving"], typer.Option(help="Whether running statistics stay as pretrained.")
    ] = "frozen",
    bins: Annotated[str, typer.Option(help="Of numbers: first edge/last edge/count, such as 6/90/42.")] = "",
    brains: Annotated[
        bool, typer.Option("--check-brains/--no-check-brains", help="Leave out scans without a brain in MNI space.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of folds, networks and intervals.")] = 0,
    device: sampling_options.Device = "auto",
    image_column: ImageColumn = "",
    subject_column: SubjectColumn = "",
    check_only: Annotated[bool, typer.Option("--check-only", help="Only look at the cohort, with pictures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare ways to re-use a pretrained network on a small cohort. Ctrl+C stops; the same command goes on."""

    def found() -> Answer:
        from napari_mritransfer.cohort.checks import as_rows
        from napari_mritransfer.cohort.reuse.record import CONFIG, read_config
        from napari_mritransfer.cohort.told import read_told
        from napari_mritransfer.recon.stopped import ReconstructionStopped

        if table is None:
            if not (folder / CONFIG).is_file():
                raise BadInput("Re-use needs a table, a label and a network; give participants.tsv --label age --model "
                               "sfcn-age, say.")  # fmt: skip
            if others := _given(context):
                raise BadInput(f"{folder} goes on as it began; leave out {some(others)}, or give the table as well.")
            config = read_config(folder)
        else:
            config = ReuseConfig(
                # absolute, so that it can be gone on with from another folder
                str(table.absolute()), label, _absolute(model),
                _methods(methods, table, label, task, subject_column, image_column),
                told=read_told(known), task=task, group=group, image_column=image_column,
                subject_column=subject_column, folds=folds, repeats=repeats, inner_folds=inner_folds, site=site,
                sizes=_numbers(sizes), permutations=permutations, bias_correction=bias_correction, epochs=epochs,
                batch=batch, learning_rate=learning_rate, weight_decay=weight_decay, augmentation=augmentation,
                batch_norm=batch_norm, bins=Bins.from_text(bins), check_brains=brains, device=device, seed=seed,
            )  # fmt: skip
        try:
            with progress() as bar, stop_on_ctrl_c("Stopping; what is done is kept.") as should_stop:
                tell = _teller(bar)
                if check_only:
                    looked = _look(config, folder, tell, should_stop)
                    return Answer(
                        {"out": str(folder), "may_run": looked.may_run, "problems": list(looked.problems)},
                        lambda: _show_look(looked, folder),
                    )
                from napari_mritransfer.cohort.reuse.run import reuse as start

                record = start(
                    config, folder, on_progress=tell, should_stop=should_stop,
                    on_checked=lambda checked: None if as_json else show_problems(as_rows(checked.problems)),
                )  # fmt: skip
        except ReconstructionStopped as stopped:
            raise JobEndedBadly(f"Stopped; the same command, or --out {folder} alone, goes on.") from stopped
        return Answer({"out": str(folder), **record.as_record()}, lambda: _show(record))

    answer(as_json, found)


def methods(as_json: AsJson = False) -> None:
    """List the ways to re-use a network."""
    from napari_mritransfer.cohort.reuse.catalogue import reuse_methods

    def found() -> Answer:
        rows = reuse_methods()

        def show() -> None:
            shown = Table(box=None)
            for name in ("method", "learns", "predicts"):
                shown.add_column(name, overflow="fold")
            for row in rows:
                kinds = [name for name, task in (("numbers", "regression"), ("classes", "binary")) if task in row.tasks]
                shown.add_row(Text(row.name), Text(row.summary), ", ".join(kinds))
            out.print(shown)

        return Answer([{field.name: getattr(row, field.name) for field in fields(row)} for row in rows], show)

    answer(as_json, found)


def _methods(
    text: str, table: Path, label: str, task: str | None, subject_column: str, image_column: str
) -> tuple[str, ...]:
    """As typed; otherwise those that take seconds for this kind of label."""
    from napari_mritransfer.cohort.checks import check_cohort
    from napari_mritransfer.cohort.reuse.catalogue import usual_methods
    from napari_mritransfer.cohort.table import read_cohort

    if text:
        return tuple(name for name in (part.strip() for part in text.split(",")) if name)
    if not label:
        raise BadInput("Which column is to be predicted? Give its name with --label.")
    cohort = read_cohort(table, image_column=image_column or None, subject_column=subject_column or None)
    found = check_cohort(cohort, label, task=task, open_files=False)  # type: ignore[arg-type]  # typer checked it
    return usual_methods(found.task)


def _given(context: typer.Context) -> list[str]:
    """Options of a re-use that were typed."""
    own = ("folder", "check_only", "as_json")
    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return [f"--{name.replace('_', '-')}" for name in typed if name not in own]


def _absolute(model: str) -> str:
    """Files and folders by where they lie; names as they are."""
    return str(Path(model).absolute()) if len(Path(model).parts) > 1 or Path(model).is_file() else model


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",")) if text else ()
    except ValueError:
        raise BadInput(f"'{text}' is no list of sizes; give numbers with commas, such as 20,50.") from None


def _teller(bar: Callable[[str, int, int], None]) -> Callable[[str, int, int], None]:
    """One bar for scans, one for fits, one for permutations; methods are named as they begin."""
    named: set[str] = set()

    def tell(text: str, done: int, total: int) -> None:
        what, colon, _ = text.partition(":")
        kind = "Scans" if text.startswith("Looking at ") else "Permutations" if "permutation" in text else "Fits"
        if colon and what not in named:
            named.add(what)
            err.print(what)
        bar(kind, min(done + (kind == "Scans"), total), total)

    return tell


def _look(
    config: ReuseConfig, folder: Path, tell: Callable[[str, int, int], None], should_stop: Callable[[], bool]
) -> "Looked":
    from napari_mritransfer.cohort.reuse.look import look
    from napari_mritransfer.cohort.reuse.model import open_sfcn
    from napari_mritransfer.cohort.reuse.record import CONFIG, read_config

    if (folder / CONFIG).is_file():
        other = read_config(folder)
        if (other.table, other.label, other.model) != (config.table, config.label, config.model):
            raise BadInput(f"{folder} holds the re-use of another table, label or network; choose a new folder.")
    facts = open_sfcn(config.model, **config.told).facts
    return look(
        config, facts.preparation, folder, brain_only=facts.brain_only, on_progress=tell, should_stop=should_stop
    )


def _show_look(looked: "Looked", folder: Path) -> None:
    show_problems(looked.problems)
    out.print(looked.sentence)
    out.print(f"{sum(row.usable for row in looked.rows)} of {len(looked.rows)} scans can be used. Pictures: {folder}")
    if not looked.may_run:
        raise typer.Exit(2)


def _show(record: "ReuseRecord") -> None:
    from napari_mritransfer.cohort.reuse.record import REPORT
    from napari_mritransfer.cohort.reuse.wording import brief_cells, brief_heading, sentence

    for warning in record.warnings:
        err.print(f"Note: {warning}")
    for method, why in record.left_out.items():
        err.print(f"Left out: {method}. {why}")
    shown = Table(box=None)
    for name in ("method", "scans", *brief_heading(record.label)):
        shown.add_column(name, overflow="fold", no_wrap=name == "method")
    for result in record.results:
        shown.add_row(result.method, f"{result.learned_from:.0f}", *map(Text, brief_cells(result, record)))
    out.print(shown)
    out.print(sentence(record))
    out.print(f"Report: {record.folder / REPORT}")
