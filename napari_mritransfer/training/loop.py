"""Jobs as plain functions: any kind of work, and fine-tuning."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lock import locked
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.course import Course
from napari_mritransfer.training.device import out_of_memory
from napari_mritransfer.training.events import TERMINAL, Event, Failed, Stopped
from napari_mritransfer.training.outcome import Outcome
from napari_mritransfer.training.reconstruction import ReconstructionWork
from napari_mritransfer.training.replicas import ReplicaFailed, Replicas, replicas_for
from napari_mritransfer.training.result import Result
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.training.settings import Settings
from napari_mritransfer.training.work import Interrupted, NonFinite, ShouldStop, Work

__all__ = ["JobFailed", "Outcome", "Result", "finetune", "run_course"]

Config = TypeVar("Config", bound=Settings)


class JobFailed(RuntimeError):
    """The job ended with a `Failed` event; the message is its reason, one sentence."""


def finetune(
    config: FinetuneConfig,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: ShouldStop = lambda: False,
    *,
    run: Path,
    resume: bool = False,
) -> Result:
    """Transfer a model to target scans.

    Parameters
    ----------
    config
        The job. With `resume` it must be the one the run was started with.
    on_event
        Told everything, in the calling thread; the last event is a `Stopped`, `Failed` or `Done`.
    should_stop
        Polled between steps and between passes of a validation, so that a stop takes well under a second.
    run
        Directory for everything the job leaves behind.
    resume
        Go on from the last saved state; the outcome is bit-identical to an uninterrupted run on the same machine
        (tested on CPUs; GPUs are asked for deterministic convolutions, but this was not tested on one).

    Raises
    ------
    JobFailed
        After a `Failed` event: bad input, non-finite loss, out of memory, anything else. The last good checkpoint is
        kept.
    """
    outcome = run_course(
        lambda should_stop: ReconstructionWork(config, run, should_stop), config, on_event, should_stop,
        directory=RunDirectory(run), resume=resume, work_in="napari_mritransfer.training.reconstruction:work_in",
        memory_advice=f"lower the batch (now {config.batch}), use strips of rows or another device",
    )  # fmt: skip
    return Result.of(outcome)


def run_course(
    make_work: Callable[[ShouldStop], Work],
    config: Config,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: ShouldStop = lambda: False,
    *,
    directory: RunDirectory[Config],
    resume: bool = False,
    work_in: str = "",
    memory_advice: str = "",
) -> Outcome:
    """Do any kind of work; what `finetune` promises of events, stopping and resuming holds for all of them.

    Parameters
    ----------
    make_work
        Loads the work, given `should_stop`; called when the directory is claimed.
    config
        Settings of the job, to be written down.
    on_event, should_stop, resume
        See `finetune`.
    directory
        For everything the job leaves behind.
    work_in
        How the processes of further devices load the same work, see `replicas_for`; empty if one device has to do.
    memory_advice
        What to do when memory runs out, after a semicolon; by default, to lower the batch.

    Raises
    ------
    JobFailed
        After a `Failed` event.
    """
    course: Course | None = None
    replicas: Replicas | None = None
    record, ended = on_event, False

    def tell(event: Event) -> None:
        nonlocal ended
        ended = isinstance(event, TERMINAL)
        record(event)

    try:
        _claim(directory, config, resume=resume)
        with locked(directory.folder), replicas_for(config, directory.folder, work_in) as replicas:
            record = directory.recorder(on_event)
            began = time.perf_counter()
            course = Course(make_work(should_stop), directory, should_stop, replicas.place, began=began)
            replicas.wait(course.check_own_stop)
            return course.run(tell)
    except Interrupted:  # while loading: what is in the folder stays as it is
        saved = [event["step"] for event in directory.events() if event["event"] == "Checkpointed"]
        outcome = Outcome.so_far(
            directory.folder, directory.metric(), directory.curve(), saved[-1] if saved else 0
        )
        best = None if math.isnan(outcome.best_score) else outcome.best_score
        tell(Stopped(outcome.step, outcome.best_step, best))
        return outcome
    except Exception as error:
        if ended:
            raise
        advice = memory_advice or f"lower the batch (now {config.batch}) or use another device"
        reason = _reason(error, advice, replicas)
        tell(Failed(reason, course.progress.step if course else 0))
        raise JobFailed(reason) from error


def _claim(directory: RunDirectory[Config], config: Config, *, resume: bool) -> None:
    if not resume:
        directory.begin(config)
    elif directory.config() != config:
        raise BadConfig(f"{directory.folder} was started with other settings; resume it with its own config.json.")
    elif directory.is_finished():
        raise BadConfig(f"{directory.folder} is finished already; there is nothing to resume.")


def _reason(error: Exception, memory_advice: str, replicas: Replicas | None) -> str:
    """What happened and what to do, for a person."""
    if isinstance(error, BadInput | NonFinite | ReplicaFailed):
        return str(error)
    if out_of_memory(error):
        return f"Memory ran out; {memory_advice}."
    if replicas and (words := replicas.last_words()):
        return words  # this process has only seen the connection break
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'a file'}; check its permissions and the free space."
    return f"The job broke ({type(error).__name__}: {error}); resume the run, or report this with its events.jsonl."
