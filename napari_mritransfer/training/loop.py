"""The fine-tuning job as a plain function."""

import math
from collections.abc import Callable
from pathlib import Path

from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.io.lock import locked
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.device import out_of_memory
from napari_mritransfer.training.events import TERMINAL, Event, Failed, Stopped
from napari_mritransfer.training.job import Interrupted, Job, NonFinite
from napari_mritransfer.training.replicas import ReplicaFailed, Replicas, replicas_for
from napari_mritransfer.training.result import Result
from napari_mritransfer.training.rundir import RunDirectory

__all__ = ["JobFailed", "Result", "finetune"]


class JobFailed(RuntimeError):
    """The job ended with a `Failed` event; the message is its reason, one sentence."""


def finetune(
    config: FinetuneConfig,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
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
        Polled between steps and between validation slices, so that a stop takes well under a second.
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
    directory = RunDirectory(run)
    job: Job | None = None
    replicas: Replicas | None = None
    record, ended = on_event, False

    def tell(event: Event) -> None:
        nonlocal ended
        ended = isinstance(event, TERMINAL)
        record(event)

    try:
        _claim(directory, config, resume=resume)
        with locked(run), replicas_for(config, run) as replicas:
            record = directory.recorder(on_event)
            job = Job(config, directory, should_stop, replicas.place)
            replicas.wait(job.check_own_stop)
            return job.run(tell)
    except Interrupted:  # while loading: what is in the folder stays as it is
        saved = [event["step"] for event in directory.events() if event["event"] == "Checkpointed"]
        result = Result.so_far(run, directory.curve(), saved[-1] if saved else 0)
        tell(Stopped(result.step, result.best_step, None if math.isnan(result.best_psnr) else result.best_psnr))
        return result
    except Exception as error:
        if ended:
            raise
        reason = _reason(error, config, replicas)
        tell(Failed(reason, job.progress.step if job else 0))
        raise JobFailed(reason) from error


def _claim(directory: RunDirectory, config: FinetuneConfig, *, resume: bool) -> None:
    if not resume:
        directory.begin(config)
    elif directory.config() != config:
        raise BadConfig(f"{directory.folder} was started with other settings; resume it with its own config.json.")
    elif directory.is_finished():
        raise BadConfig(f"{directory.folder} is finished already; there is nothing to resume.")


def _reason(error: Exception, config: FinetuneConfig, replicas: Replicas | None) -> str:
    """What happened and what to do, for a person."""
    if isinstance(error, BadInput | NonFinite | ReplicaFailed):
        return str(error)
    if out_of_memory(error):
        return f"Memory ran out; lower the batch (now {config.batch}), use strips of rows or another device."
    if replicas and (words := replicas.last_words()):
        return words  # this process has only seen the connection break
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'a file'}; check its permissions and the free space."
    return f"The job broke ({type(error).__name__}: {error}); resume the run, or report this with its events.jsonl."
