"""Fine-tuning as work: undersampled slices of target scans, judged by the PSNR of reconstructed ones."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_mritransfer.physics.undersampling import zero_filled
from napari_mritransfer.recon.network import ReconstructionStopped, check_suits, reconstruct
from napari_mritransfer.recon.precision import Autocast
from napari_mritransfer.training.checkpoint import BaseModel, open_model, save_checkpoint
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.data import TargetData, load_target
from napari_mritransfer.training.device import choose_device
from napari_mritransfer.training.events import Started
from napari_mritransfer.training.losses import loss_value
from napari_mritransfer.training.metric import PSNR
from napari_mritransfer.training.outcome import Outcome
from napari_mritransfer.training.preview import save_preview
from napari_mritransfer.training.result import Result
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.training.score import validation_psnr
from napari_mritransfer.training.work import Interrupted, ShouldStop
from napari_mritransfer.transfer.model import TransferReport, transfer


class ReconstructionWork:
    """See `training.work.Work`.

    Raises
    ------
    BadInput
        If the model, the scans or the settings do not work together.
    Interrupted
        If `should_stop` says so while loading.
    """

    metric = PSNR

    def __init__(self, config: FinetuneConfig, folder: Path, should_stop: ShouldStop) -> None:
        def check_stop() -> None:
            if should_stop():
                raise Interrupted

        check_stop()
        self.folder = folder
        self.base: BaseModel = open_model(config.model)
        if not getattr(self.base.network, "works_on_strips", True):
            config = replace(config, strip_rows=0)
        self.settings = config
        crops = getattr(self.base.network, "needs_image_crop", False)
        self.data: TargetData = load_target(config, check_stop, crop_images=crops)
        for measurement in self.data.validation:
            check_suits(self.base.network, measurement)
        torch.manual_seed(config.seed)  # scratch draws its weights here
        self.network: nn.Module = self.base.network
        try:
            self.report: TransferReport = transfer(self.network, config.strategy, config.strategy_options)
        except (ValueError, TypeError) as error:
            raise BadConfig(str(error)) from error
        self.base_sha256 = self.base.sha256
        self.device = choose_device(config.device)

    def batch_loss(self, wrapped: nn.Module, step: int, share: slice, device: torch.device) -> tuple[Tensor, int]:
        """Mean loss of freshly undersampled slices."""
        examples = self.data.draw(self.settings, step, share).to(device)
        image = wrapped(examples.kspace, examples.mask, examples.axes, examples.maps)
        loss = loss_value(self.settings.loss, image, examples.target)
        if (own := getattr(self.network, "auxiliary_loss", None)) is not None:
            loss = loss + own
        return loss, len(examples.kspace)

    def score(self, autocast: Autocast, should_stop: ShouldStop) -> float | None:
        """Mean PSNR of the validation measurements; the first one leaves a preview."""
        scores = []
        for measurement in self.data.validation:
            try:
                image = reconstruct(measurement, self.network, autocast=autocast, should_stop=should_stop)
            except ReconstructionStopped:
                return None
            if not torch.view_as_real(image).isfinite().all():
                return math.nan
            scores.append(validation_psnr(measurement, image))
            if len(scores) == 1:
                save_preview(self.folder, measurement, image)
        return float(np.mean(scores))

    def started(self, step: int, device: str, check_stop: Callable[[], None]) -> Started:
        """With the zero-filled images as the baseline."""
        scores = []
        for measurement in self.data.validation:
            check_stop()
            scores.append(validation_psnr(measurement, zero_filled(measurement)))
        notes = [measurement.mask.note for measurement in self.data.validation if measurement.mask.note]
        notes += [self.report.warning] if self.report.warning else []
        warnings = [*self.base.notes, *self.data.warnings, *notes]
        if self.base.card is not None:
            for measurement in self.data.validation:
                warnings += self.base.card.outside_of_training(
                    measurement.mask, measurement.readout_positions, measurement.n_coils
                )
        phase = ", with a smooth phase that is simulated too" if self.settings.smooth_phase else ""
        from_what = f" K-space is simulated from the images{phase}." if self.data.is_simulated else ""
        return Started(
            self.settings.strategy, self.report.trainable, self.report.total, self.settings.steps, step, device,
            float(np.mean(scores)),
            tuple(f"{m.describe_sampling()}{from_what}" for m in self.data.validation),
            tuple(dict.fromkeys(warnings)),
        )  # fmt: skip

    def save(self, path: Path, *, step: int, score: float | None) -> None:
        """See `training.checkpoint`."""
        save_checkpoint(path, self.network, self.base, self.settings, step=step, psnr=score)

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """With the names of a reconstruction."""
        record = Result.of(outcome).as_record()
        del record["run"]  # folders move
        return {
            "strategy": self.settings.strategy,
            "model": self.settings.model,
            "effective": self.report.effective,
            "total": self.report.total,
            "convention": "validation PSNR in dB: foreground, peak = maximum of the scan's validation slices, "
            "mean over slices",
            **record,
        }


def work_in(run: Path, should_stop: ShouldStop) -> ReconstructionWork:
    """The work of a run that was begun, for a helper process."""
    return ReconstructionWork(RunDirectory(run).config(), run, should_stop)
