"""The figures of docs/results.md: a base moves from T1w to T2w or FLAIR heads, judged on a patient nobody trained on.

    python scripts/transfer_study.py rates DATA --out rates      # default learning rates, chosen on patient 03 alone
    python scripts/transfer_study.py grid DATA --out grid        # strategies × slices × seeds, tested on patient 12
    python scripts/transfer_study.py yardstick DATA              # the bases themselves, on patient 12's T1w

DATA is the folder that holds ``brain_ms/``. Finished runs in --out are not run again, so an interrupted study goes on,
and two processes with OMP_NUM_THREADS=1 can share one on two cores (``--slices 1`` and ``--slices 5``), after which a
last call tabulates all. Other settings need another --out, and so do other weights under the same model name, which are
not noticed. Each prints a markdown table and writes it, with every number behind it, into --out.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from napari_mritransfer.evaluation.metrics import Peak, evaluate
from napari_mritransfer.io import load
from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.physics.undersampling import Measurement, on_image_matrix, undersample, zero_filled
from napari_mritransfer.recon.network import reconstruct
from napari_mritransfer.recon.precision import autocast_for
from napari_mritransfer.training.checkpoint import open_model
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.loop import finetune
from napari_mritransfer.training.rundir import BEST, LAST, RunDirectory
from napari_mritransfer.zoo.card import model_cards

MODEL = "multiscale-contrast"
PATTERN = SamplingPattern(rate=0.25, acs=0.08)
RATES = {
    "scratch": (1e-3, 3e-3), "ft": (1e-4, 3e-4, 1e-3, 3e-3), "lft": (1e-3, 3e-3, 1e-2, 3e-2),
    "last-layers": (1e-3, 3e-3), "first-layers": (1e-3, 3e-3), "bias": (1e-3, 3e-3, 1e-2, 3e-2),
    "ssf": (3e-3, 1e-2, 3e-2), "lora": (1e-3, 3e-3, 1e-2), "conv-adapter": (3e-4, 1e-3, 3e-3, 1e-2),
    "l2-sp": (1e-3, 3e-3),
}  # fmt: skip
SEEDS = (0, 1, 2)
VALIDATION = 8  # slices, fully sampled too


def transferred(args: argparse.Namespace, name: str, **settings: object) -> RunDirectory:
    """One run, patient 03 study 1 to learn from and study 2 to validate on; finished ones are only read."""
    folder, target = args.data / "brain_ms" / "patient03", f"_{args.target}.nii.gz"
    run = RunDirectory(args.out / name)
    config = FinetuneConfig(
        model=args.model, train=(str(folder / f"study1{target}"),), validation=(str(folder / f"study2{target}"),),
        validation_slices=VALIDATION, pattern=PATTERN, phase_encode="x", epochs=args.epochs, steps_per_epoch=25,
        **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    if run.config_path.exists() and run.config() != config:
        raise SystemExit(f"{run.folder} is a run with other settings: give a new folder with --out.")
    if run.is_finished():
        return run
    finetune(config, run=run.folder, resume=run.config_path.exists())
    print(f"# {name}: {run.metrics()}", flush=True)
    return run


def rates(args: argparse.Namespace) -> None:
    """Validation PSNR of every strategy at several learning rates, five slices, one seed."""
    lines = ["| strategy | learning rate | best validation (dB) | at step | last step (dB) |", "|---|---|---|---|---|"]
    for strategy in args.strategies:
        for rate in RATES[strategy]:
            run = transferred(args, f"{strategy}-{rate:g}", strategy=strategy, learning_rate=rate, slices=5)
            m = run.metrics() or {}
            lines.append(f"| {strategy} | {rate:g} | {m['best_psnr']:.2f} | {m['best_step']} | {m['last_psnr']:.2f} |")
    write(args.out, "rates", lines)


def grid(args: argparse.Namespace) -> None:
    """Target and source PSNR of every strategy, best checkpoint and last step."""
    patient = args.data / "brain_ms" / "patient12"
    scans = {"target": patient / f"study1_{args.target}.nii.gz", "source": patient / "study1_T1W.nii.gz"}
    judges = {name: judge(path, args.judge_every) for name, path in scans.items()}
    base = {name: judged(open_model(args.model).network) for name, judged in judges.items()}
    record: dict[str, object] = {"pretrained": base, "zero-filled": {n: j(None) for n, j in judges.items()}}
    for slices in args.slices:
        for strategy in args.strategies:
            for seed in SEEDS:
                name = f"{strategy}-n{slices}-seed{seed}"
                path = args.out / f"{name}.json"
                run = transferred(args, name, strategy=strategy, slices=slices, seed=seed)
                if not path.exists():
                    outcome = run.metrics() or {}
                    best = {n: j(open_model(str(run.folder)).network) for n, j in judges.items()}
                    last = best
                    if outcome["best_step"] != outcome["step"]:
                        last = {n: j(open_model(str(run.folder / LAST)).network) for n, j in judges.items()}
                    path.write_text(json.dumps({"best": best, "last": last, "run": outcome}, indent=1))
                record[name] = json.loads(path.read_text()) | {"bytes": (run.folder / BEST).stat().st_size}
    (args.out / "grid.json").write_text(json.dumps(record, indent=1))
    write(args.out, "grid", table(record, args))
    picture(record, args)


def judge(path: Path, every: int) -> Callable[[torch.nn.Module | None], dict[str, float]]:
    """A function from a network (None: zero-filled) to its scores on one scan, every so many slices."""
    image = torch.from_numpy(load(path).image[:, ::every].copy())
    measurement = undersample(image, PATTERN, phase_encode="x")
    truth = magnitude(measurement.reference, measurement)

    def scores(network: torch.nn.Module | None) -> dict[str, float]:
        cpu = autocast_for(torch.device("cpu"))
        result = zero_filled(measurement) if network is None else reconstruct(measurement, network, autocast=cpu)
        found = evaluate(truth, magnitude(result, measurement))
        return {"psnr": found.foreground.psnr.mean, "ssim": found.foreground.ssim.mean,
                "nmse": found.foreground.nmse.mean, "whole_psnr": found.whole.psnr.mean}  # fmt: skip

    return scores


def magnitude(image: torch.Tensor, measurement: Measurement) -> np.ndarray:
    return on_image_matrix(image, measurement.matrix).abs()[0].numpy()


def table(record: dict, args: argparse.Namespace) -> list[str]:
    """Mean and range over seeds; the source column is the change against the pretrained base."""
    base, zero = record["pretrained"], record["zero-filled"]
    lines = [
        f"| method | slices | {args.target}, best checkpoint (dB) | last step (dB) | gain, best (dB) | SSIM, best "
        "| T1w change, best (dB) | T1w change, last (dB) | best step | numbers learned | checkpoint (kB) |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        f"| zero-filled | – | {zero['target']['psnr']:.2f} | – | – | {zero['target']['ssim']:.4f} " + "| – " * 5 + "|",
        f"| pretrained | – | {base['target']['psnr']:.2f} | – | 0 | {base['target']['ssim']:.4f} | 0 | 0 | – | 0 | – |",
    ]
    for slices in args.slices:
        for strategy in args.strategies:
            runs = [record[f"{strategy}-n{slices}-seed{seed}"] for seed in SEEDS]

            def over_seeds(which: str, scan: str, start: float = 0.0, runs: list = runs, key: str = "psnr") -> str:
                values = [run[which][scan][key] - start for run in runs]
                digits = 4 if key == "ssim" else 2
                return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"

            lines.append(
                f"| {strategy} | {slices} + {VALIDATION}V "
                f"| {over_seeds('best', 'target')} | {over_seeds('last', 'target')} "
                f"| {over_seeds('best', 'target', base['target']['psnr'])} "
                f"| {over_seeds('best', 'target', key='ssim')} "
                f"| {over_seeds('best', 'source', base['source']['psnr'])} "
                f"| {over_seeds('last', 'source', base['source']['psnr'])} "
                f"| {', '.join(str(run['run']['best_step']) for run in runs)} "
                f"| {runs[0]['run']['trainable']:,} | {runs[0]['bytes'] / 1000:,.0f} |"
            )
    return lines


def picture(record: dict, args: argparse.Namespace) -> None:
    """What is gained on the target over what is lost on the source, a mark a seed."""
    figure, axes = plt.subplots(figsize=(6.4, 4.4))
    slices = args.slices[-1]
    for strategy, colour in zip(args.strategies, plt.get_cmap("tab10").colors, strict=False):
        runs = [record[f"{strategy}-n{slices}-seed{seed}"]["best"] for seed in SEEDS]
        gains, lost = ([run[n]["psnr"] - record["pretrained"][n]["psnr"] for run in runs] for n in ("target", "source"))
        if min(gains) > -1:  # from scratch lies far outside
            axes.plot(lost, gains, "o", color=colour, label=strategy)
    axes.axhline(0, color="0.8", zorder=0)
    axes.axvline(0, color="0.8", zorder=0)
    axes.set(xlabel="change on T1w (dB): what is forgotten", ylabel=f"gain on {args.target} (dB)")
    axes.set_title(f"{slices} slices, best checkpoint")
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(args.out / "grid.png", dpi=100)


def yardstick(args: argparse.Namespace) -> None:
    """Every shipped base on patient 12's T1w: 25 %, 8 % ACS, its masks; eight of each kind, because they differ."""
    image = torch.from_numpy(load(args.data / "brain_ms" / "patient12" / "study1_T1W.nii.gz").image)
    lines = [
        "| base | masks | whole matrix, whole image, slice peak (dB) "
        "| measured k-space, foreground, volume peak (dB) |",
        "|---|---|---|---|",
    ]
    bases: dict[tuple[str, MaskKind], torch.nn.Module | None] = {}
    for card in model_cards():
        network = open_model(card.name).network
        for kind in map(MaskKind, card.mask_kinds if card.is_for_planes else [PATTERN.kind]):
            bases |= {("zero-filled", kind): None, (card.name, kind): network}
    cpu = autocast_for(torch.device("cpu"))
    for (name, kind), network in bases.items():
        cells = []
        for crop in (False, True):
            found = []
            for seed in range(8):
                pattern = replace(PATTERN, kind=kind, seed=seed)
                measurement = undersample(image, pattern, phase_encode="x", crop_to_support=crop)
                image_again = zero_filled(measurement)
                if network is not None:
                    image_again = reconstruct(measurement, network, autocast=cpu)
                pair = magnitude(measurement.reference, measurement), magnitude(image_again, measurement)
                scores = evaluate(*pair) if crop else evaluate(*pair, peak=Peak.SLICE)
                found.append((scores.foreground if crop else scores.whole).psnr.mean)
            cells.append(f"{np.mean(found):.2f} ({min(found):.2f} to {max(found):.2f})")
        lines.append(f"| {name} | {kind} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    write(args.out, "yardstick", lines)


def write(out: Path, name: str, lines: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{name}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rates", "grid", "yardstick"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--target", default="T2W", choices=("T2W", "FLAIR"), help="contrast to move to")
    parser.add_argument("--epochs", type=int, default=8, help="of 25 steps")
    parser.add_argument("--strategies", nargs="+", default=["scratch", "ft", "lft"])
    parser.add_argument("--slices", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--judge-every", type=int, default=1, help="test on every so many slices; all by default")
    parser.add_argument("--out", type=Path, default=Path("study-output"))
    args = parser.parse_args()
    {"rates": rates, "grid": grid, "yardstick": yardstick}[args.what](args)


if __name__ == "__main__":
    main()
