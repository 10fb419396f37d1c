"""The course of one job: load, step, validate, write down, and be able to go on from there."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from napari_mritransfer.physics.undersampling import zero_filled
from napari_mritransfer.recon.network import ReconstructionStopped, check_suits, reconstruct
from napari_mritransfer.training.checkpoint import BaseModel, open_model, save_checkpoint
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.data import TargetData, load_target
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.events import Checkpointed, Done, EpochDone, Event, Started, StepDone, Stopped
from napari_mritransfer.training.fabric import Place, fabric_for
from napari_mritransfer.training.losses import loss_value
from napari_mritransfer.training.optimiser import make_optimiser, set_learning_rate
from napari_mritransfer.training.preview import save_preview
from napari_mritransfer.training.result import Result
from napari_mritransfer.training.rundir import BEST, LAST, STATE, RunDirectory
from napari_mritransfer.training.score import validation_psnr
from napari_mritransfer.training.state import Progress, load_state, save_state
from napari_mritransfer.transfer.model import TransferReport, learned_state, load_learned_state, training_mode, transfer

_STATE_EVERY_S = 25.0  # at most 30 s of work are lost to a crash


class NonFinite(Exception):
    """A loss or a validation is not a number any more."""


class Interrupted(Exception):
    """The user asked to stop."""


class Job:
    """The moving parts of one job, kept together so that its state can be written down and restored.

    With several devices each process has its own; the one of rank 0 alone validates, writes and tells.

    Raises
    ------
    BadInput
        If the model, the scans or the settings do not work together.
    Interrupted
        If `should_stop` says so while loading.
    """

    def __init__(
        self, config: FinetuneConfig, directory: RunDirectory, should_stop: Callable[[], bool], place: Place
    ) -> None:
        self.config = config
        self.directory = directory
        self.should_stop = should_stop
        self.place = place
        self.progress = Progress()
        self.began = self.saved_at = time.perf_counter()
        self.best: dict[str, Tensor] = {}
        self.zero_filled_psnr = math.nan

        self.check_own_stop()
        self.base: BaseModel = open_model(config.model)
        if not getattr(self.base.network, "works_on_strips", True):
            config = self.config = replace(config, strip_rows=0)
        crops = getattr(self.base.network, "needs_image_crop", False)
        self.data: TargetData = load_target(config, self.check_own_stop, crop_images=crops)
        for measurement in self.data.validation:
            check_suits(self.base.network, measurement)
        torch.manual_seed(config.seed)  # scratch draws its weights here
        self.network: nn.Module = self.base.network
        try:
            self.report: TransferReport = transfer(self.network, config.strategy, config.strategy_options)
        except (ValueError, TypeError) as error:
            raise BadConfig(str(error)) from error
        self.device = choose_device(config.device)

    def run(self, tell: Callable[[Event], None]) -> Result:
        """Take all steps, or as many as the user allows; the last event is `Done` or `Stopped`.

        Raises
        ------
        NonFinite
            If a loss or a validation is not a number.
        """
        with fabric_for(self.device, self.place, self.config.precision) as self.fabric:
            self._set_up()
            self.directory.keep_events_until(self.progress.step if self.progress.history else -1)
            try:
                tell(self._started())
                self._learn(tell)
            except Interrupted:
                self._save_state(tell)
                self._write_outcome(finished=False)
                tell(Stopped(self.progress.step, self.progress.best_step, self.progress.best_psnr))
                return self._result(finished=False)
            self._write_outcome(finished=True)
            result = self._result(finished=True)
            tell(Done(result.step, result.best_step, result.best_psnr, result.last_psnr, result.seconds))
            # last of all: killed before this line, the run only has its end to repeat
            (self.directory.folder / STATE).unlink(missing_ok=True)
            return result

    def help(self) -> None:
        """Do the share of another device than the first: the same steps, nothing written, nothing told."""
        with fabric_for(self.device, self.place, self.config.precision) as self.fabric:
            self._set_up()
            try:
                self._learn(lambda event: None)
            except Interrupted:
                return

    # ------------------------------------------------------------------ steps and validations

    def _learn(self, tell: Callable[[Event], None]) -> None:
        config, progress = self.config, self.progress
        while True:
            validated = progress.history[-1][0] if progress.history else -1
            if validated < progress.step and progress.step % config.steps_per_epoch == 0:
                if time.perf_counter() - self.saved_at > _STATE_EVERY_S / 2:  # a validation may take long
                    self._save_state(tell)
                self._validate(tell)
            if progress.step >= config.steps or self._patience_is_over():
                return
            self._check_common_stop()
            progress.losses.append(self._take_step())
            tell(StepDone(progress.step, progress.losses[-1], self._seconds()))
            if time.perf_counter() - self.saved_at > _STATE_EVERY_S:
                self._save_state(tell)

    def _take_step(self) -> float:
        """One optimiser step on examples that depend on nothing but the seed and the step."""
        assert self.optimiser is not None
        config, step = self.config, self.progress.step
        training_mode(self.network)
        set_learning_rate(self.optimiser, config, step)
        share = self.place.share(config.batch)
        examples = self.data.draw(config, step, share)
        self.optimiser.zero_grad()
        examples = examples.to(self.fabric.device)
        image = self.wrapped(examples.kspace, examples.mask, (-1,), examples.maps)
        loss = loss_value(config.loss, image, examples.target)
        if (own := getattr(self.network, "auxiliary_loss", None)) is not None:
            loss = loss + own
        if self.place.devices > 1:  # the mean over devices of these is the mean over the batch, uneven shares included
            loss = loss * (len(examples.kspace) * self.place.devices / config.batch)
        mean = self.fabric.all_reduce(loss.detach(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        value = float(mean)
        if not math.isfinite(value):
            raise NonFinite(
                f"The loss became {value} at step {step + 1}; choose a learning rate below "
                f"{config.rate_of_learning:g}. The best model so far is kept."
            )
        self.fabric.backward(loss)
        self.optimiser.step()
        self.progress.step += 1
        return value

    def _validate(self, tell: Callable[[Event], None]) -> None:
        progress = self.progress
        psnr = self.fabric.broadcast(self._score() if self.place.rank == 0 else None)
        if psnr is None:
            raise Interrupted
        if not math.isfinite(psnr):
            raise NonFinite(
                f"The validation after step {progress.step} is not a number; choose a learning rate below "
                f"{self.config.rate_of_learning:g}. The best model so far is kept."
            )
        best = progress.best_psnr is None or psnr > progress.best_psnr
        if best:
            progress.best_psnr, progress.best_step = psnr, progress.step
            self.best = learned_state(self.network)
        progress.history.append((progress.step, psnr))
        loss = float(np.mean(progress.losses)) if progress.losses else None
        progress.losses = []
        if best:
            self._write(BEST)
        epoch = progress.step // self.config.steps_per_epoch
        tell(EpochDone(epoch, progress.step, loss, psnr, best, self._seconds()))
        self._save_state(tell)

    def _score(self) -> float | None:
        """Mean PSNR of the validation measurements; None if the user asked to stop meanwhile."""
        scores = []
        for measurement in self.data.validation:
            try:
                image = reconstruct(
                    measurement, self.network, autocast=self.fabric.autocast, should_stop=self.should_stop
                )
            except ReconstructionStopped:
                return None
            if not torch.view_as_real(image).isfinite().all():
                return math.nan
            scores.append(validation_psnr(measurement, image))
            if len(scores) == 1:
                save_preview(self.directory.folder, measurement, image)
        return float(np.mean(scores))

    def _patience_is_over(self) -> bool:
        if not self.config.patience:
            return False
        since_best = sum(1 for step, _ in self.progress.history if step > self.progress.best_step)
        return since_best >= self.config.patience

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
        self.optimiser = make_optimiser(self.config, self.network)
        if self.optimiser is None:
            self.wrapped = self.fabric.setup_module(self.network)
        else:
            self.wrapped, self.optimiser = self.fabric.setup(self.network, self.optimiser)
        state = self.directory.folder / STATE
        if state.is_file():
            self.progress, self.best = load_state(
                state, self.network, self.optimiser, base_sha256=self.base.sha256, device=self.fabric.device
            )
        self.fabric.barrier()  # nobody writes a new state before everybody has read the old one
        now = learned_state(self.network)
        if self.best:  # the file may be of a later step than the state: back to one story
            load_learned_state(self.network, self.best)
        self._write(BEST)
        load_learned_state(self.network, now)

    def _save_state(self, tell: Callable[[Event], None]) -> None:
        self.saved_at = time.perf_counter()
        if self.place.rank > 0 or not self.progress.history:
            return
        self.progress.seconds = self._seconds()
        self.began = self.saved_at
        save_state(
            self.directory.folder / STATE, self.progress, self.network, self.best, self.optimiser,
            base_sha256=self.base.sha256, device=self.fabric.device,
        )  # fmt: skip
        tell(Checkpointed(self.progress.step))

    def _write(self, name: str) -> None:
        if self.place.rank > 0:
            return
        progress = self.progress
        step = progress.step
        psnr = next((psnr for validated, psnr in progress.history if validated == step), None)
        if name == BEST:
            step, psnr = progress.best_step, progress.best_psnr
        save_checkpoint(self.directory.folder / name, self.network, self.base, self.config, step=step, psnr=psnr)

    def _write_outcome(self, *, finished: bool) -> None:
        if self.place.rank > 0:
            return
        self._write(LAST)
        record = self._result(finished=finished).as_record()
        del record["run"]  # folders move
        self.directory.write_metrics(
            {
                "strategy": self.config.strategy,
                "model": self.config.model,
                "effective": self.report.effective,
                "total": self.report.total,
                "convention": "validation PSNR in dB: foreground, peak = maximum of the scan's validation slices, "
                "mean over slices",
                **record,
            }
        )

    def _started(self) -> Started:
        scores = []
        for measurement in self.data.validation:
            self.check_own_stop()
            scores.append(validation_psnr(measurement, zero_filled(measurement)))
        self.zero_filled_psnr = float(np.mean(scores))
        warnings = [*self.base.notes, *self.data.warnings, *([self.report.warning] if self.report.warning else [])]
        if self.base.card is not None:
            for measurement in self.data.validation:
                warnings += self.base.card.outside_of_training(
                        measurement.mask, measurement.readout_positions, measurement.n_coils
                    )
        from_what = " K-space is simulated from the images." if self.data.is_simulated else ""
        return Started(
            self.config.strategy, self.report.trainable, self.report.total, self.config.steps, self.progress.step,
            str(self.fabric.device), self.zero_filled_psnr,
            tuple(f"{m.describe_sampling()}{from_what}" for m in self.data.validation),
            tuple(dict.fromkeys(warnings)),
        )  # fmt: skip

    def _result(self, *, finished: bool) -> Result:
        progress = self.progress
        psnrs = [psnr for _, psnr in progress.history] or [math.nan]
        best = math.nan if progress.best_psnr is None else progress.best_psnr
        return Result(
            self.directory.folder, finished, progress.step, progress.best_step, best, psnrs[-1], psnrs[0],
            self.zero_filled_psnr, self.report.trainable, self._seconds(),
        )  # fmt: skip

    def _seconds(self) -> float:
        return self.progress.seconds + time.perf_counter() - self.began
