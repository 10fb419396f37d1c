"""The demonstration: a T1-weighted network moves to T2 with five slices, on samples that ship with the package."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from napari_mritransfer.evaluation.figure import learning_curves_figure
from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.recon.network import ReconstructionStopped
from napari_mritransfer.study.board import write_comparison, write_record
from napari_mritransfer.study.comparison import Comparison, compare, psnr_by_seed
from napari_mritransfer.study.methods import PRETRAINED, ZERO_FILLED, resolve_methods
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.config import BadConfig, FinetuneConfig
from napari_mritransfer.training.events import Event, StepDone
from napari_mritransfer.training.loop import Result, finetune
from napari_mritransfer.training.rundir import RunDirectory

MODEL = "multiscale-contrast"  # has seen T1-weighted heads only
STRATEGIES = ("ft", "lft")
SEEDS = (0, 1)
EPOCHS, STEPS_PER_EPOCH = 6, 25
PATTERN = SamplingPattern(rate=0.25, acs=0.08)
PHASE_ENCODE = "x"  # left-right, the shorter way across a head, as these scans were acquired
_MARKER = ".mritransfer-demo"
_OURS = (
    "runs/*-seed*", "source-domain", "*.nii.gz", "*.npy", "*.png", "metrics.*", "board.json", "figure.json",
    "report.html", "verdict.txt",
)  # fmt: skip
_STOPPED = "The demonstration was stopped; start it again to see the results."


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What the demonstration found: on the target contrast, on the source contrast, and in one sentence."""

    title: str
    comparison: Comparison
    source: Comparison
    sentence: str


class DemoStopped(Exception):
    """The user asked to stop; the message says what to do."""


def sample(name: str) -> Path:
    """Path of a shipped scan, such as ``patient12_study1_T2W``."""
    return Path(str(resources.files("napari_mritransfer") / "resources" / "samples" / f"{name}.nii.gz"))


def run_demo(
    out: Path,
    *,
    on_progress: Callable[[str, int, int], None] = lambda name, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Demo:
    """Transfer, compare, write everything into `out`.

    Parameters
    ----------
    out
        Folder; the results of an earlier demonstration in it are replaced.

    Raises
    ------
    BadConfig
        If `out` holds something else.
    DemoStopped
        If the user asked to stop.
    """
    try:
        return _run(out, on_progress, should_stop)
    except ReconstructionStopped:
        raise DemoStopped(_STOPPED) from None


def _run(out: Path, on_progress: Callable[[str, int, int], None], should_stop: Callable[[], bool]) -> Demo:
    _prepare(out)
    runs = [
        _transfer(strategy, seed, out, on_progress, should_stop) for strategy in STRATEGIES for seed in SEEDS
    ]
    methods = resolve_methods([ZERO_FILLED, PRETRAINED, *(str(result.run) for result in runs)], MODEL)
    sampling = Sampling(PATTERN, PHASE_ENCODE)

    def compared(name: str, title: str) -> Comparison:
        return compare(
            str(sample(name)), methods, sampling, should_stop=should_stop,
            on_progress=lambda method, done, total: on_progress(f"{title}: {method}", done, total),
        )  # fmt: skip

    target = compared("patient12_study1_T2W", "T2w test")
    source = compared("patient12_study1_T1W", "T1w test")
    sentence = summary(target, source)
    curves, levels = out / "learning.png", runs[0]
    learning_curves_figure(
        {r.run.name: RunDirectory(r.run).curve() for r in runs},
        {"zero-filled": levels.zero_filled_psnr, "no transfer": levels.pretrained_psnr}, curves,
    )  # fmt: skip
    title = f"T1w network moved to T2w with 5 slices, {PATTERN.rate:.0%} of k-space, patient 12"
    facts = {
        "Transfer": {
            "model": MODEL,
            "learned from": "5 T2w slices of patient 03, study 1",
            "validated on": "patient 03, study 2 (the same person)",
            "tested on": "patient 12, a slab of 16 slices: n = 1, no confidence interval",
            "budget": f"{EPOCHS * STEPS_PER_EPOCH} steps of 4 strips; best validation is used",
            "seeds": ", ".join(map(str, SEEDS)),
        },
        "Source contrast afterwards (T1w, patient 12; mean over seeds)": {
            s.method: f"{np.mean(psnr_by_seed(s)):.2f} dB PSNR, {_change(source)[s.method]:+.2f} dB against no transfer"
            for s in source.scores
        },
    }
    write_comparison(
        target, out, title=title, sentence=sentence, facts=facts,
        extra_figures=[(curves, "Validation during the transfers: foreground PSNR on patient 03, study 2.")],
    )  # fmt: skip
    write_record(target, out, title=title)
    write_comparison(source, out / "source-domain", title="The same networks on the contrast they came from (T1w)")
    return Demo(title, target, source, sentence)


def summary(target: Comparison, source: Comparison) -> str:
    """What was gained over no transfer, by which method, at what cost to the source domain."""
    gained, kept = _change(target), _change(source)
    trained = sorted((name for name in gained if name not in (ZERO_FILLED, PRETRAINED)), key=lambda n: -gained[n])
    clauses = [
        f"{name.upper()} gained {gained[name]:+.2f} dB over no transfer on T2w and changed T1w by {kept[name]:+.2f} dB"
        for name in trained
    ]
    winner = target.verdict.winner
    judgement = f"{winner.upper()} is best" if winner in trained else "the best methods are indistinguishable"
    return f"{'; '.join(clauses)}; {judgement} (foreground PSNR, mean over slices of patient 12, {len(SEEDS)} seeds)."


def _change(comparison: Comparison) -> dict[str, float]:
    """Mean PSNR of each method minus that of no transfer, in dB."""
    means = {scores.method: float(np.mean(psnr_by_seed(scores))) for scores in comparison.scores}
    return {method: mean - means[PRETRAINED] for method, mean in means.items()}


def _transfer(
    strategy: str,
    seed: int,
    out: Path,
    on_progress: Callable[[str, int, int], None],
    should_stop: Callable[[], bool],
) -> Result:
    config = FinetuneConfig(
        model=MODEL,
        train=(str(sample("patient03_study1_T2W")),),
        validation=(str(sample("patient03_study2_T2W")),),
        strategy=strategy,
        slices=5,
        validation_slices=4,
        pattern=PATTERN,
        phase_encode="x",
        epochs=EPOCHS,
        steps_per_epoch=STEPS_PER_EPOCH,
        seed=seed,
    )

    def on_event(event: Event) -> None:
        if isinstance(event, StepDone):
            on_progress(f"{strategy}, seed {seed}", event.step, config.steps)

    result = finetune(config, on_event, should_stop, run=out / "runs" / f"{strategy}-seed{seed}")
    if not result.finished:
        raise DemoStopped(_STOPPED)
    return result


def _prepare(out: Path) -> None:
    """A folder with a marker, so that a later demonstration knows it may clear what an earlier one wrote there."""
    if out.exists():
        if not (out / _MARKER).is_file() and any(out.iterdir()):
            raise BadConfig(f"{out} already holds other files; choose another folder with --out.")
        for path in (path for pattern in _OURS for path in out.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).touch()
