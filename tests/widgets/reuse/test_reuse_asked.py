"""What the "Cohort" dock asks the worker for."""

import json
from pathlib import Path

import pytest
from fake_reuse import config_for, write_table
from qtpy.QtWidgets import QFileDialog

from napari_mritransfer.cohort.reuse.bins import Bins
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.training.config import BadConfig
from napari_mritransfer.training.events import Stopped
from napari_mritransfer.widgets.reuse_dock import CohortDock
from napari_mritransfer.widgets.reuse_inputs import ReuseInputs, ReuseSettings

SOON = 10_000


def ended(order):
    order.ended.emit(Stopped(0, 0, None))


def config_of(order):
    return ReuseConfig.from_json(json.dumps(order.command["config"]))


def test_the_worker_gets_exactly_what_was_filled_in(filled, root, table, orders):
    filled.networks.choose("sfcn-age")
    filled.methods.tick("features-ridge", "lft")
    settings = filled.settings
    settings.folds.setValue(3)
    settings.repeats.setValue(2)
    settings.sizes.setText("6; 4,6")
    settings.permutations.setValue(100)
    settings.group.setCurrentText("family")
    settings.epochs.setValue(7)
    settings.batch_norm.setCurrentIndex(settings.batch_norm.findData("moving"))
    settings.augmentation.setCurrentIndex(settings.augmentation.findData("none"))
    settings.learning_rate.setValue(0.002)
    settings.check_brains.setChecked(False)
    filled.run.click()
    (order,) = orders
    out = Path(order.command["out"])
    assert out.parent == root / "cohort"
    assert out.name.endswith("_age")
    assert order.command["command"] == "reuse"
    assert config_of(order) == ReuseConfig(
        str(table), "age", "sfcn-age", ("features-ridge", "lft"), folds=3, repeats=2, sizes=(4, 6), permutations=100,
        group="family", epochs=7, batch_norm="moving", augmentation="none", learning_rate=0.002, check_brains=False,
        device="cpu",
    )  # fmt: skip
    assert not filled.run.isEnabled()
    assert not filled.check.isEnabled()
    ended(order)


def test_a_look_needs_no_method_and_has_a_folder_of_its_own(filled, root, orders):
    filled.methods.tick()
    assert not filled.run.isEnabled()
    filled.check.click()
    (order,) = orders
    assert order.command["command"] == "reuse-look"
    first = Path(order.command["out"])
    assert first.parent == root / "cohort-looks"
    ended(order)
    filled.check.click()
    assert Path(orders[1].command["out"]) == first, "pictures of the last look are replaced"
    ended(orders[1])
    filled.table.choose("sex")
    filled.check.click()
    assert Path(orders[2].command["out"]) != first
    ended(orders[2])


def test_methods_follow_the_kind_of_label(filled):
    def offered():
        return {name for name, box in filled.methods._boxes.items() if box.isVisibleTo(filled.methods)}

    assert filled.table.task == "regression"
    assert "features-ridge" in offered()
    assert "features-logistic" not in offered()
    filled.methods.usual.click()
    assert filled.methods.ticked == ("direct", "features-ridge", "final-layer", "classical")
    filled.table.choose("sex")
    assert "features-ridge" not in offered()
    filled.methods.usual.click()
    assert filled.methods.ticked == ("direct", "features-logistic", "final-layer", "classical")


def test_slow_methods_are_called_slow_and_every_row_says_what_it_does(filled):
    methods = filled.methods
    slow = {name for name, note in methods._notes.items() if note.text() == "slow"}
    assert {"full", "step", "lft", "scratch"} <= slow
    assert not {"direct", "features-ridge", "features-gp", "final-layer", "classical"} & slow
    assert all(box.toolTip().count("\n") == 1 for box in methods._boxes.values())
    assert "first" in methods._boxes["step"].toolTip()


def test_a_column_of_sites_takes_the_place_of_folds(filled, orders):
    filled.settings.site.setCurrentText("site")
    assert not filled.settings.folds.isEnabled()
    filled.run.click()
    assert config_of(orders[0]).site == "site"
    ended(orders[0])
    filled.settings.site.setCurrentIndex(0)
    assert filled.settings.folds.isEnabled()


