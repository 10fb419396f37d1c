"""The networks that the dock lists: those that are shipped, what was trained here, and what somebody adds."""

import json
from types import SimpleNamespace

import pytest
from qtpy.QtWidgets import QFileDialog

from napari_mritransfer.cohort.config import CohortConfig
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.training.config import FinetuneConfig
from napari_mritransfer.training.rundir import BEST
from napari_mritransfer.widgets.cohort_choice import CohortChoice
from napari_mritransfer.widgets.cohort_models import CohortModel, shipped_models, trained_models

NETWORK = {"slicing": "coronal", "pooling": "attention", "positions": "learned"}
SHIPPED = [CohortModel("sim-age", "sim-age", "Age.", "sagittal", False)]


def write_run(folder, *, has_model=True, **settings):
    folder.mkdir(parents=True)
    config = CohortConfig(table="cohort/participants.tsv", label="age", **settings)
    (folder / "config.json").write_text(config.as_json())
    if has_model:
        (folder / BEST).touch()
    return folder


@pytest.fixture
def choice(qtbot, monkeypatch):
    monkeypatch.setattr("napari_mritransfer.widgets.cohort_choice.shipped_models", lambda: SHIPPED)
    made = CohortChoice()
    qtbot.addWidget(made)
    return made


def test_trainings_on_cohorts_are_listed_newest_first_and_nothing_else(tmp_path):
    free = write_run(tmp_path / "2026-01-01", network=NETWORK | {"positions": "off"})
    bound = write_run(tmp_path / "2026-01-02", network=NETWORK)
    further = write_run(tmp_path / "2026-01-03", model="sim-age", strategy="ft")
    write_run(tmp_path / "2026-01-04", has_model=False)
    reconstruction = tmp_path / "2026-01-05"
    reconstruction.mkdir()
    (reconstruction / "config.json").write_text(FinetuneConfig("m", ("a.nii",), ("b.nii",)).as_json())
    (reconstruction / BEST).touch()
    for name, text in (("broken", "{"), ("list", "[]"), ("other", '{"kind": "cohort"}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
        (tmp_path / name / BEST).touch()
    found = trained_models(tmp_path)
    assert [model.source for model in found] == [str(further), str(bound), str(free)]
    assert [model.may_be_cut_otherwise for model in found] == [True, False, True]
    assert found[1].name == "2026-01-02 (age)"
    assert found[1].about == (
        "age learned from participants.tsv, strategy scratch. It looks at coronal slices, joined by attention pooling."
    )
    assert "began as sim-age" in found[0].about


def test_a_card_is_told_in_sentences(monkeypatch):
    card = SimpleNamespace(
        name="sim-age", architecture="sliceset", title="Simulated age", predicts="age in years", slicing="sagittal",
        pooling="mean", simulated=True, training={"data": "60 warped heads."}, settings={"positions": "sinusoidal"},
    )  # fmt: skip
    whole_brains = SimpleNamespace(name="sim-sfcn-age", architecture="sfcn")  # has no slices to show attention of
    monkeypatch.setattr("napari_mritransfer.widgets.cohort_models.cohort_cards", lambda: [whole_brains, card])
    (model,) = shipped_models()
    assert model.about == (
        "Simulated age. Predicts age in years; looks at sagittal slices, joined by mean pooling. "
        "Learned from simulated data: 60 warped heads."
    )
    assert not model.may_be_cut_otherwise


def test_a_damaged_card_leaves_the_other_networks(monkeypatch):
    def damaged():
        raise BadInput("The card is damaged.")

    monkeypatch.setattr("napari_mritransfer.widgets.cohort_models.cohort_cards", damaged)
    assert shipped_models() == []


def test_what_was_chosen_and_what_was_added_stays_when_runs_come(choice, tmp_path):
    choice.show_runs(tmp_path)
    weights = tmp_path / "published.pt"
    choice.add(weights)
    assert choice.models == (str(weights),)
    assert choice.about.text() == str(weights)
    assert choice.slicing.isEnabled(), "nobody knows yet; the worker refuses what cannot be"
    run = write_run(tmp_path / "run", network=NETWORK)
    choice.show_runs(tmp_path)
    assert choice.models == (str(weights),)
    choice.choose(str(run), "sim-age")
    choice.show_runs(tmp_path)
    assert choice.models == (str(run), "sim-age")
    choice.add(weights)
    assert [choice.model.itemText(row) for row in range(choice.model.count())] == ["sim-age", "run (age)", weights.name]


def test_only_networks_that_do_not_know_their_slices_can_be_cut_otherwise(choice, tmp_path):
    free = write_run(tmp_path / "free", network=NETWORK | {"positions": "off"})
    choice.show_runs(tmp_path)
    choice.choose(str(free))
    choice.slicing.setCurrentIndex(3)
    assert choice.cut == "axial"
    choice.choose("sim-age")
    assert choice.cut is None
    assert not choice.slicing.isEnabled()


def test_a_folder_without_a_network_is_refused_in_a_sentence(choice, tmp_path, monkeypatch):
    choice.show_runs(tmp_path)
    said = []
    choice.refused.connect(said.append)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    choice.add_run.click()
    assert said == [
        f"{tmp_path} holds no training on a cohort with a model; choose the folder of one that has run."
    ]
    assert choice.models == ("sim-age",)
    record = json.loads(CohortConfig(table="t", label="age").as_json())
    assert record["kind"] == "cohort", "by which runs are known"
