"""`finetune`, `demo`, `worker`: what takes minutes."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_mritransfer.cli import sampling as options
from napari_mritransfer.cli.console import Answer, AsJson, JobEndedBadly, answer, err, out, progress, show_seeds
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.physics.masks import MaskKind
from napari_mritransfer.training import events
from napari_mritransfer.training.config import FinetuneConfig, Loss, Optimiser
from napari_mritransfer.training.metric import PSNR
from napari_mritransfer.training.settings import Settings
from napari_mritransfer.zoo.card import DEFAULT_MODEL

if TYPE_CHECKING:
    from napari_mritransfer.training.loop import Result

_DEMO_VIEWER = "napari_mritransfer.widgets.demo_viewer"


def finetune(
    run: Annotated[Path, typer.Option("--out", help="Run directory: everything the job leaves behind.")],
    train: Annotated[list[str] | None, typer.Option(help="Target scans to learn from (one or more).")] = None,
    val: Annotated[list[str] | None, typer.Option(help="Scans to validate on; the training scans if omitted.")] = None,
    model: Annotated[str, typer.Option(help="A model's name, a run directory or a .safetensors file.")] = DEFAULT_MODEL,
    strategy: Annotated[str, typer.Option(help="See `mritransfer strategies`.")] = "lft",
    slices: Annotated[int, typer.Option(help="Training slices in all, evenly spaced over the tissue.")] = 5,
    val_slices: Annotated[int, typer.Option(help="Validation slices in all, evenly spaced over the tissue.")] = 8,
    kind: options.Kind = MaskKind.RANDOM,
    rate: options.Rate = 0.25,
    acs: options.Acs = 0.08,
    seed: Annotated[int, typer.Option(help="Of everything random: training, masks and noise.")] = 0,
    phase_encode: options.PhaseEncodeAxis = None,
    whole_matrix: options.WholeMatrix = False,
    snr: options.SnrDb = None,
    smooth_phase: options.SmoothPhase = False,
    epochs: Annotated[int, typer.Option(help="Epochs; a validation after each.")] = 10,
    steps_per_epoch: Annotated[int, typer.Option(help="Optimiser steps per epoch.")] = 25,
    batch: Annotated[int, typer.Option(help="Examples per step.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="The strategy's default if omitted.")] = None,
    loss: Annotated[Loss, typer.Option(help="What training minimises.")] = Loss.L1,
    optimiser: Annotated[Optimiser, typer.Option(help="How it steps.")] = Optimiser.ADAM,
    weight_decay: Annotated[float, typer.Option(help="For adamw and sgd; pulls LFT's scales to 1, shifts to 0.")] = 0.0,
    granularity: Annotated[
        Literal["kernel", "filter"] | None, typer.Option(help="LFT: one scale per kernel (default) or per filter.")
    ] = None,
    shift: Annotated[bool | None, typer.Option("--shift/--no-shift", help="LFT: also learn shifts.")] = None,
    add_biases: Annotated[
        bool | None, typer.Option("--add-biases", help="LFT: give bias-free layers a shift too.")
    ] = None,
    patience: Annotated[int, typer.Option(help="Stop after so many epochs without improvement; 0 never.")] = 0,
    device: options.Device = "auto",
    devices: Annotated[int, typer.Option(help="Number of devices of that kind.")] = 1,
    precision: Annotated[Literal["auto", "float32", "bfloat16"], typer.Option(help="Of the convolutions.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, with its own settings.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Transfer a pretrained model to target scans. Ctrl+C stops; --resume goes on."""

    def found() -> Answer:
        if resume:
            from napari_mritransfer.training.rundir import RunDirectory

            config = RunDirectory(run).config()
        elif not train:
            raise BadInput("Fine-tuning needs scans to learn from; name them with --train.")
        else:
            chosen = {"granularity": granularity, "shift": shift, "add_biases": add_biases}
            config = FinetuneConfig(
                model=model, train=tuple(train), validation=tuple(val or train), strategy=strategy,
                strategy_options={key: value for key, value in chosen.items() if value is not None}, slices=slices,
                validation_slices=val_slices,
                pattern=options.pattern(kind, rate, acs, seed, 0), phase_encode=phase_encode,
                crop_to_support=not whole_matrix, snr_db=snr, smooth_phase=smooth_phase, loss=loss, optimiser=optimiser,
                learning_rate=learning_rate, weight_decay=weight_decay, epochs=epochs, steps_per_epoch=steps_per_epoch,
                batch=batch, patience=patience, device=device, devices=devices, precision=precision, seed=seed,
            )  # fmt: skip
        with progress() as bar, stop_on_ctrl_c() as should_stop:
            result = run_job(config, run, resume=resume, bar=bar, should_stop=should_stop)
        return Answer(result.as_record(), lambda: _show(result))

    answer(as_json, found)


def run_job(
    config: FinetuneConfig,
    run: Path,
    *,
    resume: bool,
    bar: Callable[[str, int, int], None],
    should_stop: Callable[[], bool],
) -> "Result":
    """One job with a progress bar; a failed one becomes the right exit code."""
    from napari_mritransfer.training.loop import finetune as start

    with failures_told():
        return start(config, printer(config, bar), should_stop, run=run, resume=resume)


