"""What every command shares: where output goes, how errors end, how progress looks."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from napari_mritransfer.io.errors import BadInput

FAILED_JOB, BAD_INPUT = 1, 2
err = Console(stderr=True)
out = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on standard output.")]


class JobEndedBadly(Exception):
    """A job that failed through no fault of its input; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found: `record` for --json, `show` for people."""

    record: Any
    show: Callable[[], None]


def answer(as_json: bool, found: Callable[[], Answer]) -> None:
    """Run a command and print its answer, or one sentence and the right exit code."""
    try:
        result = found()
    except JobEndedBadly as error:
        _end(str(error), FAILED_JOB, as_json)
    except BadInput as error:
        _end(str(error), BAD_INPUT, as_json)
    except OSError as error:
        what = f"{error.strerror}: {error.filename or 'file'}; check the path and its permissions."
        # one of our own is a whole sentence already
        _end(str(error) if error.strerror is None else what, BAD_INPUT, as_json)
    except MemoryError:
        _end("Memory ran out; choose a smaller scan or fewer slices, or close other programs.", FAILED_JOB, as_json)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        sentence = f"The command broke ({type(error).__name__}: {error}); please report it with this sentence."
        _end(" ".join(sentence.split()), FAILED_JOB, as_json)
    except KeyboardInterrupt:
        _end("Interrupted; nothing that was finished is lost.", FAILED_JOB, as_json)
    if as_json:
        sys.stdout.write(json.dumps(result.record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        result.show()


def _end(sentence: str, code: int, as_json: bool) -> NoReturn:
    if as_json:
        sys.stdout.write(json.dumps({"error": sentence}, ensure_ascii=False) + "\n")
    else:
        err.print(Text(sentence, style="red"))
    raise typer.Exit(code)


class _Rate(ProgressColumn):
    """Things per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="cyan")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per task on standard error; yields ``show(task, done, total)``."""
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=err,
    )  # fmt: skip
    tasks: dict[str, Any] = {}

    def show(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done, total=total)

    with bars:
        yield show


def show_seeds(seeds: Mapping[str, str]) -> None:
    """PSNR of every seed where there are several; the table shows the first."""
    for method, values in seeds.items():
        out.print(f"PSNR of every seed, {method}: {values} dB (the table shows the first)")
