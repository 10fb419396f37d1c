"""From the menus to the exported comparison, as the tutorial goes, with a real worker process."""

import subprocess
import sys

import numpy as np
import pytest
from heads import write_head, write_tiny_base
from worker_session import prefer

from napari_mritransfer.io import load
from napari_mritransfer.widgets.commands import opened as dock_of
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.tuning import RunState

SOON = 60_000
WITHOUT_TORCH = """
import sys, time
import napari
from qtpy.QtWidgets import QApplication
from napari_mritransfer.widgets.commands import opened

def until(there, seconds=60):
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.01)

viewer = napari.Viewer(show=False)
(layer,) = viewer.open_sample("napari-mritransfer", "t2")
names = ("Load scan", "Fine-tune", "Compare reconstructions", "Slice attention", "Cohort")
docks = [opened(viewer, name) for name in names]
loading = docks[0]
until(loading.undersample.isEnabled)
loading.undersample.click()
until(lambda: len(viewer.layers) == 2)
docks[1].choose_scans([viewer.layers[0]], viewer.layers[0])
assert "torch" not in sys.modules and "lightning_fabric" not in sys.modules
pid = docks[1].session.client.pid
viewer.close()
until(lambda: docks[1].session.client.pid is None, 5)
print("no torch here", pid)
"""


@pytest.fixture
def heads(tmp_path):
    return [write_head(tmp_path / f"sub-0{n}" / "t2.nii.gz", seed=n) for n in (1, 2, 3)]


def test_load_undersample_transfer_compare_export(
    viewer, heads, tmp_path, monkeypatch, warm_worker, opened, qtbot
):
    prefer(monkeypatch, tmp_path / "kept")
    base = write_tiny_base(tmp_path / "base.safetensors")
    train, judge, test = opened(*heads)

    loading = dock_of(viewer, "Load scan")
    loading.choose_layer(test)
    qtbot.waitUntil(loading.undersample.isEnabled, timeout=SOON)
    loading.undersample.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=SOON)
    zero_filled = viewer.layers[-1]
    assert zero_filled.metadata[KEY]["kind"] == "zero-filled"
    assert loading.session.measurements[0].scan == heads[2]

    tuning = dock_of(viewer, "Fine-tune")
    tuning.model.add(base)
    tuning.choose_scans([train], judge)
    tuning.advanced.epochs.value, tuning.advanced.steps_per_epoch.value = 2, 3
    tuning.start.click()
    qtbot.waitUntil(lambda: not tuning.tuning.is_busy, timeout=SOON)
    assert tuning.tuning.state is RunState.DONE, tuning.tuning.message
    assert tuning.tuning.runs[0].config.pattern.rate == loading.session.measurements[0].sampling.pattern.rate

    comparing = dock_of(viewer, "Compare reconstructions")
    assert len(comparing.methods.ticked) == 5, "reference, zero-filled, pretrained and what was just learned"
    comparing.build.click()
    qtbot.waitUntil(lambda: comparing.session.board is not None, timeout=SOON)
    board = comparing.session.board
    assert [cell.metadata[KEY]["method"] for cell in board.cells] == [
        "reference", "zero-filled", "pretrained", "lft", "ft",
    ]  # fmt: skip
    np.testing.assert_allclose(board.cells[1].data * board.data.white, zero_filled.data, rtol=1e-4, atol=1e-2)
    assert not any(layer.visible for layer in (train, judge, test, zero_filled))

    comparing.export_to(tmp_path / "export")
    qtbot.waitUntil(lambda: "Exported" in comparing.status.text(), timeout=SOON)
    exported = load(tmp_path / "export" / "zero-filled.nii.gz")
    np.testing.assert_allclose(exported.image[0], zero_filled.data, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(exported.affine, load(heads[2]).affine)
    board.leave()
    assert [layer.visible for layer in viewer.layers] == [True] * 4


def test_torch_is_never_imported_in_the_viewers_process(tmp_path, monkeypatch):
    """In a fresh process, through all docks and a real measurement; it ends with its viewer and leaves none behind."""
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "no torch here" in done.stdout, done.stderr[-2000:]
    assert (tmp_path / "mritransfer-runs" / "measurements").is_dir()