def printer(settings: Settings, bar: Callable[[str, int, int], None]) -> Callable[[events.Event], None]:
    """Says what any kind of job tells, in lines on standard error and as the length of a bar."""
    metric, steps = PSNR, settings.steps

    def on_event(event: events.Event) -> None:
        nonlocal metric, steps
        if isinstance(event, events.Started):
            metric, steps = event.measures(), event.steps  # which may depend on how many scans there are
            for warning in event.warnings:
                err.print(f"[yellow]{warning}[/]")
            if event.sampling:
                err.print(f"Sampling: {' '.join(dict.fromkeys(event.sampling))}")
            err.print(f"{event.strategy}: {event.trainable:,} of {event.total:,} parameters learn, on {event.device}.")
        elif isinstance(event, events.StepDone):
            bar(f"{settings.strategy}, seed {settings.seed}", event.step, steps)
        elif isinstance(event, events.EpochDone):
            best = "  best" if event.best else ""
            err.print(f"epoch {event.epoch:3d}  validation {metric.name} {metric.text(event.score)}{best}")

    return on_event


@contextlib.contextmanager
def failures_told() -> Iterator[None]:
    """A job that failed becomes the right exit code."""
    from napari_mritransfer.training.loop import JobFailed

    try:
        yield
    except JobFailed as error:
        if isinstance(error.__cause__, BadInput):
            raise error.__cause__ from error
        raise JobEndedBadly(str(error)) from error


@contextlib.contextmanager
def stop_on_ctrl_c(told: str = "Stopping; what was learned is kept.") -> Iterator[Callable[[], bool]]:
    """The first Ctrl+C asks the job to stop and keep what it learned; a second one interrupts at once."""
    asked = threading.Event()

    def ask(_signal: int, _frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)
        err.print(told)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def demo(
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for the results; an earlier demo in it is replaced.")
    ] = Path("demo-output"),
    viewer: Annotated[
        bool | None,
        typer.Option("--viewer/--no-viewer", help="End in napari with the board open; by default where there is one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Transfer a T1w network to T2w with five slices, on shipped samples, and compare on another patient."""
    if viewer is None:
        viewer = not as_json and _has_display() and find_spec("napari") is not None

    def found() -> Answer:
        from napari_mritransfer.evaluation.table import rich_table
        from napari_mritransfer.study.comparison import records, seeds_apart
        from napari_mritransfer.study.demo import DemoStopped, run_demo

        try:
            with progress() as bar, stop_on_ctrl_c("Stopping.") as should_stop:
                outcome = run_demo(folder, on_progress=bar, should_stop=should_stop)
        except DemoStopped as stopped:
            raise JobEndedBadly(str(stopped)) from stopped

        def show() -> None:
            out.print(rich_table(outcome.comparison.scores, outcome.title, winner=outcome.comparison.verdict.winner))
            show_seeds(seeds_apart(outcome.comparison))
            out.print(f"Sampling: {outcome.comparison.measurement.describe_sampling()}")
            for warning in outcome.comparison.warnings:
                out.print(warning)
            out.print(outcome.sentence)
            out.print(f"Pictures and numbers: {folder}/report.html, comparison.png, metrics.json, *.nii.gz")

        return Answer({"sentence": outcome.sentence, "methods": records(outcome.comparison), "out": str(folder)}, show)

    answer(as_json, found)
    if viewer:
        # a process of its own: napari's has no business with torch, and the widgets are above the command line
        command = [sys.executable, "-P", "-m", _DEMO_VIEWER, str(folder)]
        raise typer.Exit(subprocess.run(command, check=False).returncode)


def _has_display() -> bool:
    """Whether a window could be opened; only X11 and Wayland say so in the environment."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def worker() -> None:
    """Serve jobs over JSON lines on standard input and output (for programs, not for people)."""
    if hasattr(os, "nice"):
        os.nice(5)  # the viewer that waits for the answers comes first

    from napari_mritransfer.cohort.tasks import SLOW_TASKS
    from napari_mritransfer.cohort.tasks import TASKS as COHORT_TASKS
    from napari_mritransfer.study.tasks import TASKS
    from napari_mritransfer.training.worker import serve

    serve(tasks={**TASKS, **COHORT_TASKS}, slow_tasks=SLOW_TASKS)


def _show(result: "Result") -> None:
    if math.isnan(result.best_psnr):
        out.print(f"Stopped before the first validation; go on with --resume. Run directory: {result.run}")
        return
    gain = result.best_psnr - result.pretrained_psnr
    out.print(
        f"{'Done' if result.finished else 'Stopped'} after {result.step} steps and {result.seconds:.0f} s. Validation: "
        f"zero-filled {result.zero_filled_psnr:.2f} dB, no transfer {result.pretrained_psnr:.2f} dB, best "
        f"{result.best_psnr:.2f} dB at step {result.best_step} ({gain:+.2f} dB), last {result.last_psnr:.2f} dB."
    )
    if result.best_step == 0:
        out.print("No step improved on the pretrained model: no transfer is the best choice here.")
    out.print(f"Run directory: {result.run}")
    if not result.finished:
        out.print(f"Go on with: mritransfer finetune --resume --out {result.run}")
