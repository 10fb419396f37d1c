"""`mritransfer cohort reuse` as a user types it."""

import csv

import pytest
from small_cohorts import write_cohort
from small_reuse import write_network
from test_commands import answer, call, refused


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"), subjects=12)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MRITRANSFER_CACHE", str(tmp_path / "cache"))


def asked(table, network, out, *more):
    return (
        "cohort", "reuse", table, "--label", "age", "--model", network, "--out", out, "--folds", "3", "--device", "cpu",
        *more,
    )  # fmt: skip


def words(text):
    return " ".join(text.split())


def test_a_re_use_from_table_to_report(table, network, tmp_path):
    out = tmp_path / "out"
    shown = call(*asked(table, network, out, "--methods", "direct,features-ridge", "--sizes", "4"))
    assert shown.exit_code == 0, shown.output
    for wanted in ("baseline", "direct", "features-ridge", "MAE, years", "report.html"):
        assert wanted in words(shown.stdout)
    assert "simulated" in shown.stderr
    with (out / "table.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["method"], line["size"]) for line in lines[:2]] == [("baseline", "4"), ("baseline", "all")]
    assert all(float(line["mae from"]) <= float(line["mae"]) <= float(line["mae to"]) for line in lines)
    assert "corrected" not in lines[0]
    with (out / "scans.csv").open() as stream:
        told = list(csv.DictReader(stream))
    assert len(told) == 12
    assert all("divided by the mean" in line["what was done"] for line in told)
    again = call("cohort", "reuse", "--out", out)
    assert again.exit_code == 0
    assert words(again.stdout) == words(shown.stdout)
    assert answer("cohort", "reuse", "--out", out)["scans"] == 12


def test_going_on_takes_no_other_options(table, network, tmp_path):
    assert "give participants.tsv" in refused("cohort", "reuse", "--out", tmp_path / "nowhere")
    out = tmp_path / "out"
    assert call(*asked(table, network, out, "--methods", "direct")).exit_code == 0
    said = refused("cohort", "reuse", "--out", out, "--folds", "4", "--batch-norm", "moving")
    assert "leave out --folds, --batch-norm" in said
    assert "other settings" in refused(*asked(table, network, out, "--methods", "classical"))


def test_a_mistake_in_the_settings_does_not_use_up_the_folder(table, network, tmp_path):
    out = tmp_path / "out"
    first = call(*asked(table, network, out, "--methods", "direct", "--folds", "25"))
    assert first.exit_code == 2
    assert "25 folds need" in words(first.stdout)
    refused(*asked(table, "nosuch", out, "--methods", "direct"))
    corrected = call(*asked(table, network, out, "--methods", "direct"))
    assert corrected.exit_code == 0, corrected.output
    assert "25 folds" not in corrected.output


def test_who_is_left_out_is_named_before_and_after(table, network, tmp_path):
    lines = table.read_text().splitlines()
    place = lines[0].split("\t").index("age")
    fields = lines[3].split("\t")
    fields[place] = "old"
    spoilt = table.with_name("spoilt.tsv")
    spoilt.write_text("\n".join([*lines[:3], "\t".join(fields), *lines[4:]]) + "\n")
    shown = call(*asked(spoilt, network, tmp_path / "out", "--methods", "direct"))
    assert shown.exit_code == 0, shown.output
    assert "What was found" in shown.stdout
    assert f"Note: {fields[0]}" in words(shown.stderr)


def test_only_looking_writes_pictures_and_checks(table, network, tmp_path):
    out = tmp_path / "out"
    shown = call(*asked(table, network, out, "--check-only"))
    assert shown.exit_code == 0
    assert "12 of 12 scans can be used" in words(shown.stdout)
    assert len(list((out / "thumbnails").glob("*.png"))) == 12
    assert call(*asked(table, network, out, "--methods", "direct")).exit_code == 0
    other = refused("cohort", "reuse", table, "--label", "disease", "--model", network, "--out", out, "--check-only")
    assert "another table, label or network" in other


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--methods", "magic"), "no method called 'magic'"),
        (("--sizes", "4,many"), "no list of sizes"),
        (("--bins", "6/90"), "are no bins"),
        (("--learning-rate", "-1"), "cannot work"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(table, network, tmp_path, more, said):
    assert said in refused(*asked(table, network, tmp_path / "out", *more))


@pytest.mark.parametrize(
    ("more", "said"),
    [(("--bins", "100/120/20"), "No 'age' lies within the bins"), (("--site", "planet"), "no column 'planet'")],
)
def test_what_does_not_fit_the_table_is_said_once_it_was_read(table, network, tmp_path, more, said):
    shown = call(*asked(table, network, tmp_path / "out", "--methods", "direct", *more))
    assert shown.exit_code == 2
    assert said in words(shown.output)
    assert "Traceback" not in shown.output


def test_methods_are_listed():
    names = {row["name"] for row in answer("cohort", "methods")}
    assert {"direct", "features-ridge", "lft", "lora", "classical"} <= names
    assert "conv-adapter" not in call("cohort", "methods").stdout
