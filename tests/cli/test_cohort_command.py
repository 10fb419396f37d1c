"""`mritransfer cohort …` as a user types it, from a table to maps of where a network looks."""

import csv
import json

import pytest
from heads import write_tiny_base
from small_cohorts import write_cohort
from test_commands import answer, call, refused

from napari_mritransfer.io import Origin, load
from napari_mritransfer.physics.masks import NEEDS_3D

TRAIN = (
    "--label", "age", "--widths", "6,8", "--spacing", "13", "--epochs", "2", "--batch", "4", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "age"
    result = call("cohort", "train", table, "--out", folder, *TRAIN)
    assert result.exit_code == 0, result.output
    assert "10 scans to learn from, 5 to validate on. The scans are simulated." in result.stderr
    assert "To beat: mean of the training scans" in result.stderr
    assert "Go on with: mritransfer cohort evaluate" in " ".join(result.stdout.split())
    return folder


def test_check_says_what_can_be_used(table):
    shown = call("cohort", "check", table, "--label", "age")
    assert shown.exit_code == 0
    assert "20 of 20 scans of 20 subjects can be used" in " ".join(shown.stdout.split())
    record = answer("cohort", "check", table.parent, "--label", "disease")
    assert (record["task"], record["classes"], record["may_train"]) == ("binary", ["healthy", "diseased"], True)
    assert record["simulated"]


def test_check_names_everything_that_is_wrong_at_once(table, tmp_path):
    rows = table.read_text().splitlines()
    broken = tmp_path / "broken.csv"
    first = rows[1].split("\t")
    scan = table.parent / first[0] / "anat" / f"{first[0]}_T1w.nii.gz"
    lines = ["subject,path,age", f"a,{scan},{first[1]}", "b,missing.nii.gz,50", f"c,{scan},", f"a,{scan},60"]
    broken.write_text("\n".join(lines) + "\n")
    record = json.loads(call("cohort", "check", broken, "--label", "age", "--json").stdout)
    assert not record["may_train"]
    assert {row["subject"] for row in record["problems"]} >= {"a", "b", "c"}
    assert any("missing.nii.gz" in row["sentence"] for row in record["problems"])
    shown = call("cohort", "check", broken, "--label", "age")
    assert shown.exit_code == 2
    assert "stops" in shown.stdout


def test_a_trained_network_is_judged_on_those_it_has_not_seen(run, tmp_path):
    shown = call("cohort", "evaluate", run, "--csv", tmp_path / "p.csv")
    assert shown.exit_code == 0, shown.output
    text = " ".join(shown.stdout.split())
    assert "age, 5 scans that were not learned from: MAE" in text
    assert "the training mean for everybody" in text
    assert "simulated" in text
    with (tmp_path / "p.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    record = answer("cohort", "evaluate", run)
    assert [row["subject"] for row in rows] == [scan["subject"] for scan in record["scans"]]
    errors = [abs(float(row["number"]) - float(row["true"])) for row in rows]
    assert record["summary"]["mae"] == pytest.approx(sum(errors) / len(errors), rel=1e-4)


def test_nobody_takes_those_it_learned_from_for_a_test(run, table):
    def told(*arguments):
        return " ".join(call("cohort", "evaluate", run, *arguments).stdout.split())

    assert "scans that it learned from, so that the errors look too small" in told("--side", "train")
    assert "20 scans of the table" in told("--table", table)


def test_what_a_network_cannot_be_compared_with_is_said(run, table):
    assert "'healthy' in column 'disease' is no number" in refused(
        "cohort", "evaluate", run, "--table", table, "--label", "disease"
    )
    assert "no column 'family'" in refused("cohort", "evaluate", run, "--group", "family")


def test_predict_writes_numbers_and_maps(run, table, tmp_path):
    scan = table.parent / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    shown = call("cohort", "predict", scan, "--model", run, "--out", tmp_path / "maps", "--sanity")
    assert shown.exit_code == 0, shown.output
    assert "years" in shown.stdout
    names = {path.name for path in (tmp_path / "maps").iterdir()}
    assert {"attention.json", "attention.png", "slices.csv", "00-map.nii.gz", "00-map-on-scan.nii.gz"} <= names
    mapped = load(tmp_path / "maps" / "00-map-on-scan.nii.gz")
    assert mapped.image.shape == load(scan).image.shape
    assert mapped.origin is Origin.SIMULATED


def test_from_k_space_to_maps_in_one_go(run, table, tmp_path):
    scan = table.parent / "sub-02" / "anat" / "sub-02_T1w.nii.gz"
    base = write_tiny_base(tmp_path / "tiny.safetensors")
    record = answer(
        "cohort", "predict", scan, "--model", run, "--methods", f"zero-filled,{base}", "--rate", 0.5, "--acs", 0.2,
        "--phase-encode", "x", "--out", tmp_path / "all", "--no-map",
    )  # fmt: skip
    assert [view["input"] for view in record["views"]] == ["reference", "zero-filled", "tiny"]
    assert record["views"][0]["difference"] is None
    assert record["views"][1]["difference"] == pytest.approx(
        record["views"][1]["prediction"] - record["views"][0]["prediction"]
    )
    assert (tmp_path / "all" / "reconstructions" / "report.html").is_file()
    again = answer("cohort", "predict", scan, "--model", run, "--methods", "zero-filled", "--out", tmp_path / "all",
                   "--no-map", "--mask", "radial")  # fmt: skip
    assert len(again["views"]) == 2
    assert NEEDS_3D in again["warnings"]


def test_simulate_writes_a_cohort_that_can_be_checked(tmp_path):
    record = answer(
        "cohort", "simulate", "--out", tmp_path / "sim", "--subjects", 4, "--spacing", 4,
        "--heads", "patient01,patient03",
    )  # fmt: skip
    assert record["simulated"]
    checked = answer("cohort", "check", record["table"], "--label", "age", "--task", "regression")
    assert (checked["usable"], checked["simulated"]) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("check", "nowhere.tsv", "--label", "age"), "does not exist"),
        (("train", "--out", "run"), "needs a table and a label"),
        (("train", "nowhere.tsv", "--label", "age", "--out", "run", "--widths", "a,b"), "no list of channels"),
        (("train", "t.tsv", "--label", "age", "--out", "run", "--strategy", "magic"), "no strategy called 'magic'"),
        (("train", "t.tsv", "--label", "age", "--out", "run", "--strategy", "lft"), "name one with the model"),
        (("evaluate", "nobody"), "no model called 'nobody'"),
        (("predict", "a.nii", "b.nii", "--model", "m", "--methods", "zero-filled", "--out", "o"), "name one scan only"),
        (("predict", "a.nii", "--model", "nobody", "--out", "o"), "no model called 'nobody'"),
        (("simulate", "--out", "sim", "--subjects", "0"), "cannot be simulated"),
        (("simulate", "--out", "sim", "--heads", "nobody"), "no head 'nobody'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint in refused("cohort", *arguments)


def test_a_reconstruction_network_is_no_predictor(table, tmp_path):
    base = write_tiny_base(tmp_path / "tiny.safetensors")
    scan = table.parent / "sub-01" / "anat" / "sub-01_T1w.nii.gz"
    assert "reconstructs images" in refused("cohort", "predict", scan, "--model", base, "--out", tmp_path / "o")


def test_the_folds_of_a_cross_validation_are_judged_together(table, tmp_path):
    runs = [tmp_path / f"fold{fold}" for fold in range(2)]
    for fold, run in enumerate(runs):
        trained = call("cohort", "train", table, "--out", run, *TRAIN, "--folds", 2, "--fold", fold)
        assert trained.exit_code == 0, trained.output
    record = answer("cohort", "evaluate", *runs)
    assert sorted(scan["subject"] for scan in record["scans"]) == [f"sub-{n:02d}" for n in range(1, 21)]
    assert record["summary"]["n"] == 20
    twice = call("cohort", "evaluate", runs[0], runs[0])
    assert twice.exit_code == 2
    assert "no folds of one cross-validation" in " ".join(twice.stderr.split())
