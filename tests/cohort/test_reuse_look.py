import itertools
import json
import shutil

import brains
import numpy as np
import pytest
from tables import write_cohort, write_image, write_table

from napari_mritransfer.cohort.preparation import Preparation
from napari_mritransfer.cohort.reuse.config import ReuseConfig
from napari_mritransfer.cohort.reuse.look import CHECKS, THUMBNAILS, check_for_reuse, look, read_look, write_look
from napari_mritransfer.io.errors import BadInput
from napari_mritransfer.recon.stopped import ReconstructionStopped

BRAINS, COARSE = Preparation(4.0, "mean"), Preparation(8.0, "mean")


def config(table, label="age", **changes):
    usual = {"methods": ("features-ridge",), "folds": 3}
    return ReuseConfig(str(table), label, "any", **(usual | changes))


def quick_look(folder, rows, out=None, **changes):
    """At blocks of noise, for a network that takes anything."""
    return look(config(write_cohort(folder, rows), **changes), COARSE, out or folder / "look", brain_only=False)


def found(looked):
    """What was found, as (severity, kind, line)."""
    return [(one["severity"], one["problem"], one["line"]) for one in looked.problems]


@pytest.fixture(scope="module")
def brain_table(tmp_path_factory):
    """Six brains as they should be, and one of everything that can be wrong."""
    folder = tmp_path_factory.mktemp("brains")
    brain = brains.brain("patient04")
    for number in (*range(6), 7, 8, 9):
        brains.write(folder / f"{number}.nii", brain + (brain > 0) * np.float32(number))
    brains.write(folder / "skull.nii", brains.head("patient01"))
    brains.write(folder / "down.nii", np.ascontiguousarray(brain[:, :, ::-1]))
    brains.write(folder / "low.nii", brain * 2, brains.moved(top=-20))
    brains.write(folder / "away.nii", brain * 3, brains.moved(top=900))
    brains.write(folder / "flat.nii", np.full(brain.shape, 5, dtype=np.float32))
    (folder / "junk.nii").write_bytes(b"no image" * 100)
    shutil.copy(folder / "5.nii", folder / "copy.nii")
    names = [*(f"{number}.nii" for number in range(6)), "skull.nii", "down.nii", "low.nii", "away.nii", "flat.nii"]
    rows = [{"participant_id": f"s{row}", "path": name, "age": 50 + row} for row, name in enumerate(names)]
    more = [
        ("s11", "junk.nii", 61), ("s12", "gone.nii", 62), ("s13", "", 63), ("s14", "copy.nii", 64),
        ("s15", "7.nii", ""), ("s16", "8.nii", "old"), ("s0", "9.nii", 67),
    ]  # fmt: skip
    rows += [{"participant_id": name, "path": path, "age": age} for name, path, age in more]
    return write_table(folder / "cohort.tsv", rows)


@pytest.fixture(scope="module")
def brain_look(brain_table, tmp_path_factory):
    out = tmp_path_factory.mktemp("look")
    return look(config(brain_table, folds=2), BRAINS, out, brain_only=True), out


def test_everything_that_is_wrong_is_named_in_one_table_and_nobody_is_lost(brain_look):
    looked, _ = brain_look
    named = {}
    for problem in looked.problems:
        if problem["line"]:
            named.setdefault(int(problem["line"]), problem["problem"])
            assert problem["sentence"].endswith(".")
            assert problem["subject"]
    assert named == {
        7: "same image", 8: "skull not removed", 9: "wrong orientation", 10: "not registered", 11: "cannot be prepared",
        12: "cannot be prepared", 13: "image unreadable", 14: "image missing", 15: "image missing", 16: "same image",
        17: "label missing", 18: "label is no number", 19: "same subject twice",
    }  # fmt: skip
    assert len(looked.rows) == 18
    assert [number for number, row in enumerate(looked.rows, start=2) if row.usable] == [2, 3, 4, 5, 6]
    assert all(row.usable or row.problem for row in looked.rows)
    assert (looked.label, looked.task, looked.may_run) == ("age", "regression", True)
    assert looked.sentence == "age: 50 to 54, mean 52.0, sd 1.4."


def test_the_pictures_are_those_of_the_scans_that_could_be_read(brain_look):
    looked, out = brain_look
    seen = [number for number, row in enumerate(looked.rows, start=2) if row.thumbnail is not None]
    assert seen == [*range(2, 7), 8, 9, 10]
    large = [number for number, row in enumerate(looked.rows, start=2) if row.picture is not None]
    assert large == [8, 9, 10]
    for row in looked.rows:
        for picture in (row.thumbnail, row.picture):
            assert picture is None or (picture.parent == out / THUMBNAILS and picture.read_bytes()[:4] == b"\x89PNG")