def test_what_a_file_does_not_say_is_told_along(filled, tmp_path, orders, monkeypatch):
    weights = tmp_path / "mine.p"
    weights.write_bytes(b"x")
    assert filled.networks.told.isHidden()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(weights), ""))
    filled.networks.add_file.click()
    filled.networks.told.setText("label=age, bins=20/90")
    filled.run.click()
    config = config_of(orders[0])
    assert (config.model, config.told) == (str(weights), {"label": "age", "bins": "20/90"})
    ended(orders[0])
    filled.networks.choose("sfcn-age")
    filled.run.click()
    assert config_of(orders[1]).told == {}
    ended(orders[1])
    filled.networks.choose(str(weights), "nonsense")
    filled.run.click()
    assert len(orders) == 2
    assert "'nonsense' tells nothing about a network" in filled.status.text()
    assert filled.status.styleSheet()


def test_sizes_that_are_no_numbers_are_refused_in_a_sentence(filled, orders):
    filled.settings.sizes.setText("twenty")
    filled.run.click()
    assert filled.status.text().startswith("'twenty' are no whole numbers of training subjects")
    assert not orders
    with pytest.raises(BadConfig):
        ReuseSettings(sizes="1.5").numbers()


def test_form_and_configuration_say_the_same(table):
    config = config_for(
        table, sizes=(4, 8), site="site", told={"label": "age", "unit": "years"}, bias_correction="all", seed=3,
        bins=Bins(6.0, 2.0, 42, 2.0), weight_decay=0.02, task="regression", image_column="scan", subject_column="who",
    )  # fmt: skip
    assert ReuseInputs.of(config).config() == config


def test_what_a_configuration_sets_goes_through_the_form_unchanged(filled, table):
    config = config_for(
        table, bins=Bins(6.0, 2.0, 42, 2.0), weight_decay=0.02, task="regression", image_column="scan", batch=3
    )
    settings = ReuseInputs.of(config).settings
    filled.settings.show_settings(settings)
    assert filled.settings.values == settings


@pytest.mark.parametrize("bins", [Bins(), Bins(6, 2, 42, 2), Bins(0.1, 0.07, 13, 0.07), Bins(-3, 1.5, 7, 0.4)])
def test_bins_survive_being_typed(bins):
    again = Bins.from_text(bins.as_text())
    assert (again.start, again.count) == (bins.start, bins.count)
    assert (again.width, again.sigma) == (pytest.approx(bins.width), pytest.approx(bins.sigma))
    assert Bins.from_text("") is None


def test_a_bad_table_is_refused_in_a_sentence_and_the_last_one_stays(filled, table, tmp_path, qtbot):
    bad = tmp_path / "bad.csv"
    bad.write_text("weight,height\n1,2\n")
    filled.open_table(bad)
    qtbot.waitUntil(lambda: "has no column of image files" in filled.status.text(), timeout=SOON)
    assert filled.status.styleSheet()
    assert filled.table.path == table
    assert filled.run.isEnabled()
    filled.open_table(tmp_path / "nowhere.tsv")
    qtbot.waitUntil(lambda: "nowhere.tsv" in filled.status.text(), timeout=SOON)
    assert "12 scans of 12 subjects" in filled.table.name.text()


def test_of_two_tables_the_one_asked_for_last_counts(dock, tmp_path, qtbot):
    first, second = (write_table(tmp_path / name, subjects=n) for name, n in (("a", 6), ("b", 8)))
    dock.open_table(first)
    dock.open_table(second)
    qtbot.waitUntil(lambda: dock.table.path == second, timeout=SOON)
    qtbot.wait(100)
    assert dock.table.path == second


def test_the_labels_are_drawn_and_what_is_missing_is_counted(filled):
    table = filled.table
    assert table.column == "age"
    assert table.about.text() == "Numbers from 50 to 72; 1 of 12 scans have none."
    assert table.histogram._counts.sum() == 11
    table.choose("sex")
    assert table.about.text() == "2 classes: F, M."
    assert list(table.histogram._counts) == [6, 6]
    assert not table.histogram.isHidden()


def test_without_a_table_or_a_network_the_dock_says_what_to_do(viewer, root, orders, table, monkeypatch, qtbot):
    monkeypatch.setattr("napari_mritransfer.widgets.reuse_networks.known_models", list)
    dock = CohortDock(viewer)
    viewer.window.add_dock_widget(dock, name="Cohort")
    assert dock.networks.about.text().startswith("There is no network yet: download a published one")
    assert dock.table.name.text().startswith("A line for every scan")
    assert not any(button.isEnabled() for button in (dock.run, dock.check, dock.stop, dock.go_on))
    assert dock.panel.isHidden()
    dock.open_table(table)
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    assert not dock.run.isEnabled()
