"""The table and the pictures of a finished re-use, and the scan behind a point."""

import numpy as np
import pyqtgraph as pg
import pytest
from fake_reuse import SEX, config_for, write_map, write_reuse, write_scan
from qtpy.QtCore import Qt

from napari_mritransfer.cohort.reuse.agreement import agreement
from napari_mritransfer.training.client import Result
from napari_mritransfer.training.events import Failed, Stopped
from napari_mritransfer.widgets.layers import KEY
from napari_mritransfer.widgets.reuse_data import read_data
from napari_mritransfer.widgets.reuse_plot import COMPARISON, CURVE, DIFFERENCE, PREDICTED

SOON = 10_000


@pytest.fixture
def shown(dock, table, tmp_path, settled):
    """Let the dock show a finished re-use."""

    def show(**changes):
        dock.show_folder(write_reuse(tmp_path / "done", table, **changes))
        settled(dock)
        return dock.panel

    return show


def rows(panel):
    items = [panel.table.topLevelItem(place) for place in range(panel.table.topLevelItemCount())]
    return [[item.text(column) for column in range(panel.table.columnCount())] for item in items]


def pictures(plot):
    return [plot.choice.itemData(place) for place in range(plot.choice.count())]


def look_at(plot, name):
    plot.choice.setCurrentIndex(plot.choice.findData(name))


def items(plot, kind):
    return [item for item in plot.plot.items if isinstance(item, kind)]


def click(plot, place):
    """As pyqtgraph tells of a click at the n-th point."""
    plot.dots.sigClicked.emit(plot.dots, [plot.dots.points()[place]], None)


def test_every_method_has_a_row_with_intervals_and_the_baseline_comes_first(shown):
    panel = shown()
    found = rows(panel)
    assert [row[0] for row in found] == ["Mean or majority", "Features, ridge", "Classical"]
    assert panel.table.headerItem().text(2) == "MAE\n(years)"
    for row in found:
        value, interval = row[2].split("\n")
        low, high = (float(end) for end in interval.strip("()").split(" to "))
        assert low <= float(value) <= high
    assert panel.table.topLevelItem(0).font(0).italic()
    assert panel.result.method == "features-ridge", "the first method is looked at, not the baseline"
    assert panel.sentence.text().startswith("Lowest error: Features, ridge, MAE")
    assert panel.simulated.text().startswith("SIMULATED")
    assert "knows nothing of people" in panel.warnings.text()
    assert panel.left_out.text() == "Left out:\n• Direct: The network predicts 'age', not 'sex'."
    assert panel.said.text() == "Resampled to 3 mm."
    assert not panel.learned.isRowVisible(0)


def test_differences_have_the_sign_of_the_selected_method(shown):
    panel = shown()
    ridge = panel.differences.text().splitlines()
    assert ridge[0].startswith("MAE (years) of Features, ridge")
    (against,) = [line for line in ridge if line.startswith("• Classical: ")]
    panel.choose("classical")
    (back,) = [line for line in panel.differences.text().splitlines() if line.startswith("• Features, ridge: ")]

    def numbers(line):
        value, interval = line.partition(": ")[2].split(" (")
        return float(value), [float(end) for end in interval.strip(")").split(" to ")]

    (one, one_ends), (other, other_ends) = numbers(against), numbers(back)
    assert one == -other < 0
    assert one_ends == [-end for end in reversed(other_ends)]


def test_points_stand_for_predictions_over_the_true_numbers(shown, dock):
    plot = shown().plot
    assert pictures(plot) == [PREDICTED, DIFFERENCE, COMPARISON]
    data, result = dock.reusing.data, dock.panel.result
    true, predicted = data.true_and_predicted(data.lines_of(result))
    x, y = plot.dots.getData()
    np.testing.assert_array_equal(np.sort(x), np.sort(true))
    look_at(plot, DIFFERENCE)
    x, y = plot.dots.getData()
    np.testing.assert_allclose(y, predicted - true)
    np.testing.assert_allclose(x, (predicted + true) / 2)
    levels = [line.value() for line in items(plot, pg.InfiniteLine)]
    assert levels == list(agreement(true, predicted))