def test_a_look_is_read_as_it_was_written(brain_look):
    looked, out = brain_look
    assert read_look(out) == looked


def test_brains_that_were_not_scaled_are_remarked_upon(brain_look):
    looked, _ = brain_look
    remark = next(one for one in looked.problems if one["problem"] == "brains not scaled")
    assert remark["severity"] == "remark"
    assert remark["sentence"].startswith("5 of 5 brains have 8")


def test_skulls_are_looked_for_only_where_the_network_wants_a_brain_alone(tmp_path):
    brains.write(tmp_path / "skull.nii", brains.head("patient01"))
    rows = [{"age": age} for age in (50, 52, 54, 56)] + [{"age": 58, "path": "skull.nii"}]
    table = write_cohort(tmp_path, rows)
    for brain_only, check, usable in ((False, True, True), (True, False, True), (True, True, False)):
        looked = look(config(table, check_brains=check, folds=2), BRAINS, tmp_path / "look", brain_only=brain_only)
        assert looked.rows[-1].usable == usable
        assert (looked.rows[-1].picture is None) == usable
    assert looked.rows[-1].problem.startswith("2")
    assert "extract the brain first" in looked.rows[-1].problem
    assert not looked.may_run  # blocks of noise are no brains either
    assert found(looked)[0] == ("stops", "no usable scan", "")
    assert looked.problems[0]["sentence"].startswith("No scan of cohort.tsv can be used, for example: What ")


def test_scans_that_fall_out_late_count_for_folds_and_classes(tmp_path):
    """Two of four cannot be prepared: a class has one subject left, and there are fewer subjects than folds."""
    write_image(tmp_path / "flat.nii")
    rows = [{"group": name} for name in ("a", "a", "b", "b")]
    for number in (1, 3):
        path = f"empty{number}.nii"
        brains.write(tmp_path / path, np.full((23, 28, 23), number, dtype=np.float32))
        rows[number]["path"] = path
    looked = quick_look(tmp_path, rows, label="group")
    assert found(looked) == [
        ("stops", "class too small", ""), ("stops", "too few for the folds", ""),
        ("leaves out", "cannot be prepared", "3"), ("leaves out", "cannot be prepared", "5"),
    ]  # fmt: skip
    assert "holds one value everywhere" in looked.rows[1].problem
    assert not looked.may_run
    assert looked.sentence == "group: 1 a, 1 b."


def test_few_numbers_stay_numbers(tmp_path):
    """What the labels are is told by all of them: five different numbers alone would be called classes."""
    rows = [{"age": age} for age in range(50, 57)]
    for number in (5, 6):
        rows[number]["path"] = f"empty{number}.nii"
        brains.write(tmp_path / f"empty{number}.nii", np.full((23, 28, 23), number, dtype=np.float32))
    looked = quick_look(tmp_path, rows)
    assert (looked.task, looked.may_run) == ("regression", True)
    assert sum(row.usable for row in looked.rows) == 5


def test_fewer_subjects_than_folds_stop(tmp_path):
    looked = quick_look(tmp_path, [{"age": age} for age in (50, 51, 52, 53, 54, 55)], folds=7)
    assert found(looked) == [("stops", "too few for the folds", "")]
    assert looked.problems[0]["sentence"] == "7 folds need as many subjects, but there are 6; choose fewer folds."


@pytest.mark.parametrize(
    ("ages", "label", "kind"),
    [
        ((60, 60, 60, 60), "age", "one class"), (("x", "x", "x", "x"), "age", "one class"),
        (("x", "x", "x", "y"), "age", "class too small"),
    ],
)  # fmt: skip
def test_labels_that_teach_nothing_stop(ages, label, kind, tmp_path):
    looked = quick_look(tmp_path, [{"age": age} for age in ages], label=label)
    assert ("stops", kind, "") in found(looked)


def test_sizes_of_a_learning_curve_that_no_fold_has_stop(tmp_path):
    rows = [{"age": age} for age in range(50, 59)]
    assert quick_look(tmp_path, rows, sizes=(4, 6)).may_run
    looked = quick_look(tmp_path, rows, sizes=(4, 7))
    assert found(looked) == [("stops", "design", "")]
    assert "needs as many training subjects in every fold, but one has 6" in looked.problems[0]["sentence"]


