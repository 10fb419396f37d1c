"""The "Fine-tune" dock in a real viewer: what it asks of the core, and what it shows."""

import json
from pathlib import Path

import pytest
from fake_request import FakeRequest
from heads import write_head, write_tiny_base
from small_run import write_run_of
from worker_session import prefer

from napari_mritransfer.physics.masks import MaskKind, SamplingPattern
from napari_mritransfer.study.sampling import Sampling
from napari_mritransfer.training.client import Result
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.events import Done, EpochDone, Failed, Started, StepDone
from napari_mritransfer.widgets.commands import opened as dock_of
from napari_mritransfer.widgets.device_choice import DeviceChoice
from napari_mritransfer.widgets.run_list import runs_in
from napari_mritransfer.widgets.session import Session, Undersampled, session_of
from napari_mritransfer.widgets.tuning import RunState
from napari_mritransfer.zoo.card import DEFAULT_MODEL, model_card

SOON = 20_000


@pytest.fixture(autouse=True)
def preferred(tmp_path, monkeypatch):
    return prefer(monkeypatch, tmp_path / "kept")


@pytest.fixture
def sent(monkeypatch):
    """No worker: what is ordered is collected."""
    orders = []

    def request(self, command, title):
        orders.append(FakeRequest(command, title))
        return orders[-1]

    monkeypatch.setattr(Session, "request", request)
    monkeypatch.setattr(Session, "dock_opened", lambda self, dock: None)
    return orders


@pytest.fixture
def heads(tmp_path):
    return [write_head(tmp_path / f"sub-0{n}" / "t2.nii.gz", seed=n) for n in (1, 2)]


@pytest.fixture
def dock(sent, viewer, opened, heads):
    """With two scans open, learning from the first and validating on the second."""
    opened(*heads)
    dock = dock_of(viewer, "Fine-tune")
    dock.choose_scans([viewer.layers[0]], viewer.layers[1])
    return dock


def jobs(sent):
    return [request for request in sent if request.command["command"] == "finetune"]


def test_what_is_filled_in_reaches_the_core(dock, sent, heads, tmp_path):
    dock.scans.count.setValue(3)
    dock.advanced.epochs.value = 7
    dock.advanced.learning_rate.value = 0.002
    dock.advanced.seed.value = 4
    dock.start.click()
    (job,) = jobs(sent)
    config = FinetuneConfig.from_json(json.dumps(job.command["config"]))
    assert config == FinetuneConfig(
        model=DEFAULT_MODEL, train=(str(heads[0]),), validation=(str(heads[1]),), strategy="ft", slices=3,
        pattern=SamplingPattern(rate=0.35), device="cpu", epochs=7, learning_rate=0.002, seed=4,
    )  # fmt: skip
    assert Path(job.command["run"]).parent == tmp_path / "kept" / "runs"
    job.ended.emit(Done(1, 1, 30.0, 30.0, 1.0))
    assert jobs(sent)[1].command["config"]["strategy"] == "lft"


def test_auto_leaves_the_choice_to_the_core(dock, sent):
    dock.strategies.tick("lft")
    dock.start.click()
    config = jobs(sent)[0].command["config"]
    usual = FinetuneConfig("m", ("a",), ("b",))
    for name in ("learning_rate", "epochs", "steps_per_epoch", "batch"):
        assert config[name] == getattr(usual, name)


def test_slices_picked_in_the_viewer(dock, sent, viewer):
    for step in (5, 2, 5):
        viewer.dims.set_current_step(0, step)
        dock.scans.add_shown.click()
    assert "2, 5" in dock.scans.which.text()
    dock.start.click()
    assert jobs(sent)[0].command["config"]["slices"] == [2, 5]


def test_the_newest_measurement_sets_the_sampling(dock, sent, heads):
    sampling = Sampling(SamplingPattern(MaskKind.EQUISPACED, 0.5, 0.1), phase_encode="x", snr_db=20.0)
    dock.session.add_measurement(
        Undersampled("t2, 50 %", heads[0], sampling, "a", "b", "nominal 50 %", (), has_reference=True)
    )
    dock.start.click()
    config = jobs(sent)[0].command["config"]
    assert (config["pattern"]["kind"], config["pattern"]["rate"]) == ("equispaced", 0.5)
    assert (config["phase_encode"], config["snr_db"]) == ("x", 20.0)


def test_a_layer_without_a_file_is_written_for_the_worker(dock, sent, viewer, qtbot):
    layer = viewer.add_image(viewer.layers[0].data * 2, name="mine/too", scale=(4, 2, 2))
    dock.choose_scans([layer], viewer.layers[1])
    dock.start.click()
    assert not dock.start.isEnabled()
    qtbot.waitUntil(lambda: bool(jobs(sent)), timeout=SOON)
    (path,) = jobs(sent)[0].command["config"]["train"]
    assert Path(path).is_file()
    assert Path(path).name.startswith("mine-too")


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda dock: dock.strategies.tick(), "Tick at least one strategy."),
        (lambda dock: dock.scans.tick(), "Tick at least one scan to learn from."),
        (lambda dock: dock.scans.picked.setChecked(True), "No training slice is chosen"),
    ],
)
def test_what_is_missing_is_said_and_nothing_starts(dock, sent, prepare, sentence):
    prepare(dock)
    dock.start.click()
    assert sentence in dock.status.text()
    assert not jobs(sent)
    assert dock.tuning.state is RunState.IDLE