def test_agreement_is_mean_and_1_96_standard_deviations():
    assert agreement(np.array([1.0, 2, 3, 4]), np.array([2.0, 2, 3, 5])) == pytest.approx((0.5, -0.48, 1.48))


def test_methods_side_by_side_are_chosen_by_a_click(shown):
    panel = shown()
    look_at(panel.plot, COMPARISON)
    marks = items(panel.plot, pg.ScatterPlotItem)
    assert len(marks) == 3
    assert len(items(panel.plot, pg.PlotCurveItem)) == 3, "an interval each"
    marks[0].sigClicked.emit(marks[0], marks[0].points(), None)  # the lowest one
    assert panel.result.method == "classical"


def test_a_learning_curve_has_a_line_for_every_method_and_a_table_for_every_size(shown, dock):
    panel = shown(sizes=(5,))
    assert pictures(panel.plot) == [PREDICTED, DIFFERENCE, COMPARISON, CURVE]
    look_at(panel.plot, CURVE)
    lines = items(panel.plot, pg.PlotDataItem)
    assert [list(line.getData()[0]) for line in lines] == [[5, 9]] * 3
    assert "Features,&nbsp;ridge" in panel.plot.legend.text()
    whole = rows(panel)
    assert panel.learned.isRowVisible(0)
    panel.sizes.setCurrentIndex(panel.sizes.findData(5))
    assert rows(panel) != whole
    assert panel.result.size == 5


def test_classes_have_chances_and_no_bland_altman(shown, dock):
    panel = shown(label=SEX, methods=("features-logistic", "features-svm"))
    assert panel.table.headerItem().text(2) == "Balanced accuracy"
    assert pictures(panel.plot) == [PREDICTED, COMPARISON]
    x, y = panel.plot.dots.getData()
    assert set(np.round(x)) == {0, 1}
    assert set(np.round(y, 3)) == {0.8, 0.2}
    assert panel.sentence.text().startswith("Highest score: Features, logistic")
    click(panel.plot, 0)
    assert "true (given a chance of" in panel.pointed.text()


def test_a_click_at_a_point_brings_up_the_scan_beside_its_map(viewer, shown, dock, orders, tmp_path, settled):
    own = viewer.add_image(np.zeros((4, 4, 4)))
    panel = shown()
    assert panel.leave.isHidden()
    data = dock.reusing.data
    line = data.lines_of(panel.result)[4]
    click(panel.plot, 4)
    (order,) = orders
    assert order.command == {
        "command": "reuse-map", "folder": str(data.record.folder), "subject": line.subject, "session": "",
        "method": "features-ridge", "out": order.command["out"],
    }  # fmt: skip
    assert line.subject in panel.pointed.text()
    assert "predicted by Features, ridge" in panel.pointed.text()
    order.ended.emit(Result({"map": str(write_map(tmp_path / "map")), "image": line.image}))
    settled(dock)
    board = dock.showing.board
    assert [cell.metadata[KEY]["role"] for cell in board.cells] == ["volume", "map", "volume", "map"]
    number = int(line.subject[-2:])
    plain, _, volume, over = board.cells
    for slice_index in (2, 5):  # of the viewer's slider; the first and the last voxel of every slice are alike
        k = over.data[slice_index, 0, 0]
        assert plain.data[slice_index, 0, 0] == volume.data[slice_index, 0, 0] == 100 * number + k
    assert not own.visible
    assert viewer.canvas.grid.enabled
    assert plain.name == line.subject
    panel.leave.click()
    assert dock.showing.board is None
    assert own.visible
    assert list(viewer.layers) == [own]
    panel.leave.click()
    assert dock.showing.board.is_up, "it can be shown again"
    dock.showing.leave()


def test_the_point_that_was_clicked_stands_out_and_goes_with_new_results(
    shown, dock, orders, table, tmp_path, settled
):
    panel = shown()
    click(panel.plot, 2)
    assert sorted(panel.plot.dots.data["size"])[-1] > panel.plot.dots.data["size"][0]
    orders[0].ended.emit(Stopped(0, 0, None))
    look_at(panel.plot, DIFFERENCE)
    assert np.argmax(panel.plot.dots.data["size"]) == 2
    dock.show_folder(write_reuse(tmp_path / "other", table))
    settled(dock)
    assert len(set(panel.plot.dots.data["size"])) == 1
    assert panel.pointed.text().startswith("Click a point")


