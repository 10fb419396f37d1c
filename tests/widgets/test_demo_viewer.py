"""What `make demo` ends in: a viewer with the board and the docks, on what the demonstration wrote."""

import json

import numpy as np
import pytest
from small_run import write_run_of
from worker_session import prefer

from napari_mritransfer.io import load
from napari_mritransfer.widgets.demo_viewer import show_demo
from napari_mritransfer.widgets.samples import SAMPLES
from napari_mritransfer.widgets.session import session_of


@pytest.fixture
def demonstration(tmp_path):
    """The files of a demonstration that the viewer opens; the images are the sample itself, darker."""
    reference = load(SAMPLES / "patient12_study1_T2W.nii.gz").image
    np.save(tmp_path / "reference.npy", reference)
    slices = reference.shape[1]
    methods = []
    for name, level in (("zero-filled", 0.8), ("ft", 0.9), ("lft", 0.95)):
        np.save(tmp_path / f"{name}.npy", reference * np.float32(level))
        numbers = {"psnr": 30 * level, "ssim": level, "slice_psnr": [30.0] * slices, "slice_ssim": [level] * slices}
        methods.append({"name": name, "image": f"{name}.npy", "sources": [], **numbers})
    record = {
        "out": str(tmp_path), "reference": "reference.npy", "methods": methods, "verdict": "lft is best.",
        "warnings": [], "description": "25 %", "convention": [], "white": 900.0,
    }  # fmt: skip
    (tmp_path / "board.json").write_text(json.dumps(record))
    for strategy in ("ft", "lft"):
        write_run_of(tmp_path / "runs" / f"{strategy}-seed0", strategy)
    return tmp_path


@pytest.mark.usefixtures("warm_worker")
def test_the_board_and_all_docks_are_there(viewer, demonstration, tmp_path, monkeypatch, qtbot):
    prefer(monkeypatch, tmp_path / "kept")
    show_demo(viewer, demonstration)
    session = session_of(viewer)
    qtbot.waitUntil(lambda: session.board is not None, timeout=30_000)
    assert len(session.board.cells) == 4
    docks = dict(viewer.window.dock_widgets)
    assert {name.split(" (")[0] for name in docks} >= {"Load scan", "Fine-tune", "Compare reconstructions"}
    tuning = next(dock for name, dock in docks.items() if name.startswith("Fine-tune"))
    qtbot.waitUntil(lambda: len(tuning.plot.loss.listDataItems()) == 2, timeout=5_000)
    session.board.leave()
