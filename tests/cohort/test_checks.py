import shutil
import time

import nibabel
import numpy as np
import pytest
from tables import MNI, SHAPE, write_cohort, write_image, write_table

from napari_mritransfer.cohort.checks import Severity, as_rows, check_cohort, refuse
from napari_mritransfer.cohort.table import read_cohort
from napari_mritransfer.io.errors import BadInput

AGES = [{"age": age} for age in (20, 30, 40, 50, 60, 70, 80, 64.5)]


def checked(folder, rows, label="age", **options):
    return check_cohort(read_cohort(write_cohort(folder, rows)), label, **options)


def found(result):
    """What was found, as (kind, severity, line)."""
    return [(one.kind, str(one.severity), one.line) for one in result.problems]


def test_a_cohort_without_faults_has_no_problems(tmp_path):
    result = checked(tmp_path, AGES)
    assert result.problems == ()
    assert result.may_train
    assert (result.task, result.classes, len(result.scans)) == ("regression", (), 8)
    assert [result.labels[scan] for scan in result.scans] == [row["age"] for row in AGES]
    assert result.describe_labels() == "age: 20 to 80, mean 51.8, sd 19.3."
    assert [result.groups[scan] for scan in result.scans] == list(result.subjects)
    refuse(result)


def test_everything_that_is_wrong_stands_in_one_table_and_nobody_is_lost(tmp_path):
    """Every way in which a scan cannot be used, at once: each is named with its line, and the rest is used."""
    write_image(tmp_path / "flat.nii", shape=(40, 40, 1))
    write_image(tmp_path / "tiny.nii", shape=(40, 40, 4))
    image = nibabel.Nifti1Image(np.ones((40, 40), dtype=np.float32), MNI)
    nibabel.save(image, tmp_path / "two.nii")
    (tmp_path / "junk.nii").write_bytes(b"no image at all" * 50)
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, dtype=np.float32), None), tmp_path / "nowhere.nii")
    shutil.copy(write_image(tmp_path / "copied.nii", seed=77), tmp_path / "copy.nii")
    write_image(tmp_path / "film.nii", seed=5, shape=(*SHAPE, 3))
    rows = [
        *AGES,  # lines 2 to 9
        {"age": 33, "path": "gone.nii"}, {"age": 34, "path": "n/a"}, {"age": 35, "path": "flat.nii"},
        {"age": 36, "path": "tiny.nii"}, {"age": 37, "path": "two.nii"}, {"age": 38, "path": "junk.nii"},
        {"age": 39, "path": "nowhere.nii"}, {"age": 40, "path": "copied.nii"}, {"age": 41, "path": "copy.nii"},
        {"age": "n/a"}, {"age": "old"}, {"age": 44, "participant_id": "sub-00"}, {"age": 45, "path": "film.nii"},
    ]  # fmt: skip
    result = checked(tmp_path, rows)
    assert found(result) == [
        ("image missing", "leaves out", 10), ("image missing", "leaves out", 11), ("image is 2-D", "leaves out", 12),
        ("image too small", "leaves out", 13), ("image unreadable", "leaves out", 14),
        ("image unreadable", "leaves out", 15), ("orientation unknown", "leaves out", 16),
        ("same image", "leaves out", 17), ("same image", "leaves out", 18), ("label missing", "leaves out", 19),
        ("label is no number", "leaves out", 20), ("same subject twice", "leaves out", 21),
        ("several frames", "remark", 0),
    ]  # fmt: skip
    assert result.may_train
    assert [scan.line for scan in result.scans] == [*range(2, 10), 22]
    named = {problem.line for problem in result.problems}
    assert {scan.line for scan in result.cohort.scans} == {scan.line for scan in result.scans} | named - {0}
    rows = as_rows(result.problems)
    assert rows[0]["severity"] == "leaves out"
    assert (rows[0]["problem"], rows[0]["subject"], rows[0]["line"]) == ("image missing", "sub-08", "10")
    assert all(set(row) == set(rows[0]) and row["sentence"].endswith(".") for row in rows)
    assert rows[-1]["line"] == ""


def test_the_first_usable_line_of_a_subject_counts(tmp_path):
    rows = [*AGES, {"participant_id": "x", "age": 41, "path": "gone.nii"}, {"participant_id": "x", "age": 41}]
    result = checked(tmp_path, rows)
    assert found(result) == [("image missing", "leaves out", 10)]
    assert result.scans[-1].line == 11


