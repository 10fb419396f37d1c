"""Another kind of work than reconstruction, in miniature: a small network that learns an age from three numbers."""

import dataclasses
import json
from dataclasses import dataclass

import torch
from torch import nn

from napari_mritransfer.training.config import Optimiser
from napari_mritransfer.training.events import Started
from napari_mritransfer.training.loop import run_course
from napari_mritransfer.training.metric import Metric
from napari_mritransfer.training.rundir import RunDirectory
from napari_mritransfer.training.tensorfile import serialised
from napari_mritransfer.training.work import Interrupted
from napari_mritransfer.training.worker import run_of
from napari_mritransfer.transfer.model import fingerprint, transfer

ADVICE = "take fewer numbers"


@dataclass(frozen=True)
class LineConfig:
    """Settings of `LineWork`."""

    strategy: str = "ft"
    epochs: int = 3
    steps_per_epoch: int = 4
    patience: int = 0
    batch: int = 5
    devices: int = 1
    precision: str = "float32"
    optimiser: Optimiser = Optimiser.ADAM
    rate_of_learning: float = 0.02
    weight_decay: float = 0.0
    seed: int = 0
    dropout: float = 0.2

    @property
    def steps(self):
        return self.epochs * self.steps_per_epoch

    def as_json(self):
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        record = json.loads(text)
        return cls(**record | {"optimiser": Optimiser(record["optimiser"])})


class LineWork:
    """Mean absolute error in years: lower is better."""

    metric = Metric("MAE", "years", higher_is_better=False)
    device = torch.device("cpu")

    def __init__(self, config, should_stop):
        if should_stop():
            raise Interrupted
        self.settings = config
        generator = torch.Generator().manual_seed(1)
        inputs = torch.randn(60, 3, generator=generator)
        ages = 50 + inputs @ torch.tensor([[8.0], [-5.0], [3.0]])
        self.train, self.validation = (inputs[:40], ages[:40]), (inputs[40:], ages[40:])
        torch.manual_seed(config.seed)
        body = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(config.dropout))
        self.network = nn.Sequential(body, nn.Linear(16, 1))
        with torch.no_grad():
            self.network[1].bias.fill_(50.0)
        self.base_sha256 = fingerprint(self.network[0].state_dict())
        self.report = transfer(self.network, config.strategy, part="0")

    def batch_loss(self, wrapped, step, share, device):
        """Of examples that follow each other."""
        chosen = [(step * self.settings.batch + i) % 40 for i in range(self.settings.batch)][share]
        inputs, ages = (values[chosen].to(device) for values in self.train)
        return (wrapped(inputs) - ages).abs().mean(), len(chosen)

    def score(self, autocast, should_stop):
        if should_stop():
            return None
        self.network.eval()
        with torch.no_grad(), autocast():
            return float((self.network(self.validation[0]) - self.validation[1]).abs().mean())

    def started(self, step, device, check_stop):
        check_stop()
        baseline = float((self.train[1].mean() - self.validation[1]).abs().mean())
        return Started(
            self.settings.strategy, self.report.trainable, self.report.total, self.settings.steps, step, device,
            baseline, baseline_name="mean predictor", first_name="untrained",
        )  # fmt: skip

    def save(self, path, *, step, score):
        path.write_bytes(serialised(self.network.state_dict(), {"step": str(step), "score": str(score)}))

    def outcome(self, outcome):
        return {"label": "age", **outcome.as_record()}


def work_in(run, should_stop):
    """For the process of another device."""
    return LineWork(RunDirectory(run, LineConfig).config(), should_stop)


def learn_line(config, on_event=lambda event: None, should_stop=lambda: False, *, run, make_work=LineWork, **options):
    """As `finetune` is for reconstructions."""
    return run_course(
        lambda should_stop: make_work(config, should_stop), config, on_event, should_stop,
        directory=RunDirectory(run, LineConfig), memory_advice=ADVICE, **options,
    )  # fmt: skip


def line_job(command, on_event, should_stop):
    """For the worker."""
    config = LineConfig.from_json(json.dumps(command["config"]))
    learn_line(config, on_event, should_stop, run=run_of(command), resume=bool(command.get("resume")))