def test_while_methods_run_a_point_shows_the_scan_and_the_map_has_to_wait(shown, dock, table, orders, settled, qtbot):
    panel = shown()
    qtbot.waitUntil(lambda: dock.table.path == table, timeout=SOON)
    dock.run.click()
    click(panel.plot, 3)
    qtbot.waitUntil(lambda: dock.showing.board is not None, timeout=SOON)
    assert len(orders) == 1, "the worker is not asked for a map"
    assert len(dock.showing.board.cells) == 2
    assert "click again then" in panel.pointed.text()
    assert dock.status.text() == "Re-use on participants.tsv…"
    dock.stop.click()
    assert orders[0].was_stopped
    orders[0].ended.emit(Stopped(0, 0, None))
    dock.showing.leave()


def test_a_method_without_a_map_shows_the_scan_alone_and_says_so(shown, dock, orders, settled):
    panel = shown()
    panel.choose("classical")
    click(panel.plot, 0)
    settled(dock)
    assert not orders
    assert len(dock.showing.board.cells) == 2
    assert dock.status.text().startswith("Classical has no relevance map")
    dock.showing.leave()


def test_a_map_that_fails_leaves_the_scan_and_the_reason(shown, dock, orders, settled):
    panel = shown()
    click(panel.plot, 0)
    orders[0].ended.emit(Failed("The network of that fold was not kept; go on with the re-use.", 0))
    settled(dock)
    assert dock.status.text() == "The network of that fold was not kept; go on with the re-use."
    assert len(dock.showing.board.cells) == 2
    dock.showing.leave()


def test_a_map_elsewhere_is_not_laid_over_the_scan(shown, dock, orders, tmp_path, settled):
    import nibabel

    panel = shown()
    click(panel.plot, 0)
    path = tmp_path / "elsewhere.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((10, 12, 8), np.float32), np.diag([-3.0, 3, 3.5, 1])), path)
    orders[0].ended.emit(Result({"map": str(path)}))
    settled(dock)
    assert len(dock.showing.board.cells) == 2
    dock.showing.leave()


def test_a_scan_that_is_gone_is_told(shown, dock, table, orders, tmp_path, settled):
    panel = shown()
    panel.choose("classical")
    for path in table.parent.glob("*.nii.gz"):
        path.unlink()
    click(panel.plot, 0)
    settled(dock)
    assert dock.status.styleSheet()
    assert dock.showing.board is None
    write_scan(table.parent / "sub-01.nii.gz", 1)


def test_nothing_is_clicked_while_something_runs(shown, dock, orders):
    panel = shown()
    click(panel.plot, 0)
    click(panel.plot, 1)
    assert len(orders) == 1
    assert dock.status.text().startswith("A scan is on its way already")
    orders[0].ended.emit(Stopped(0, 0, None))


def test_results_are_exported_for_people(shown, dock, tmp_path, settled):
    shown()
    dock.export_to(tmp_path / "export")
    settled(dock)
    names = {path.name for path in (tmp_path / "export").iterdir() if not path.name.startswith(".")}
    assert names == {
        "config.json", "predicted.png", "predictions.csv", "report.html", "results.json", "table.csv",
    }  # fmt: skip
    assert dock.status.text().startswith("Exported 6 files to")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    dock.export_to(tmp_path / "mine")
    settled(dock)
    assert (tmp_path / "mine" / "age-reuse" / "report.html").is_file()
    assert (tmp_path / "mine" / "thesis.txt").is_file()


def test_all_repeats_are_shown(table, tmp_path):
    data = read_data(write_reuse(tmp_path / "done", table))
    assert len(data.lines_of(data.record.results[1])) == 12
    assert data.told(data.lines[0]).startswith("sub-01: 61.0 years predicted by Mean or majority, 50.0 true (+11.0)")
    assert config_for(table).folds == 4


def test_hovering_names_the_subject(shown):
    plot = shown().plot
    assert plot.dots.opts["hoverable"]
    assert plot.dots.opts["tip"](x=0, y=0, data=0).startswith("sub-")
    assert plot.canvas.isVisibleTo(plot)
    assert plot.canvas.cursor().shape() == Qt.CursorShape.ArrowCursor