def test_an_image_that_several_subjects_claim_belongs_to_none(tmp_path):
    rows = [*AGES, *({"age": 41, "path": f"{where}/00.nii"} for where in (".", "sub/.."))]
    (tmp_path / "sub").mkdir()
    for open_files in (True, False):
        result = checked(tmp_path, rows, open_files=open_files)
        assert found(result) == [("same image", "leaves out", line) for line in (2, 10, 11)]
        assert "different subjects (sub-00, sub-08, sub-09): nobody knows whose" in result.problems[0].sentence


def test_an_image_that_a_subject_names_twice_counts_once(tmp_path):
    rows = [{"session": "a", **row} for row in AGES]
    rows.append({"participant_id": "sub-00", "session": "b", "age": 20, "path": "00.nii"})
    assert found(checked(tmp_path, rows)) == [("same image", "leaves out", 10)]


def test_files_are_not_opened_when_nobody_asks(tmp_path):
    rows = [*AGES, {"age": 33, "path": "junk.nii"}]
    (tmp_path / "junk.nii").write_bytes(b"junk")
    assert found(checked(tmp_path, rows, open_files=False)) == []
    assert found(checked(tmp_path, rows)) == [("image unreadable", "leaves out", 10)]


def test_progress_is_told_and_can_end_the_checks(tmp_path):
    told = []
    checked(tmp_path, AGES, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]

    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    with pytest.raises(Enough):
        checked(tmp_path, AGES, on_progress=stop)


def test_an_unknown_orientation_is_accepted_on_request(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones(SHAPE, dtype=np.float32), None), tmp_path / "nowhere.nii")
    result = checked(tmp_path, [*AGES, {"age": 44, "path": "nowhere.nii"}], placement="centre")
    assert found(result) == [("sides unknown", "remark", 10)]
    assert len(result.scans) == 9


@pytest.mark.parametrize(
    ("values", "task", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], None, ("regression", ())),
        (["1.5", "2,5", 3, 4, 5, 6, "old"], None, ("regression", ())),
        ([1, 2, 3, 1, 2, 3], None, ("classes", ("1", "2", "3"))),
        ([0, 1, "1.0", 0, "n/a"], None, ("binary", ("0", "1"))),
        ([1, 2, 3, 1, 2, 3], "regression", ("regression", ())),
        (["b", "a", "a", "b"], None, ("binary", ("a", "b"))),
        (["AD", "healthy", "AD", "healthy"], None, ("binary", ("healthy", "AD"))),
        (["HC", "AD", "CN", "AD", "HC", "CN"], "classes", ("classes", ("CN", "HC", "AD"))),
        ([10, 9, 100, 9, 10, 100], "classes", ("classes", ("9", "10", "100"))),
        (["yes", "no", "yes", "no"], "classes", ("binary", ("no", "yes"))),
    ],
)
def test_what_a_column_means_is_told_from_its_values(tmp_path, values, task, expected):
    result = checked(tmp_path, [{"x": value} for value in values], "x", task=task)
    assert (result.task, result.classes) == expected
    assert result.may_train


@pytest.mark.parametrize(
    ("values", "task", "kind", "sentence"),
    [
        ([60] * 8, "regression", "constant label", "Everybody has 60 in column 'x', so there is nothing to learn"),
        (["AD"] * 8, None, "one class", "Everybody is 'AD' in column 'x'"),
        (["AD", "HC", "HC", "MCI"], None, "class too small", "Only one subject is 'AD', 'MCI' in column 'x'"),
        (["61", "64", "70"], None, "class too small", "or choose the task 'regression' if these are numbers"),
        (["a", "b", "c"] * 2, "binary", "too many classes", r"has 3 classes \(a, b, c\), not two; choose the task"),
        ([f"note {n}" for n in range(12)], None, "free text", "holds 12 different texts for 12 subjects .note 0, "),
        (["a", "b"] * 3, "regression", "no usable scan", "No scan of .* can be used, for example: 'a' in column"),
        (["n/a"] * 3, None, "no usable scan", "sub-00 has nothing in column 'x'; fill it in"),
    ],
)
def test_labels_that_cannot_be_learned_stop(tmp_path, values, task, kind, sentence):
    result = checked(tmp_path, [{"x": value} for value in values], "x", task=task)
    assert kind in {one.kind for one in result.problems if one.severity is Severity.STOPS}
    assert not result.may_train
    assert result.describe_labels()
    with pytest.raises(BadInput, match=sentence):
        refuse(result)


