"""The whole way with a real worker: from a scan in the viewer to its map over it, and once more after a crash."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from worker_session import prefer

from napari_mritransfer.cohort.grid import Grid
from napari_mritransfer.cohort.label import Label
from napari_mritransfer.cohort.model import Facts, save_cohort_model
from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.record import read_record
from napari_mritransfer.io import Scan, save
from napari_mritransfer.networks.sliceset import SliceSet
from napari_mritransfer.widgets.attention_dock import AttentionDock
from napari_mritransfer.widgets.requests import CRASHED

SPACING_MM = 12.0
SOON = 60_000


@pytest.fixture
def head(tmp_path):
    """A ball of tissue with structure, on the grid."""
    shape = Grid(SPACING_MM).shape
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    texture = np.random.default_rng(0).uniform(80, 120, shape)
    voxels = np.where(i**2 + j**2 + k**2 < 0.7, texture, 0).astype(np.float32)
    save(Scan.from_file_order(voxels, Grid(SPACING_MM).affine), tmp_path / "head.nii.gz")
    return tmp_path / "head.nii.gz"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    settings = {
        "grid": Grid(SPACING_MM).shape, "widths": (4, 8), "features": 8, "code": 6, "pooling": "attention",
        "positions": "learned", "slicing": "coronal",
    }  # fmt: skip
    network = SliceSet(**settings)
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    facts = Facts(Label("age", "regression", "years", (), 60.0, 10.0), Preparation(SPACING_MM), simulated=True)
    save_cohort_model(tmp_path / "tiny.safetensors", network, settings, facts)
    return tmp_path / "tiny.safetensors"


def test_a_scan_is_looked_at_and_its_map_laid_over_it(
    viewer, opened, head, weights, tmp_path, monkeypatch, warm_worker, qtbot
):
    prefer(monkeypatch, tmp_path / "kept")
    (layer,) = opened(head)
    dock = AttentionDock(viewer)
    viewer.window.add_dock_widget(dock, name="Slice attention")
    dock.networks.add(weights)
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    assert dock.status.text() == ""
    board, view = dock.attending.board, dock.attending.view
    record = read_record(dock.attending.data.folder)
    assert board.slicing == "coronal"
    assert dock.panel.prediction.text().startswith("age: ")
    assert not dock.panel.simulated.isHidden()
    assert view.relative == tuple(reversed(record.views[0].relative))
    board.go_to(5)
    shown = board.cells[3].data[5]
    assert shown.mean() == pytest.approx(view.relative[5], rel=1e-3), "a slice's map is as bright as its weight"
    dock.panel.on_scan.click()
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    over = viewer.layers[1]
    assert over.data.shape == layer.data.shape
    in_file = layer.metadata["mritransfer"]["scan"].axes.to_file(over.data[None])
    np.testing.assert_allclose(in_file.mean(axis=(0, 2)), record.views[0].relative, atol=1e-3)

    dock.run.click()
    os.kill(dock.session.client.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    assert dock.status.text() == CRASHED
    dock.run.click()
    qtbot.waitUntil(lambda: not dock.attending.is_busy, timeout=SOON)
    assert dock.status.text() == ""
    assert dock.attending.data.folder != Path(record.out)
    assert dock.attending.view.relative == pytest.approx(view.relative)
    dock.attending.leave()
