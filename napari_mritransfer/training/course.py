"""The course of one job: step, validate, write down, and be able to go on from there."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from napari_mritransfer.training.events import Checkpointed, Done, EpochDone, Event, Started, StepDone, Stopped
from napari_mritransfer.training.fabric import Place, fabric_for
from napari_mritransfer.training.optimiser import make_optimiser, set_learning_rate
from napari_mritransfer.training.outcome import Outcome
from napari_mritransfer.training.rundir import BEST, LAST, STATE, RunDirectory
from napari_mritransfer.training.state import Progress, load_state, save_state
from napari_mritransfer.training.work import Interrupted, NonFinite, ShouldStop, Work
from napari_mritransfer.transfer.l2_sp import penalty
from napari_mritransfer.transfer.model import learned_state, load_learned_state, training_mode

_STATE_EVERY_S = 25.0  # at most 30 s of work are lost to a crash


class Course:
    """The moving parts of one job, kept together so that its state can be written down and restored.

    With several devices each process has its own; the one of rank 0 alone validates, writes and tells.

    Parameters
    ----------
    work
        What to learn, loaded.
    directory
        For everything the job leaves behind, claimed.
    should_stop
        Polled between steps; `work` polls it while it validates.
    place
        Which of the job's processes this is.
    began
        When this process began with the job, by `time.perf_counter`: loading counts. Now if omitted.
    """

    def __init__(
        self,
        work: Work,
        directory: RunDirectory[Any],
        should_stop: ShouldStop,
        place: Place,
        *,
        began: float | None = None,
    ) -> None:
        self.work = work
        self.settings = work.settings
        self.directory = directory
        self.should_stop = should_stop
        self.place = place
        self.progress = Progress()
        self.began = self.saved_at = time.perf_counter() if began is None else began
        self.best: dict[str, Tensor] = {}
        self.baseline = math.nan

    def run(self, tell: Callable[[Event], None]) -> Outcome:
        """Take all steps, or as many as the user allows; the last event is `Done` or `Stopped`.

        Raises
        ------
        NonFinite
            If a loss or a validation is not a number.
        """
        with fabric_for(self.work.device, self.place, self.settings.precision) as self.fabric:
            self._set_up()
            self.directory.keep_events_until(self.progress.step if self.progress.history else -1)
            try:
                tell(self._started())
                self._learn(tell)
            except Interrupted:
                self._save_state(tell)
                self._write_outcome(finished=False)
                tell(Stopped(self.progress.step, self.progress.best_step, self.progress.best_score))
                return self._outcome(finished=False)
            self._write_outcome(finished=True)
            outcome = self._outcome(finished=True)
            tell(Done(outcome.step, outcome.best_step, outcome.best_score, outcome.last_score, outcome.seconds))
            # last of all: killed before this line, the run only has its end to repeat
            (self.directory.folder / STATE).unlink(missing_ok=True)
            return outcome

    def help(self) -> None:
        """Do the share of another device than the first: the same steps, nothing written, nothing told."""
        with fabric_for(self.work.device, self.place, self.settings.precision) as self.fabric:
            self._set_up()
            try:
                self._learn(lambda event: None)
            except Interrupted:
                return

    # ------------------------------------------------------------------ steps and validations

    def _learn(self, tell: Callable[[Event], None]) -> None:
        settings, progress = self.settings, self.progress
        while True:
            validated = progress.history[-1][0] if progress.history else -1
            if validated < progress.step and progress.step % settings.steps_per_epoch == 0:
                if time.perf_counter() - self.saved_at > _STATE_EVERY_S / 2:  # a validation may take long
                    self._save_state(tell)
                self._validate(tell)
            if progress.step >= settings.steps or self._patience_is_over():
                return
            self._check_common_stop()
            progress.losses.append(self._take_step())
            tell(StepDone(progress.step, progress.losses[-1], self._seconds()))
            if time.perf_counter() - self.saved_at > _STATE_EVERY_S:
                self._save_state(tell)

    def _take_step(self) -> float:
        """One optimiser step on examples that depend on nothing but the seed and the step."""
        assert self.optimiser is not None
        settings, step, devices = self.settings, self.progress.step, self.place.devices
        training_mode(self.work.network)
        set_learning_rate(self.optimiser, settings, step)
        self.optimiser.zero_grad()
        share = self.place.share(settings.batch)
        loss, examples = self.work.batch_loss(self.wrapped, step, share, self.fabric.device)
        if (held_back := penalty(self.work.network)) is not None:
            loss = loss + held_back
        if devices > 1:  # the mean over devices of these is the mean over the batch, uneven shares included
            loss = loss * (examples * devices / settings.batch)
        mean = self.fabric.all_reduce(loss.detach(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        value = float(mean)
        if not math.isfinite(value):
            raise NonFinite(
                f"The loss became {value} at step {step + 1}; choose a learning rate below "
                f"{settings.rate_of_learning:g}. The best model so far is kept."
            )
        self.fabric.backward(loss)
        self.optimiser.step()
        self.progress.step += 1
        return value

    def _validate(self, tell: Callable[[Event], None]) -> None:
        progress = self.progress
        own = self.work.score(self.fabric.autocast, self.should_stop) if self.place.rank == 0 else None
        score: float | None = self.fabric.broadcast(own)
        if score is None:
            raise Interrupted
        if not math.isfinite(score):
            raise NonFinite(
                f"The validation after step {progress.step} is not a number; choose a learning rate below "
                f"{self.settings.rate_of_learning:g}. The best model so far is kept."
            )
        best = self.work.metric.improves(score, progress.best_score)
        if best:
            progress.best_score, progress.best_step = score, progress.step
            self.best = learned_state(self.work.network)
        progress.history.append((progress.step, score))
        loss = float(np.mean(progress.losses)) if progress.losses else None
        progress.losses = []
        if best:
            self._write(BEST)
        epoch = progress.step // self.settings.steps_per_epoch
        tell(EpochDone(epoch, progress.step, loss, score, best, self._seconds()))
        self._save_state(tell)

    def _patience_is_over(self) -> bool:
        if not self.settings.patience:
            return False
        since_best = sum(1 for step, _ in self.progress.history if step > self.progress.best_step)
        return since_best >= self.settings.patience

    def check_own_stop(self) -> None:
        """Raise `Interrupted` if the user of this process asked to stop."""
        if self.should_stop():
            raise Interrupted

    def _check_common_stop(self) -> None:
        # every device must agree, or one would wait for the others' gradients for ever
        if self.fabric.broadcast(self.should_stop()):
            raise Interrupted

    # ------------------------------------------------------------------ set-up, state, outcome

    def _set_up(self) -> None:
        """Onto the devices, and to where an earlier part of the job left off."""
        self.wrapped: nn.Module
        network = self.work.network
        self.optimiser = make_optimiser(self.settings, network)
        if self.optimiser is None:
            self.wrapped = self.fabric.setup_module(network)
        else:
            self.wrapped, self.optimiser = self.fabric.setup(network, self.optimiser)
        state = self.directory.folder / STATE
        if state.is_file():
            self.progress, self.best = load_state(
                state, network, self.optimiser, base_sha256=self.work.base_sha256, device=self.fabric.device
            )
        self.fabric.barrier()  # nobody writes a new state before everybody has read the old one
        now = learned_state(network)
        if self.best:  # the file may be of a later step than the state: back to one story
            load_learned_state(network, self.best)
        self._write(BEST)
        load_learned_state(network, now)

    def _save_state(self, tell: Callable[[Event], None]) -> None:
        self.saved_at = time.perf_counter()
        if self.place.rank > 0 or not self.progress.history:
            return
        self.progress.seconds = self._seconds()
        self.began = self.saved_at
        save_state(
            self.directory.folder / STATE, self.progress, self.work.network, self.best, self.optimiser,
            base_sha256=self.work.base_sha256, device=self.fabric.device,
        )  # fmt: skip
        tell(Checkpointed(self.progress.step))

    def _write(self, name: str) -> None:
        if self.place.rank > 0:
            return
        progress = self.progress
        step = progress.step
        score = next((score for validated, score in progress.history if validated == step), None)
        if name == BEST:
            step, score = progress.best_step, progress.best_score
        self.work.save(self.directory.folder / name, step=step, score=score)

    def _write_outcome(self, *, finished: bool) -> None:
        if self.place.rank > 0:
            return
        self._write(LAST)
        self.directory.write_metrics(self.work.outcome(self._outcome(finished=finished)))

    def _started(self) -> Started:
        metric = self.work.metric
        told = self.work.started(self.progress.step, str(self.fabric.device), self.check_own_stop)
        self.baseline = told.baseline
        return replace(told, metric=metric.name, unit=metric.unit, higher_is_better=metric.higher_is_better)

    def _outcome(self, *, finished: bool) -> Outcome:
        progress = self.progress
        scores = [score for _, score in progress.history] or [math.nan]
        best = math.nan if progress.best_score is None else progress.best_score
        return Outcome(
            self.directory.folder, self.work.metric, finished, progress.step, progress.best_step, best, scores[-1],
            scores[0], self.baseline, self.work.report.trainable, self._seconds(),
        )  # fmt: skip

    def _seconds(self) -> float:
        return self.progress.seconds + time.perf_counter() - self.began