def test_a_class_that_only_unusable_scans_have_is_none(tmp_path):
    rows = [*({"x": value} for value in ("a", "b", "a", "b")), {"x": "c", "path": "gone.nii"}]
    result = checked(tmp_path, rows, "x")
    assert (result.task, result.classes, result.may_train) == ("binary", ("a", "b"), True)


def test_a_trained_network_is_tried_out_on_whatever_labels_there_are(tmp_path):
    rows = [{"x": value} for value in ("ill", "ill", "mad")]
    result = checked(tmp_path, rows, "x", classes=("healthy", "ill"), trains=False)
    assert found(result) == [("unknown class", "leaves out", 4)]
    assert (result.task, result.classes, len(result.scans)) == ("binary", ("healthy", "ill"), 2)
    assert checked(tmp_path, [{"x": 60}, {"x": 60}], "x", task="regression", trains=False).may_train


def test_holes_in_the_labels_and_spellings_are_remarks(tmp_path):
    (gap,) = checked(tmp_path, [{"x": value} for value in (20, 25, 30, 35, 40, 45, 70, 75)], "x").problems
    assert gap.sentence == "Nobody's 'x' is between 45 and 70: predictions there are guesses."
    rows = [{"x": value} for value in ("AD", "ad", "HC", "AD", "ad", "HC")]
    (alike,) = checked(tmp_path, rows, "x").problems
    assert alike.sentence.startswith("'AD' and 'ad' count as different classes of 'x'")
    assert {gap.severity, alike.severity} == {Severity.REMARK}


def test_sessions_and_groups_are_told(tmp_path):
    rows = [
        {"participant_id": f"s{n // 2}", "session": n % 2, "x": "ab"[n % 4 == 3 or n // 4], "site": f"site {n % 3}"}
        for n in range(8)
    ]
    result = checked(tmp_path, rows, "X", group="SITE", folds=3)
    assert result.group == "site"
    assert [result.groups[scan] for scan in result.scans] == [row["site"] for row in rows]
    assert [one.kind for one in result.problems] == [
        "too few for the folds", "class changes", "several sessions", "groups share a subject",
    ]  # fmt: skip
    assert [one.severity for one in result.problems].count(Severity.REMARK) == 3
    assert "3 folds need as many groups of 'site', but there are 1" in result.problems[0].sentence


def test_a_group_must_be_known(tmp_path):
    rows = [{"age": row["age"], "site": "n/a" if n == 0 else "a"} for n, row in enumerate(AGES)]
    assert found(checked(tmp_path, rows, group="site")) == [("group missing", "leaves out", 2)]
    result = checked(tmp_path, rows, group="scanner")
    assert found(result) == [("group column missing", "stops", 0)]
    assert "has no column 'scanner'; choose one of: age, site." in result.problems[0].sentence


def test_an_unknown_label_is_refused_with_the_columns_there_are(tmp_path):
    with pytest.raises(BadInput, match=r"cohort\.tsv has no column 'weight'; choose one of: age\."):
        checked(tmp_path, AGES, "weight")


def test_sessions_on_one_line_of_a_bids_table_are_told_apart(tmp_path):
    rows = [{"participant_id": f"sub-{n}", "age": 20 + 9 * n} for n in range(7)]
    write_table(tmp_path / "participants.tsv", rows)
    for n in range(7):
        for session in (1, 2):
            folder = tmp_path / f"sub-{n}" / f"ses-{session}" / "anat"
            write_image(folder / f"sub-{n}_ses-{session}_T1w.nii", seed=2 * n + session)
    (tmp_path / "sub-3" / "ses-2" / "anat" / "sub-3_ses-2_T1w.nii").write_bytes(b"junk")
    result = check_cohort(read_cohort(tmp_path), "age")
    assert len(result.scans) == 13
    assert [row["subject"] for row in as_rows(result.problems)] == ["sub-3 ses-2", ""]


def test_other_formats_are_looked_at_too(tmp_path):
    nibabel.save(nibabel.MGHImage(np.ones(SHAPE, dtype=np.float32), MNI), tmp_path / "a.mgz")
    assert found(checked(tmp_path, [*AGES, {"age": 9, "path": "a.mgz"}])) == []


def test_hundreds_of_scans_are_checked_in_seconds(tmp_path):
    rows = [{"age": 20 + n / 7} for n in range(300)]
    cohort = read_cohort(write_cohort(tmp_path, rows))
    start = time.perf_counter()
    assert check_cohort(cohort, "age").problems == ()
    assert time.perf_counter() - start < 5