def test_an_empty_viewer_says_where_scans_come_from(sent, viewer):
    dock = dock_of(viewer, "Fine-tune")
    assert not dock.scans.empty.isHidden()
    dock.start.click()
    assert "Tick at least one scan" in dock.status.text()


def test_buttons_follow_the_state(dock, sent):
    assert (dock.start.isEnabled(), dock.stop.isEnabled()) == (True, False)
    dock.start.click()
    assert (dock.start.isEnabled(), dock.stop.isEnabled()) == (False, True)
    dock.stop.click()
    assert (dock.start.isEnabled(), dock.stop.isEnabled()) == (False, False)
    jobs(sent)[0].ended.emit(Failed("It broke.", 0))
    assert (dock.start.isEnabled(), dock.stop.isEnabled()) == (True, False)
    assert "It broke." in dock.status.text()


def test_progress_and_curves(dock, sent, qtbot):
    dock.strategies.tick("lft")
    dock.start.click()
    job = jobs(sent)[0]
    job.told.emit(Started("lft", 22, 151, 250, 0, "cpu", 25.0, (), ("Validation flatters.",)))
    assert "Validation flatters." in dock.status.text()
    job.told.emit(EpochDone(0, 0, None, 29.0, True, 0.1))
    for step in (1, 2, 3):
        job.told.emit(StepDone(step, 0.1 / step, float(step)))
    assert (dock.bar.value(), dock.bar.maximum()) == (3, 250)
    assert "4 min left" in dock.bar.format()
    qtbot.waitUntil(lambda: len(dock.plot.loss.listDataItems()) == 1, timeout=SOON)
    steps, _losses = dock.plot.loss.listDataItems()[0].getData()
    assert list(steps) == [1, 2, 3]
    labels = [item.label.format for item in dock.plot.score.items if hasattr(item, "label")]
    assert labels == ["zero-filled 25.00 dB", "pretrained 29.00 dB"]


def test_the_plot_is_labelled_with_what_the_job_measures(dock, sent):
    dock.start.click()
    job = jobs(sent)[0]
    job.told.emit(
        Started(
            "lft", 22, 151, 250, 0, "cpu", 9.0, metric="MAE", unit="years", higher_is_better=False,
            baseline_name="mean predictor", first_name="untrained",
        )
    )  # fmt: skip
    job.told.emit(EpochDone(0, 0, None, 11.0, True, 0.1))
    dock.plot.draw()
    assert dock.plot.score.getAxis("left").labelText == "MAE (years)"
    labels = [item.label.format for item in dock.plot.score.items if hasattr(item, "label")]
    assert labels == ["mean predictor 9.00 years", "untrained 11.00 years"]


def test_the_plot_is_drawn_ten_times_a_second_at_most(dock, sent, qtbot, monkeypatch):
    drawn = []
    monkeypatch.setattr(type(dock.plot), "draw", lambda self: drawn.append(1))
    dock.plot._redraw.timeout.connect(lambda: drawn.append(1))
    dock.start.click()
    for step in range(200):
        jobs(sent)[0].told.emit(StepDone(step + 1, 0.1, 0.001 * step))
    qtbot.wait(250)
    assert 1 <= len(drawn) <= 4


def test_parameters_are_those_of_the_model(dock, sent, tmp_path):
    counts = model_card(DEFAULT_MODEL).parameters
    shown = {name: label.text() for name, label in dock.strategies._counts.items()}
    assert shown["lft"].startswith(f"{counts['lft'] / 1e3:.0f}k")
    stranger = write_tiny_base(tmp_path / "stranger.safetensors")
    dock.model.add(stranger)
    asked = sent[-1]
    assert asked.command == {"command": "describe", "model": str(stranger)}
    assert dock.strategies._counts["lft"].text() == "…"


def test_the_model_card_folds_out(dock, sent):
    assert dock.model.card.isHidden()
    dock.model.fold.click()
    assert not dock.model.card.isHidden()
    for fact in (model_card(DEFAULT_MODEL).title, "10% to 50%", "CC-BY"):
        assert fact in dock.model.card.text()


def test_scans_that_are_renamed_moved_or_removed_stay_the_same_scans(dock, sent, viewer, heads):
    first = viewer.layers[0]
    first.name = "another name"
    viewer.layers.move(0, 2)
    assert dock.scans.train_layers == [first]
    dock.start.click()
    assert jobs(sent)[0].command["config"]["train"] == [str(heads[0])]
    viewer.layers.remove(first)
    assert dock.scans.train_layers == []
    assert dock.tuning.state is RunState.RUNNING


def test_what_the_plugin_made_is_not_offered_for_learning(dock, viewer, sent):
    from napari_mritransfer.widgets.layers import layer_scan, scan_layers

    scan = layer_scan(viewer.layers[0])
    data, options, _ = scan_layers(scan, kind="zero-filled")[0]
    viewer.add_image(data, **options)
    assert len(dock.scans._boxes) == 2