def test_sites_that_cannot_be_left_out_stop_or_are_named(tmp_path):
    rows = [{"age": 50 + number, "site": "AB"[number % 2], "one": "A"} for number in range(8)]
    rows[3]["site"] = ""
    looked = quick_look(tmp_path, rows, site="SITE", folds=20)
    assert found(looked)[0] == ("leaves out", "site missing", "5")
    assert looked.may_run
    assert sum(row.usable for row in looked.rows) == 7
    for column, words in (("one", "Column 'one' has one site only"), ("none", "has no column 'none'; choose one of: ")):
        looked = quick_look(tmp_path, rows, site=column)
        assert found(looked)[0] == ("stops", "design", "")
        assert words in looked.problems[0]["sentence"]


def test_a_site_without_which_one_class_is_left_stops(tmp_path):
    rows = [{"sex": sex, "site": site} for sex, site in zip("FMFMFFFF", "AAAABBBB", strict=True)]
    looked = quick_look(tmp_path, rows, label="sex", site="site")
    assert found(looked)[0] == ("stops", "one class in a fold", "")
    assert looked.problems[0]["sentence"] == (
        "Without site 'A', everybody who is left to learn from is 'F' in column 'sex'; leave 'site' empty."
    )


def test_folds_that_test_nobody_of_a_class_are_remarked_upon(tmp_path):
    looked = quick_look(tmp_path, [{"sex": sex} for sex in "FFFFFFMM"], label="sex", folds=4)
    assert found(looked) == [("remark", "class missing from folds", "")]
    assert looked.problems[0]["sentence"] == "2 of 4 folds test nobody who is 'M', because there are so few."


def test_a_missing_table_or_column_is_said_at_once(tmp_path):
    table = write_cohort(tmp_path, [{"age": 50}])
    with pytest.raises(BadInput, match="has no column 'weight'; choose one of: age"):
        look(config(table, "weight"), COARSE, tmp_path / "look", brain_only=False)
    with pytest.raises(BadInput):
        look(config(tmp_path / "none.tsv"), COARSE, tmp_path / "look", brain_only=False)


def test_progress_is_told_and_a_stop_leaves_no_half_of_a_look(tmp_path):
    table = write_cohort(tmp_path, [{"age": age} for age in (50, 52, 54)])
    told = []
    look(
        config(table), COARSE, tmp_path / "look", brain_only=False,
        on_progress=lambda text, done, total: told.append((text, done, total)),
    )  # fmt: skip
    assert told == [(f"Looking at sub-0{number}", number, 3) for number in range(3)]
    for when in (1, 5):  # while headers are read, and while pictures are made
        asked = itertools.count(1)
        with pytest.raises(ReconstructionStopped):
            look(
                config(table), COARSE, tmp_path / f"stopped{when}", brain_only=False,
                should_stop=lambda asked=asked, when=when: next(asked) == when,
            )  # fmt: skip
        assert not (tmp_path / f"stopped{when}" / CHECKS).exists()


def test_pictures_outlive_a_check_without_any_but_not_another_look_or_another_image(tmp_path):
    rows = [{"age": age} for age in (50, 52, 54)]
    first = quick_look(tmp_path, rows)
    table = tmp_path / "cohort.tsv"
    checked = check_for_reuse(config(table), COARSE, lambda scan, image: None)
    write_look(checked, tmp_path / "look")
    assert read_look(tmp_path / "look").rows == first.rows
    write_image(tmp_path / "other.nii", seed=9)
    rows[1]["path"] = "other.nii"
    checked = check_for_reuse(config(write_cohort(tmp_path, rows)), COARSE, lambda scan, image: None)
    write_look(checked, tmp_path / "look")
    assert [row.thumbnail is None for row in read_look(tmp_path / "look").rows] == [False, True, False]
    quick_look(tmp_path, rows)
    assert len(list((tmp_path / "look" / THUMBNAILS).iterdir())) == 3


@pytest.mark.parametrize("text", [None, "", "[]", '{"rows": [1]}', '{"rows": [], "problems": []}', "[" * 100_000])
def test_a_folder_without_a_look_is_told_so(text, tmp_path):
    if text is not None:
        (tmp_path / CHECKS).write_text(text)
    with pytest.raises(BadInput, match=r"holds no checks of a cohort .*; look at the cohort again"):
        read_look(tmp_path)


def test_a_look_of_an_earlier_version_can_be_read(tmp_path):
    """Without the larger picture."""
    looked = quick_look(tmp_path, [{"age": age} for age in (50, 52, 54)])
    path = tmp_path / "look" / CHECKS
    record = json.loads(path.read_text())
    for row in record["rows"]:
        del row["picture"]
    path.write_text(json.dumps(record))
    assert read_look(tmp_path / "look") == looked
