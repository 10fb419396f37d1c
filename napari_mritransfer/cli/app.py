"""The application: commands are registered here, each kind in its own file."""

import sys
from collections.abc import Collection, Sequence
from typing import Annotated

import typer

import napari_mritransfer
from napari_mritransfer.cli import (
    attention,
    catalogues,
    cohort,
    cohort_evaluation,
    cohort_reuse,
    conversion,
    inspection,
    jobs,
    results,
    scans,
)
from napari_mritransfer.cli.models import models

app = typer.Typer(
    help="Move a pretrained MRI reconstruction network to your own scans, and compare what comes out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    inspection.inspect, catalogues.strategies, conversion.convert, scans.undersample, scans.reconstruct,
    jobs.finetune, results.evaluate, results.compare, jobs.demo, jobs.worker,
):  # fmt: skip
    app.command()(command)
app.add_typer(models, name="models")
cohort.cohort.command()(cohort_evaluation.evaluate)
cohort.cohort.command()(attention.predict)
cohort.cohort.command()(cohort_reuse.reuse)
cohort.cohort.command()(cohort_reuse.methods)
app.add_typer(cohort.cohort, name="cohort")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(napari_mritransfer.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit: 0 done, 1 a failed job, 2 bad input."""
    app(spread(sys.argv[1:], {"--train", "--val"}), prog_name="mritransfer")


def spread(arguments: Sequence[str], options: Collection[str]) -> list[str]:
    """Let an option take several values, as shell globs give them: ``--val a b`` becomes ``--val a --val b``."""
    result: list[str] = []
    current: str | None = None
    for argument in arguments:
        if argument.startswith("-"):
            current = argument if argument in options else None
            if current is None:
                result.append(argument)
        elif current is not None:
            result += [current, argument]
        else:
            result.append(argument)
    return result