def test_a_theme_change_is_followed(dock, viewer, sent):
    before = dock.plot._canvas.backgroundBrush().color().name()
    viewer.theme = "light"
    assert dock.plot._canvas.backgroundBrush().color().name() != before


def test_devices_come_from_the_worker(dock, sent, qtbot):
    qtbot.waitUntil(lambda: any(r.command["command"] == "devices" for r in sent) or not dock.isVisible(), timeout=SOON)
    dock.device._on_devices_found(Result({"devices": [{"name": "cuda:0", "label": "A GPU (3 of 4 GB free)"}]}))
    names = [dock.device.itemData(i) for i in range(dock.device.count())]
    assert names == ["auto", "cuda:0"]


def test_the_session_is_the_viewers(viewer, dock, sent):
    assert session_of(viewer) is dock.session
    assert dock.session.viewer is dock.viewer


def test_a_layer_that_cannot_be_written_is_told_and_nothing_is_lost(dock, sent, viewer, qtbot, tmp_path):
    layer = viewer.add_image(viewer.layers[0].data * 2, name="mine")
    dock.choose_scans([layer], viewer.layers[1])
    (tmp_path / "kept" / "inputs").parent.mkdir(exist_ok=True)
    (tmp_path / "kept" / "inputs").write_text("a file where the folder should be")
    dock.start.click()
    qtbot.waitUntil(lambda: "choose another run folder" in dock.status.text(), timeout=SOON)
    assert dock.start.isEnabled()
    assert not jobs(sent)
    (tmp_path / "kept" / "inputs").unlink()
    dock.start.click()
    qtbot.waitUntil(lambda: bool(jobs(sent)), timeout=SOON)


def test_the_shown_slice_is_the_scans_own_whatever_else_is_open(dock, sent, viewer):
    """The slider counts in the thinnest slices of all layers."""
    scan = viewer.layers[0]
    viewer.add_image(scan.data, name="thin", scale=(1, 2, 2))
    viewer.dims.set_point(0, 3 * scan.scale[0])
    dock.scans.add_shown.click()
    assert dock.scans.slices == (3,)


def test_the_same_question_is_not_estimated_twice(dock, sent, qtbot):
    def asked():
        return [request for request in sent if request.command["command"] == "estimate"]

    dock.estimate.ask(dock.inputs().configs())
    qtbot.waitUntil(lambda: len(asked()) == 1, timeout=SOON)
    for _ in range(2):
        asked()[-1].ended.emit(Result({"seconds": 60.0}))
    assert dock.estimate.text() == "Time needed: about 2 min."
    dock.estimate.ask(dock.inputs().configs())
    assert dock.estimate.text() == "Time needed: about 2 min."
    dock.advanced.epochs.value = 3
    dock.estimate.ask(dock.inputs().configs())
    assert "estimating" in dock.estimate.text()


def test_a_new_measurement_with_the_dock_open_changes_the_sampling_once(dock, sent, heads, qtbot):
    changed = []
    dock.sampling.currentIndexChanged.connect(changed.append)
    with qtbot.capture_exceptions() as caught:
        dock.session.add_measurement(
            Undersampled("25 %: t2", heads[0], Sampling(), "a", "b", "nominal 25 %", (), has_reference=True)
        )
    assert not caught
    assert dock.sampling.currentText() == "as 25 %: t2"


def test_shown_curves_stay_while_a_job_runs(dock, sent, tmp_path):
    dock.start.click()
    other = write_run_of(tmp_path / "other", "ft")
    dock.runs.show_wanted.emit(other)
    jobs(sent)[0].told.emit(StepDone(1, 0.1, 1.0))
    assert [run.folder for run in dock._shown] == [other]


def test_a_run_that_was_cut_short_can_be_used(dock, sent, tmp_path):
    """The last checkpoint is the result."""
    folder = write_run_of(tmp_path / "kept" / "runs" / "2026-01-02_03-04-05_lft", "lft")
    (folder / "metrics.json").unlink()
    (folder / "best.safetensors").touch()
    (entry,) = runs_in(folder.parent)
    assert (entry.psnr, entry.is_finished, entry.short, entry.when) == (30.0, False, "LFT", "02 Jan 03:04")
    (folder / "metrics.json").write_text("{}")
    assert runs_in(folder.parent) == []


def test_a_device_that_was_preferred_is_chosen_when_it_turns_up(qtbot):
    choice = DeviceChoice(lambda command, title: FakeRequest(command, title), "cuda:1")
    qtbot.addWidget(choice)
    assert choice.device == "auto"
    choice._on_devices_found(Result({"devices": [{"name": f"cuda:{n}", "label": f"GPU {n}"} for n in (0, 1)]}))
    assert choice.device == "cuda:1"


def test_a_run_folder_that_cannot_be_used_is_told(dock, sent, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    prefer(monkeypatch, tmp_path / "file")
    dock.start.click()
    assert "choose another one under Preferences" in dock.status.text()
    assert not jobs(sent)
