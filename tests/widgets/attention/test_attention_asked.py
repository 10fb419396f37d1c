"""What the "Slice attention" dock asks the worker for."""

import threading
from pathlib import Path

import numpy as np
from qtpy.QtWidgets import QFileDialog
from small_run import write_run_of

from napari_mritransfer.physics.masks import SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.events import Stopped
from napari_mritransfer.widgets.attention_dock import AttentionDock
from napari_mritransfer.widgets.attention_inputs import named
from napari_mritransfer.widgets.session import Session, Undersampled
from napari_mritransfer.widgets.tuning import Run

SOON = 10_000


def test_the_worker_gets_exactly_what_was_chosen_for_a_layer(dock, root, layer, head, orders):
    dock.sanity.setChecked(True)
    dock.run.click()
    (request,) = orders
    out = Path(request.command.pop("out"))
    assert out.parent == root / "attention"
    assert out.name.endswith("_head")
    assert request.command == {
        "command": "attend", "inputs": [{"name": "head", "path": str(head)}], "models": ["sim-age"], "slicing": None,
        "map": True, "sanity": True, "device": "cpu",
    }  # fmt: skip
    assert not dock.run.isEnabled()
    request.ended.emit(Stopped(0, 0, None))


def test_the_worker_gets_several_files_two_networks_and_another_slicing(dock, orders, tmp_path, monkeypatch):
    files = [str(tmp_path / place) for place in ("a/t1.nii.gz", "b/t1.nii.gz", "c.NII", "c.mgz")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
    dock.source.choose("files")
    assert not dock.run.isEnabled()
    dock.source.pick.click()
    assert dock.source.about.text() == "t1.nii.gz, t1.nii.gz, c.NII, c.mgz"
    dock.networks.choose("sim-disease")
    dock.networks.slicing.setCurrentIndex(dock.networks.slicing.findData("axial"))
    dock.run.click()
    command = orders[0].command
    assert [one["name"] for one in command["inputs"]] == ["t1", "t1 2", "c", "c 2"]
    assert [one["path"] for one in command["inputs"]] == files
    assert (command["models"], command["slicing"]) == (["sim-disease"], "axial")
    orders[0].ended.emit(Stopped(0, 0, None))
    dock.networks.choose("sim-disease", "sim-age")  # which has position codes
    assert not dock.networks.slicing.isEnabled()
    dock.run.click()
    assert (orders[1].command["models"], orders[1].command["slicing"]) == (["sim-disease", "sim-age"], None)
    orders[1].ended.emit(Stopped(0, 0, None))
    dock.networks.choose("sim-age", "sim-age")
    dock.run.click()
    assert orders[2].command["models"] == ["sim-age"]
    orders[2].ended.emit(Stopped(0, 0, None))


def test_files_chosen_twice_count_once():
    a, b = Path("a.nii"), Path("b")
    assert named([a, a, b]) == (("a", a), ("b", b))


def test_the_methods_of_a_comparison_are_offered_once_there_is_one(dock, orders, tmp_path, monkeypatch):
    entry = dock.source.kind.model().item(dock.source.kind.findData("board"))
    assert not entry.isEnabled()
    assert "build a board" in entry.toolTip()

    class Comparison:
        folder = tmp_path / "board"
        reference = np.zeros(1)
        methods = (type("Method", (), {"name": "lft"}),)
        scan = type("Scan", (), {"name": "head", "path": tmp_path / "head.nii.gz"})

    dock.comparing.data = Comparison
    dock.comparing.changed.emit()
    assert entry.isEnabled()
    dock.source.choose("board")
    assert dock.source.about.text() == "head: reference, lft"
    dock.run.click()
    command = orders[0].command
    assert command["board"] == str(tmp_path / "board")
    assert "inputs" not in command
    assert Path(command["out"]).name.endswith("_comparison")
    orders[0].ended.emit(Stopped(0, 0, None))
    Comparison.folder = None  # layers that were compared as they are
    dock.comparing.changed.emit()
    assert dock.source.chosen == "layer"


def test_a_layer_without_a_file_gets_one_first(dock, viewer, root, orders, qtbot):
    viewer.add_image(np.ones((4, 5, 6), dtype=np.float32), name="computed")
    dock.run.click()
    assert dock.status.text().startswith("Writing the scan")
    qtbot.waitUntil(lambda: len(orders) == 1, timeout=SOON)
    (one,) = orders[0].command["inputs"]
    assert one["name"] == "computed"
    assert Path(one["path"]).is_file()
    assert Path(one["path"]).parent == root / "inputs"
    orders[0].ended.emit(Stopped(0, 0, None))


def test_stop_while_a_file_is_written_asks_the_worker_for_nothing(dock, viewer, orders, monkeypatch, qtbot):
    may_go_on = threading.Event()

    def slow(_self, _layer):
        may_go_on.wait(10)
        return Path("x.nii.gz")

    monkeypatch.setattr(Session, "path_of", slow)
    viewer.add_image(np.ones((4, 5, 6), dtype=np.float32), name="computed")
    dock.run.click()
    dock.stop.click()
    assert dock.status.text() == "Stopped; nothing was changed."
    may_go_on.set()
    qtbot.wait(200)
    assert not orders
    assert dock.run.isEnabled()


def test_without_a_network_or_a_scan_the_dock_says_what_to_do(viewer, root, orders, monkeypatch):
    monkeypatch.setattr("napari_mritransfer.widgets.cohort_choice.shipped_models", list)
    dock = AttentionDock(viewer)
    viewer.window.add_dock_widget(dock, name="Slice attention")
    assert dock.networks.about.text().startswith("There is no network yet: train one")
    assert dock.source.about.text().startswith("Open a scan first")
    assert not dock.run.isEnabled()
    assert dock.panel.isHidden()


def test_a_measurement_is_reconstructed_and_looked_at_in_one_go(dock, orders, tmp_path):
    entry = dock.source.kind.model().item(dock.source.kind.findData("measurement"))
    assert not entry.isEnabled()
    assert "Undersample a scan first" in entry.toolTip()
    for name in ("older 50 %", "head 25 %"):
        sampling = Sampling(SamplingPattern(rate=0.25), phase_encode="x")
        measured = Undersampled(name, tmp_path / "head.nii.gz", sampling, "layer", "source", "25 %", (), True)
        dock.session.add_measurement(measured)
    assert entry.isEnabled()
    tuned = write_run_of(tmp_path / "runs" / "a", "lft")
    dock.session.tuning.runs = [Run.recorded(tuned)]
    dock.source.choose("measurement")
    assert dock.source.measurements.currentText() == "head 25 %", "the newest"
    dock.run.click()
    command = orders[0].command
    assert command["scan"] == str(tmp_path / "head.nii.gz")
    assert command["sampling"] == sampling.as_record()
    assert command["methods"] == ["zero-filled", "pretrained", str(tuned)]
    assert not {"inputs", "board"} & command.keys()
    orders[0].ended.emit(Stopped(0, 0, None))
