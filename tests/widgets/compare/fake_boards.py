"""Finished comparisons on disk, as the worker leaves them, without the worker."""

import json
from pathlib import Path

import numpy as np
from heads import write_head

from napari_mritransfer.io import load

LEVELS = {"zero-filled": 0.8, "pretrained": 0.9, "lft": 0.97}  # each method is the reference, darker by this much


def write_scan(folder: Path, *, slices: int = 6) -> Path:
    return write_head(folder / "head.nii.gz", slices=slices)


def write_fake_board(folder: Path, scan: Path, *, has_reference: bool = True, frames: int = 1) -> Path:
    """A comparison of `scan` by three methods; slice 4 is the worst of all, slice 0 does not count."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = np.repeat(load(scan).image, frames, axis=0)
    n_slices = reference.shape[0] * reference.shape[1]
    if has_reference:
        np.save(folder / "reference.npy", reference)
    methods = []
    for rank, (name, level) in enumerate(LEVELS.items()):
        np.save(folder / f"{name}.npy", reference * np.float32(level))
        psnr: list = [None, *(20.0 + 5 * rank - (index == 4) * 3 - index / 100 for index in range(1, n_slices))]
        ssim: list = [None, *(0.6 + 0.1 * rank - (index == 2) * 0.1 for index in range(1, n_slices))]
        numbers = {"psnr": 20.0 + 5 * rank, "ssim": 0.6 + 0.1 * rank, "slice_psnr": psnr, "slice_ssim": ssim}
        if not has_reference:
            numbers = {"psnr": None, "ssim": None, "slice_psnr": [None] * n_slices, "slice_ssim": [None] * n_slices}
        methods.append({"name": name, "image": f"{name}.npy", "sources": [], **numbers})
    record = {
        "out": str(folder),
        "reference": "reference.npy" if has_reference else None,
        "methods": methods,
        "verdict": "lft is best." if has_reference else "Nobody can be judged by a number.",
        "warnings": ["k-space was simulated from a magnitude image."],
        "description": "25 % of the lines.",
        "convention": ["Peak: volume maximum of the reference."],
        "white": 500.0,
    }
    (folder / "board.json").write_text(json.dumps(record), encoding="utf-8")
    return folder
