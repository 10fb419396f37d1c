"""Train small U-Net, VarNet and ISTA-Net+ bases and transfer them from T1W to T2W, by commands that users have.

    python scripts/transfer_published.py DATA --out FOLDER

DATA holds ``brain_ms/``. Bases learn T1W of patients 01 and 04, validated on patient 03's study 2; the transfer learns
five T2W slices of patient 03's study 1, validated on its study 2 (the same person); the test is patient 12's T2W.
k-space is simulated from magnitude images. The networks are far smaller than the published ones and trained for
minutes: the table shows that transfer works with them, not how good they can be.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

NETWORKS = {
    "unet": {"chans": 16, "pools": 3},
    "varnet": {"cascades": 3, "chans": 8, "pools": 3, "sens_chans": 4, "sens_pools": 3},
    "istanet": {"layers": 5},
}
STEPS = {"unet": 1600, "varnet": 320, "istanet": 240}  # some minutes each on two cores


def mritransfer(*arguments: object) -> str:
    """One command; its standard output."""
    command = [sys.executable, "-m", "napari_mritransfer", *map(str, arguments)]
    print("$ mritransfer", *map(str, arguments), flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--share", type=float, default=1.0, help="of the steps that the bases are trained for")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    brain = args.data / "brain_ms"
    sources = [brain / f"{p}_T1W.nii.gz" for p in ("patient01/study1", "patient01/study2", "patient04/study1")]
    t1, t2 = brain / "patient03/study2_T1W.nii.gz", [brain / f"patient03/study{i}_T2W.nii.gz" for i in (1, 2)]
    test = brain / "patient12/study1_T2W.nii.gz"
    print("| network | parameters | zero-filled | base | FT | LFT | LFT learns | base trained for |")
    for name in args.networks:
        folder, began = args.out / name, time.perf_counter()
        fresh = args.out / f"{name}-fresh.safetensors"
        mritransfer("models", "new", name, "--settings", json.dumps(NETWORKS[name]), "--out", fresh)
        steps = round(STEPS[name] * args.share)
        common = ("--rate", 0.25, "--phase-encode", "x", "--seed", 0, "--epochs", 4, "--val-slices", 4)
        mritransfer(
            "finetune", *[x for source in sources for x in ("--train", source)], "--val", t1, "--model", fresh,
            "--strategy", "ft", "--learning-rate", 1e-3, "--slices", 60, "--steps-per-epoch", steps // 4, "--batch", 1,
            *common, "--out", folder / "base",
        )  # fmt: skip
        seconds = time.perf_counter() - began
        learned = {}
        for strategy in ("ft", "lft"):
            answer = mritransfer(
                "finetune", "--train", t2[0], "--val", t2[1], "--model", folder / "base", "--strategy", strategy,
                "--slices", 5, "--steps-per-epoch", 15, "--batch", 1, *common, "--out", folder / strategy, "--json",
            )  # fmt: skip
            learned[strategy] = json.loads(answer)["trainable"]
        methods = ["zero-filled", folder / "base", folder / "ft", folder / "lft"]
        answer = mritransfer(
            "compare", test, "--methods", ",".join(map(str, methods)), "--rate", 0.25, "--seed", 1,
            "--phase-encode", "x", "--out", folder / "board", "--json",
        )  # fmt: skip
        psnr = [method["psnr"] for method in json.loads(answer)["methods"]]
        numbers = " | ".join(f"{value:.2f}" for value in psnr)
        learns = f"{learned['ft']:,} | {numbers} | {learned['lft']:,}"
        print(f"| {name} | {learns} | {steps} steps, {seconds:.0f} s |", flush=True)


if __name__ == "__main__":
    main()
